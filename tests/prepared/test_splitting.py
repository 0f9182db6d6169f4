"""Training and test rows by group."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import handprep
from handprep.errors import InputError
from handprep.prepared.manifest import Row, to_csv

LABELS = ("paper", "rock", "scissors")
GROUPS = st.lists(st.tuples(st.sampled_from(LABELS), st.integers(1, 30)), min_size=2, max_size=40)


def clips(sizes: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return the rows of clips of so many frames each."""
    return [
        {"source": f"{label}/{clip}.mp4#{frame:06}", "class": label}
        for clip, (label, frames) in enumerate(sizes)
        for frame in range(frames)
    ]


@given(GROUPS, st.floats(0.01, 0.5), st.integers(0, 99))
def test_every_row_is_on_one_side_and_every_clip_too(
    sizes: list[tuple[str, int]], share: float, seed: int
) -> None:
    rows = clips(sizes)
    train, test = handprep.split(rows, test=share, seed=seed)

    assert train
    assert test
    assert sorted(row["source"] for row in train + test) == [row["source"] for row in sorted_by_source(rows)]
    sides = [{row["source"].partition("#")[0] for row in part} for part in (train, test)]
    assert not sides[0] & sides[1]


def sorted_by_source(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["source"]))


@given(GROUPS, st.floats(0.01, 0.5), st.integers(0, 99))
def test_a_class_of_two_or_more_clips_is_on_both_sides(
    sizes: list[tuple[str, int]], share: float, seed: int
) -> None:
    classes = handprep.split(clips(sizes), test=share, seed=seed).classes

    for label, count in Counter(label for label, _ in sizes).items():
        assert count == 1 or all(classes[label])


@given(st.integers(0, 99))
def test_each_class_has_about_its_share_in_the_test(seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(1, 10, 90).tolist()
    found = handprep.split(clips([(LABELS[n % 3], size) for n, size in enumerate(sizes)]), seed=seed)

    for train, test in found.classes.values():
        assert abs(test - 0.2 * (train + test)) <= 5  # half of the largest clip


def test_persons_who_show_every_class_are_not_divided() -> None:
    rows = [{"person": person, "class": label} for person in "abcdefghij" for label in LABELS * 4]
    found = handprep.split(rows, by="person", test=0.3)

    assert len({row["person"] for row in found.test}) == 3
    assert found.classes == dict.fromkeys(LABELS, (28, 12))


def test_a_seed_gives_one_split_and_another_seed_another() -> None:
    rows = clips([("rock", 3)] * 20)

    assert handprep.split(rows, seed=1) == handprep.split(rows, seed=1)
    assert handprep.split(rows, seed=1) != handprep.split(rows, seed=2)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_two_large_groups_still_give_one_to_each_side(share: float) -> None:
    rows = clips([("rock", 5), ("paper", 4)])

    assert sorted(map(len, handprep.split(rows, test=share))) == [4, 5]


def test_hands_of_one_photo_and_rows_of_unknown_persons_stay_together() -> None:
    photos = [Row(source=f"rock/{name}.jpg", status="done", hand=hand) for name in "abcde" for hand in (1, 2)]
    _, test = handprep.split(photos)
    assert [row.hand for row in test] == [1, 2]
    assert test[0].source == test[1].source

    unknown = [{"person": "a"}, *[{"person": ""}] * 3]
    assert handprep.split(unknown, by="person") == ([{"person": ""}] * 3, [{"person": "a"}])


def test_a_column_of_clips_goes_before_the_name() -> None:
    rows = [{"source": f"{n}.png", "clip": "ab"[n % 2]} for n in range(8)]

    assert {row["clip"] for row in handprep.split(rows, test=0.5).test} in ({"a"}, {"b"})


@pytest.mark.parametrize("empty", ["", None, float("nan")])  # as csv, Row and pandas have it
def test_photos_beside_clips_are_groups_of_their_own(empty: Any) -> None:
    photos = [{"source": f"{n}.png", "clip": empty} for n in range(8)]
    rows = [*photos, *({"source": f"a.mp4#{n:06d}", "clip": "a.mp4"} for n in range(2))]

    assert len(handprep.split(rows).test) == 2


def test_a_manifest_is_read_from_its_file(tmp_path: Path) -> None:
    rows = [
        Row(source=f"{origin}/rock/{n}.jpg", status="done", origin=origin, label="rock")
        for origin in ("webcam", "größe,1")
        for n in range(3)
    ]
    (tmp_path / "manifest.csv").write_bytes(to_csv(rows))
    found = handprep.split(tmp_path / "manifest.csv", by="origin")

    assert {row["origin"] for row in found.train} ^ {row["origin"] for row in found.test} == {
        *("webcam", "größe,1")
    }
    assert found.classes == {"rock": (3, 3)}


@pytest.mark.parametrize(
    ("rows", "by", "said"),
    [
        ([], "clip", "0 rows with 0 group"),
        ([{"source": "a.mp4#1"}, {"source": "a.mp4#2"}], "clip", r"2 rows with 1 group\(s\) by 'clip'"),
        ([{"source": "a", "class": "rock"}], "person", "no column 'person', only source, class"),
        (["a.jpg"], "clip", "or mappings .* not 'a.jpg'"),
    ],
)
def test_what_cannot_be_split_is_refused(rows: list[Any], by: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        handprep.split(rows, by)


def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")

    for path in (tmp_path, tmp_path / "missing.csv", tmp_path / "binary.csv"):
        with pytest.raises(InputError, match="cannot be read as a manifest"):
            handprep.split(path)
    with pytest.raises(InputError, match="test must be a number from"):
        handprep.split([], test=0.6)
