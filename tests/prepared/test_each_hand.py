"""An image, and a row, for each hand of a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import handprep
from handprep import HandCropper, Pipeline, ResizePad
from handprep.cli import main
from handprep.errors import InputError
from tests.prepared.folders import HANDS, identities, manifest, outputs, picture

EACH = Pipeline([HandCropper(max_hands=4, search=False), ResizePad(64)])


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """A photo with two hands side by side, one with a hand, and one without."""
    (tmp_path / "photos/rock").mkdir(parents=True)
    pair = [PIL.Image.open(hand.path) for hand in (HANDS[0], HANDS[2])]
    both = PIL.Image.new("RGB", (pair[0].width * 2, pair[0].height))
    both.paste(pair[0], (0, 0))
    both.paste(pair[1], (pair[0].width, 0))
    both.save(tmp_path / "photos/rock/two.png")
    pair[0].save(tmp_path / "photos/rock/one.png")
    picture(tmp_path / "photos/rock/wall.png")
    return tmp_path / "photos"


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


def test_each_hand_has_an_image_and_a_row(src: Path, dst: Path) -> None:
    result = handprep.prepare(src, dst, EACH, each_hand=True)

    assert set(outputs(dst)) == {"rock/one-1.png", "rock/two-1.png", "rock/two-2.png", "rock/wall-0.png"}
    told = [(row["output"], row["status"], row["hand"]) for row in manifest(dst)]
    assert told == [
        ("rock/one-1.png", "done", "1"),
        ("rock/two-1.png", "done", "1"),
        ("rock/two-2.png", "done", "2"),
        ("rock/wall-0.png", "no-hand", ""),
    ]
    for number, sample in enumerate(EACH.each(src / "rock/two.png"), start=1):
        read = handprep.read(dst / f"rock/two-{number}.png")
        np.testing.assert_array_equal(read.image, sample.image)
        np.testing.assert_array_equal(read.hand.landmarks, sample.hand.landmarks)
    assert sum(map(sum, result.detection.photos)) == 3  # photos, not hands
    assert result.counts == {"done": 2, "no-hand": 1, "skipped": 0, "failed": 0}


def test_the_command_tells_photos_and_images(
    src: Path, dst: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (src / "rock/wall.png").unlink()
    assert main(["run", str(src), str(dst), "--each-hand", "--no-search", "--size", "64"]) == 0
    assert "photos: 2 (2 done, " in (told := capsys.readouterr().out)
    assert "\nimages, one for each hand: 3\n" in told
    assert len(outputs(dst)) == 3


def test_it_is_carried_on_and_a_lost_hand_is_made_again(src: Path, dst: Path) -> None:
    first = handprep.prepare(src, dst, EACH, each_hand=True)
    before = identities(dst)
    again = handprep.prepare(src, dst, EACH, each_hand=True)
    assert (again.rows, again.resumed) == (first.rows, 3)
    assert identities(dst) == before

    (dst / "rock/two-2.png").unlink()
    assert handprep.prepare(src, dst, EACH, each_hand=True).resumed == 2
    assert set(identities(dst)) == set(before)


def test_the_other_way_takes_the_place_of_the_first(src: Path, dst: Path) -> None:
    handprep.prepare(src, dst, EACH, each_hand=True)
    handprep.prepare(src, dst, EACH)
    assert set(outputs(dst)) == {"rock/one.png", "rock/two.png", "rock/wall.png"}


def test_photos_that_are_skipped_have_one_row(src: Path, dst: Path) -> None:
    skipping = Pipeline([HandCropper(max_hands=4, search=False, on_missing="skip"), ResizePad(64)])
    for resumed in (0, 3):
        result = handprep.prepare(src, dst, skipping, each_hand=True)
        assert [row.status for row in result.rows] == ["done", "done", "done", "skipped"]
        assert result.resumed == resumed


def test_a_pipeline_without_a_cropper_is_refused(src: Path, dst: Path) -> None:
    with pytest.raises(InputError, match=r"Pipeline\.each needs a HandCropper"):
        handprep.prepare(src, dst, Pipeline([ResizePad(64)]), each_hand=True)
    assert not dst.exists()
