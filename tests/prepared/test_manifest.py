"""The manifest's rows and their CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handprep import geometry
from handprep.errors import InputError, ModelError, SampleSkipped
from handprep.prepared.manifest import COLUMNS, Row, to_csv
from handprep.prepared.origin import Origin
from handprep.prepared.record import Record
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
        handedness_score=0.91,
        hand=1,
        photo=(640, 480),
        milliseconds=12.34,
        origin="cgi",
        label="rock",
        mask_confidence=0.91234,
        clip="cgi/rock/a.mp4",
        frame=12,
        time=0.48,
        track=2,
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
        "handedness_score": "0.9100",
        "hand": "1",
        "photo_width": "640",
        "photo_height": "480",
        "milliseconds": "12.3",
        "message": "",
        "origin": "cgi",
        "class": "rock",
        "mask_confidence": "0.912",
        "clip": "cgi/rock/a.mp4",
        "frame": "12",
        "time": "0.480",
        "track": "2",
    }


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(NAMES, NAMES)
def test_names_of_any_kind_are_read_back_as_they_are(name: str, label: str) -> None:
    rows = [Row(source=name, status="skipped", label=label), Row(source=f"{name}-", status="skipped")]

    found = read(to_csv(rows))

    assert [(row["source"], row["class"]) for row in found] == [(name, label), (f"{name}-", "")]
    lines = io.StringIO(to_csv(rows).decode(), newline="")
    assert [row[0] for row in csv.reader(lines)] == ["source", name, f"{name}-"]


@pytest.mark.parametrize(
    "name", ["a,b.jpg", 'a"b.jpg', "a\nb.jpg", "c\rlass", "a\r\nb.jpg", "=1+1.jpg", " a.jpg "]
)
def test_odd_names_are_read_back_by_pandas(name: str) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    rows = [Row(source=name, status="skipped"), Row(source=f"{name}-", status="skipped")]

    assert list(pandas.read_csv(io.BytesIO(to_csv(rows)))["source"]) == [name, f"{name}-"]


def test_names_that_are_not_utf8_are_escaped() -> None:
    (found,) = read(to_csv([Row(source=os.fsdecode(b"fist\xff.jpg"), status="skipped")]))

    assert found["source"] == r"fist\udcff.jpg"


def test_a_row_survives_a_table() -> None:
    for row in (
        Row(
            source="a.jpg", output="a.png", status="done", box=(1.5, 2, 3, 4), score=0.5, hand=2, photo=(4, 3)
        ),
        Row(source="b.jpg", status="failed", message="empty", origin="cgi", label="rock"),
    ):
        assert Row.from_cells(json.loads(json.dumps(row.cells()))) == row


@pytest.mark.parametrize("wrong", [{"status": "fine"}, {"status": "done", "box": (1, 2, 3)}])
def test_a_row_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="a row needs"):
        Row(source="a.jpg", **wrong)  # type: ignore[arg-type]


def test_the_hand_is_told_in_pixels_of_the_photo_and_as_the_photo_shows_it() -> None:
    width = 100
    score = np.float32(0.123456)  # as somebody's own detector may give it
    hand = Hand(box=(10, 20, 30, 40), score=score, handedness="Right", handedness_score=0.75, view="padded")
    photo = Sample(image=np.zeros((80, width, 3), np.uint8), hands=(hand,))
    forward = geometry.compose(geometry.mirroring(width), geometry.scaling(0.5, 0.5))
    prepared = photo.transformed(forward, np.zeros((40, 50, 3), np.uint8), None)
    assert prepared.hand is not None
    assert prepared.hand.handedness == "Left"

    row = Row.of_record(Record.of(prepared, Origin(source="a.jpg", output="a.png", photo=(width, 80))))

    assert row == Row(
        source="a.jpg",
        output="a.png",
        status="done",
        box=(10, 20, 30, 40),
        score=0.1235,
        view="padded",
        handedness="Right",
        handedness_score=0.75,
        hand=1,
        photo=(width, 80),
    )
    assert Row.of_record(Record.of(replace(prepared, hands=()))).status == "no-hand"
    assert Row.of_record(Record.of(replace(prepared, hands=None))).status == "done"


def test_what_concerns_all_photos_becomes_no_row() -> None:
    assert Row.of_fault(SampleSkipped("no hand"), source="a").status == "skipped"
    assert Row.of_fault(MemoryError(), source="a").message == "MemoryError"
    with pytest.raises(ModelError):
        Row.of_fault(ModelError("not there"), source="a")
