"""The manifest's rows and their CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict

import numpy as np
import pytest

from handprep import geometry
from handprep.errors import InputError
from handprep.manifest import COLUMNS, Row, hand_of, to_csv
from handprep.sample import Hand, Sample


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_a_row_has_all_columns() -> None:
    row = Row(
        source="cgi/rock/a.jpg",
        output="cgi/rock/a.png",
        status="done",
        box=(1, 2.25, 3, 4),
        score=0.98765,
        view="as-is",
        handedness="Left",
        milliseconds=12.34,
        origin="cgi",
        label="rock",
    )

    (found,) = read(to_csv([row]))

    assert list(found) == list(COLUMNS)
    assert found == {
        "source": "cgi/rock/a.jpg",
        "output": "cgi/rock/a.png",
        "status": "done",
        "x0": "1.00",
        "y0": "2.25",
        "x1": "3.00",
        "y1": "4.00",
        "score": "0.9877",
        "view": "as-is",
        "handedness": "Left",
        "milliseconds": "12.3",
        "message": "",
        "origin": "cgi",
        "class": "rock",
    }


def test_a_row_without_a_hand_has_empty_cells() -> None:
    (found,) = read(to_csv([Row(source="a.jpg", status="failed", message="it is empty")]))

    empty = ("output", "x0", "y0", "x1", "y1", "score", "view", "handedness")
    assert [found[name] for name in empty] == [""] * 8
    assert found["message"] == "it is empty"


def test_rows_are_in_the_order_of_their_sources() -> None:
    rows = [Row(source=name, status="skipped") for name in ("b", "a", "a/b")]

    assert [row["source"] for row in read(to_csv(rows))] == ["a", "a/b", "b"]


@pytest.mark.parametrize(
    "name", ["a,b.jpg", 'a"b.jpg', "a\nb.jpg", "a\r\nb.jpg", "=1+1.jpg", "手.jpg", " a.jpg "]
)
def test_odd_names_are_read_back_as_they_are(name: str) -> None:
    (found,) = read(to_csv([Row(source=name, status="skipped")]))

    assert found["source"] == name


def test_names_that_are_not_utf8_are_escaped() -> None:
    (found,) = read(to_csv([Row(source=os.fsdecode(b"fist\xff.jpg"), status="skipped")]))

    assert found["source"] == r"fist\udcff.jpg"


def test_a_row_survives_json() -> None:
    row = Row(source=os.fsdecode(b"\xff.jpg"), output="a.png", status="done", box=(1.5, 2, 3, 4), score=0.5)

    assert Row.from_dict(json.loads(json.dumps(asdict(row)))) == row


@pytest.mark.parametrize("wrong", [{"status": "fine"}, {"status": "done", "box": (1, 2, 3)}])
def test_a_row_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="a row needs"):
        Row(source="a.jpg", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"source": 1}, {"output": None}, {"message": []}, {"view": 0.5}, {"label": {}}, {"status": "fine"}),
        *(
            {"box": ["a", "b", "c", "d"]},
            {"box": {"a": 1, "b": 2, "c": 3, "d": 4}},
            {"box": "four"},
            {"box": 4},
        ),
        *(
            {"box": [1, 2, 3, 10**400]},
            {"score": "x"},
            {"score": float("nan")},
            {"milliseconds": float("inf")},
        ),
        *({"milliseconds": None}, {"milliseconds": True}),
    ],
)
def test_a_row_of_a_damaged_file_is_refused(wrong: dict[str, object]) -> None:
    good = asdict(Row(source="a.jpg", output="a.png", status="done", box=(1, 2, 3, 4), score=0.5))
    with pytest.raises((InputError, TypeError)):
        Row.from_dict({**good, **wrong})


def test_a_score_that_is_numpys_can_be_written_down() -> None:
    hand = Hand(box=(1, 2, 3, 4), score=np.float32(0.5))  # type: ignore[arg-type]  # by somebody's own detector
    told = hand_of(Sample(image=np.zeros((9, 9, 3), np.uint8), hands=(hand,)))

    assert json.loads(json.dumps(told))["score"] == 0.5


def test_the_hand_is_told_in_pixels_of_the_photo_and_as_the_photo_shows_it() -> None:
    width = 100
    hand = Hand(box=(10, 20, 30, 40), score=0.123456, handedness="Right", view="padded")
    photo = Sample(image=np.zeros((80, width, 3), np.uint8), hands=(hand,))
    forward = geometry.compose(geometry.mirroring(width), geometry.scaling(0.5, 0.5))

    prepared = photo.moved(forward, np.zeros((40, 50, 3), np.uint8), None)

    assert prepared.hand is not None
    assert prepared.hand.handedness == "Left"
    assert hand_of(prepared) == {
        "box": (10, 20, 30, 40),
        "score": 0.1235,
        "view": "padded",
        "handedness": "Right",
    }
    assert hand_of(Sample(image=np.zeros((2, 2, 3), np.uint8), hands=())) == {}
