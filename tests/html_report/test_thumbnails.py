"""Thumbnails: what they show, and how many bytes they take."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from handprep.html_report.thumbnails import Thumbnail, thumbnail
from tests.html_report.pages import noise
from tests.rendered import photos

HAND = photos()[0].path  # 480 x 360


def opened(made: Thumbnail) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(made.data, validate=True)))


def test_a_photo_becomes_the_same_picture_small() -> None:
    made = thumbnail(HAND, each=3000)

    with opened(made) as small, PIL.Image.open(HAND) as photo:
        assert (small.format, small.mode, max(small.size)) == ("WEBP", "RGB", 224)
        difference = np.asarray(small, np.float64) - np.asarray(photo.resize(small.size), np.float64)
    assert np.abs(difference).mean() < 6  # of 255: what WebP at that quality leaves of it


@pytest.mark.parametrize("each", [300, 700, 1300, 2000, 5000, 40_000])
@pytest.mark.parametrize("busy", [False, True])
def test_it_takes_no_more_than_its_share(tmp_path: Path, each: int, busy: bool) -> None:
    made = thumbnail(noise(tmp_path / "noise.png") if busy else HAND, each=each)

    assert len(made.data or made.problem) <= each - 10
    assert made.data or busy


def test_noise_that_no_size_makes_fit_is_told(tmp_path: Path) -> None:
    made = thumbnail(noise(tmp_path / "noise.png", size=48), each=300)

    assert made == Thumbnail(problem="too full of detail for a thumbnail within this page's size")


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

    made = thumbnail(tmp_path / name, each=5000)

    assert not made.data
    assert problem in made.problem


def test_a_long_problem_is_cut_where_the_path_is(tmp_path: Path) -> None:
    made = thumbnail(tmp_path / ("a" * 100) / ("b" * 100) / "gone.jpg", each=600)

    assert len(made.problem) == 101
    assert made.problem.startswith("…")
