"""Thumbnails: what they show, and why there is none."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from handprep.html_report.thumbnails import LEAST_BYTES, LONGEST, SIDES, side_for, thumbnail
from tests.html_report.pages import row
from tests.rendered import photos

HAND = photos()[0].path  # 480 x 360


def made_of(file: Path, side: int = 224) -> dict[str, Any]:
    return thumbnail([row(file.name, "failed")], file.parent, Path("gone"), side, (0, "photo"))


@pytest.mark.parametrize(("side", "longest"), [(224, 224), (1000, 480)])
def test_a_photo_becomes_the_same_image_small_and_never_larger(side: int, longest: int) -> None:
    content = base64.b64decode(made_of(HAND, side)["webp"], validate=True)

    with PIL.Image.open(io.BytesIO(content)) as small, PIL.Image.open(HAND) as photo:
        assert (small.format, small.mode, max(small.size)) == ("WEBP", "RGB", longest)
        difference = np.asarray(small, np.float64) - np.asarray(photo.resize(small.size), np.float64)
    assert np.abs(difference).mean() < 6  # of 255: what WebP at that quality leaves of it


@pytest.mark.parametrize("count", [1, 100, 5000, 10_000, 20_000, 100_000])
def test_all_are_of_the_largest_size_that_fits(count: int) -> None:
    room = 30_000_000
    side = side_for(count, room)

    assert SIDES[side] * count <= room or side == min(SIDES)
    assert all(SIDES[larger] * count > room for larger in SIDES if larger > side)
    assert min(SIDES.values()) > LEAST_BYTES


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("gone.jpg", None, "no such file"),
        ("empty.jpg", b"", "empty, 0 bytes"),
        ("torn.jpg", HAND.read_bytes()[:3000], "truncated or damaged"),
        ("text.jpg", b"no picture at all", "no known kind of image"),
        ("line\nbreak.jpg", b"", "line\\nbreak.jpg cannot be read"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    made = made_of(tmp_path / name)

    assert problem in made.pop("problem")
    assert not made


def test_a_long_problem_is_cut_where_the_path_is(tmp_path: Path) -> None:
    problem = made_of(tmp_path / ("a" * 100) / ("b" * 100) / "gone.jpg")["problem"]

    assert len(problem) == LONGEST + 1
    assert problem.startswith("…")
