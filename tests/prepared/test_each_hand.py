"""An image, and a row, for each hand of a photo."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import handprep
from handprep import BackgroundRemover, HandCropper, Pipeline, ResizePad
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


@pytest.mark.parametrize("pipeline", [Pipeline([ResizePad(64)]), Pipeline([HandCropper(hand="all")])])
def test_a_pipeline_that_crops_to_no_single_hand_is_refused(pipeline: Pipeline, src: Path, dst: Path) -> None:
    with pytest.raises(InputError, match="an image for each hand"):
        handprep.prepare(src, dst, pipeline, each_hand=True)
    assert not dst.exists()


def test_each_hand_is_exported_once_and_its_photo_once(src: Path, dst: Path, tmp_path: Path) -> None:
    pipeline = Pipeline([HandCropper(max_hands=4, search=False), BackgroundRemover(), ResizePad(64)])
    handprep.prepare(src, dst, pipeline, each_hand=True)
    for to in ("l.csv", "c.json", "yolo/", "masks/"):
        handprep.export(dst, f"{tmp_path}/out/{to}" if to.endswith("/") else tmp_path / to)

    with (tmp_path / "l.csv").open(encoding="utf-8") as file:
        rows = [(row["source"], row["hand"]) for row in csv.DictReader(file)]
    assert rows == [("rock/one.png", "1"), ("rock/two.png", "1"), ("rock/two.png", "2")]
    coco = json.loads((tmp_path / "c.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == [
        "rock/one.png",
        "rock/two.png",
        "rock/wall.png",
    ]
    assert [annotation["image_id"] for annotation in coco["annotations"]] == [1, 2, 2]
    assert len((tmp_path / "out/yolo/labels/rock/two.txt").read_text().splitlines()) == 2
    mask = np.asarray(PIL.Image.open(tmp_path / "out/masks/rock/two.png")) > 127
    assert min(half.sum() for half in np.array_split(mask, 2, axis=1)) > 1000  # both hands


def test_a_hand_outside_of_the_prepared_image_has_no_label_there(
    src: Path, dst: Path, tmp_path: Path
) -> None:
    handprep.prepare(src, dst, EACH)  # one image a photo, whose record knows both hands
    handprep.export(dst, tmp_path / "c.json", space="prepared")
    coco = json.loads((tmp_path / "c.json").read_text())
    assert len(coco["annotations"]) == 2
    handprep.export(dst, tmp_path / "photo.json")
    assert len(json.loads((tmp_path / "photo.json").read_text())["annotations"]) == 3


def test_a_photo_without_the_wanted_side_has_no_hand(tmp_path: Path, dst: Path) -> None:
    right = next(hand for hand in HANDS if hand.handedness == "Right" and hand.label == "paper")
    (tmp_path / "photos/paper").mkdir(parents=True)
    shutil.copy(right.path, tmp_path / "photos/paper/a.jpg")
    for each in (False, True):
        result = handprep.prepare(
            tmp_path / "photos", dst, Pipeline([HandCropper(hand="left"), ResizePad(64)]), each_hand=each
        )
        assert result.counts["no-hand"] == 1
        assert manifest(dst)[0]["handedness"] == ""
