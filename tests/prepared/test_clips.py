"""Clips in a folder of photos: a folder of frames each, followed, chosen and carried on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from handprep import HandCropper, Pipeline, ResizePad, prepare, read
from handprep.errors import InputError
from handprep.prepared.clips import difference
from handprep.sample import Sample
from tests import clips
from tests.prepared.counting import count, counted
from tests.prepared.folders import HANDS, RESIZE, identities, manifest, outputs, picture

CROP = Pipeline([HandCropper(search=False), ResizePad(48)])


def moving_hand(count: int) -> list[NDArray[np.uint8]]:
    """Return frames in which a rendered hand moves to the right."""
    with PIL.Image.open(HANDS[0].path) as photo:
        hand = np.asarray(photo.convert("RGB").resize((320, 240)))
    edges = ((0, 0), (0, 4 * count), (0, 0))
    wide = np.pad(hand, edges, mode="edge")
    return [np.ascontiguousarray(wide[:, 4 * n : 4 * n + 320]) for n in range(count)]


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """Two photos, and in the same class a clip of twelve frames."""
    src = tmp_path / "photos"
    (src / "rock").mkdir(parents=True)
    for hand in HANDS[:2]:
        shutil.copy(hand.path, src / "rock")
    clips.write(src / "rock/clip.avi", moving_hand(12))
    return src


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


def frames_of(dst: Path, clip: str = "rock/clip.avi") -> list[str]:
    return sorted(path.name for path in (dst / clip).glob("*.png"))


class TestFrames:
    def test_a_clip_becomes_a_folder_of_its_frames_with_a_row_each(self, src: Path, dst: Path) -> None:
        result = prepare(src, dst, CROP)

        assert frames_of(dst) == [f"{number:06d}.png" for number in range(12)]
        rows = [row for row in manifest(dst) if row["clip"]]
        assert [int(row["frame"]) for row in rows] == list(range(12))
        assert [float(row["time"]) for row in rows] == [round(n / clips.FPS, 3) for n in range(12)]
        assert {row["clip"] for row in rows} == {"rock/clip.avi"}
        assert {row["class"] for row in rows} == {"rock"}
        assert [row["source"] for row in rows] == [f"rock/clip.avi#{n:06d}" for n in range(12)]
        assert len({row["track"] for row in rows}) == 1
        assert result.counts["done"] == 2 + 12
        left = [float(row["x0"]) for row in rows]
        assert all(np.diff(left) < 0)  # what is shown moves to the left, by 4 pixels a frame
        assert left[0] - left[-1] == pytest.approx(44, abs=5)  # landmarks of a moving hand wander a little

    def test_a_frame_comes_back_with_its_hand_and_time(self, src: Path, dst: Path) -> None:
        prepare(src, dst, CROP)
        sample = read(dst / "rock/clip.avi/000005.png")
        assert sample.source == "rock/clip.avi#000005"
        assert sample.time == pytest.approx(0.2)
        assert sample.hand is not None
        assert sample.hand.track is not None

    def test_some_frames_are_chosen(self, src: Path, dst: Path) -> None:
        prepare(src, dst, CROP, every=5)
        assert frames_of(dst) == ["000000.png", "000005.png", "000010.png"]
        prepare(src, dst, CROP, fps=12.5)  # of 25; those of before go
        assert frames_of(dst) == [f"{number:06d}.png" for number in range(0, 12, 2)]

    def test_frames_that_hardly_differ_are_left_out(self, tmp_path: Path, dst: Path) -> None:
        (tmp_path / "photos").mkdir()
        levels = [0, 2, 4, 40, 42, 90, 92, 40]
        pictures = [np.full((32, 32, 3), level, np.uint8) for level in levels]
        clips.write(tmp_path / "photos/steps.avi", pictures)
        prepare(tmp_path / "photos", dst, RESIZE, different=0.1)
        assert frames_of(dst, "steps.avi") == ["000000.png", "000003.png", "000005.png", "000007.png"]
        again = prepare(tmp_path / "photos", dst, RESIZE, different=0.1)
        assert again.resumed == 1

    def test_the_measure_of_difference(self) -> None:
        black, white = (Sample(image=np.full((60, 40), level, np.uint8)) for level in (0, 255))
        assert difference(black, black) == 0
        assert difference(black, white) == 1
        half = np.zeros((60, 40), np.uint8)
        half[:30] = 255
        assert difference(black, Sample(image=half)) == pytest.approx(0.5, abs=0.01)

    @pytest.mark.parametrize("wrong", [{"every": 0}, {"fps": -1}, {"different": 2}])
    def test_wrong_choices_are_refused(self, wrong: dict[str, float], src: Path, dst: Path) -> None:
        with pytest.raises(InputError):
            prepare(src, dst, CROP, **wrong)  # type: ignore[arg-type]
        assert not dst.exists()

    def test_without_a_hand_a_skipping_pipeline_leaves_frames_out(self, tmp_path: Path, dst: Path) -> None:
        (tmp_path / "photos").mkdir()
        clips.write(tmp_path / "photos/walls.avi", clips.counted(5))
        cropper = HandCropper(search=False, on_missing="skip")
        pipeline = counted(tmp_path, Pipeline([cropper, ResizePad(32)]))
        for _ in range(2):
            (row,) = prepare(tmp_path / "photos", dst, pipeline).rows
            assert (row.source, row.status) == ("walls.avi", "skipped")
            assert "no hand found in" in row.message
        assert count(tmp_path) == 5  # not once more


class TestCarryingOn:
    def test_a_finished_clip_is_left_as_it_is(self, src: Path, dst: Path) -> None:
        first = prepare(src, dst, CROP)
        before = identities(dst)
        second = prepare(src, dst, CROP)
        assert second.resumed == 3
        assert second.rows == first.rows
        assert identities(dst) == before

    def test_a_clip_of_which_a_frame_is_lost_or_damaged_is_prepared_again(self, src: Path, dst: Path) -> None:
        prepare(src, dst, CROP)
        good = outputs(dst)
        for harm in (Path.unlink, lambda path: path.write_bytes(b"damaged")):
            for frame in ("000003.png", "000011.png"):
                harm(dst / "rock/clip.avi" / frame)
                assert prepare(src, dst, CROP).resumed == 2
                assert outputs(dst) == good

    def test_a_changed_clip_is_prepared_again_and_one_that_is_gone_stays(self, src: Path, dst: Path) -> None:
        prepare(src, dst, CROP)
        clips.write(src / "rock/clip.avi", moving_hand(4))
        assert prepare(src, dst, CROP).resumed == 2
        assert len(frames_of(dst)) == 4
        (src / "rock/clip.avi").unlink()
        result = prepare(src, dst, CROP)
        assert result.vanished == tuple(f"rock/clip.avi/{n:06d}.png" for n in range(4))

    def test_an_interrupted_run_does_not_wait_for_the_end_of_a_clip(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/a.png")
        clips.write(tmp_path / "photos/b.avi", clips.counted(200, 16, 16))
        slow = counted(tmp_path, RESIZE, seconds=0.02)

        def interrupt() -> None:
            while count(tmp_path) < 10:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt) as caught:
            threading.Thread(target=interrupt).start()
            prepare(tmp_path / "photos", dst, slow, workers=2)
        assert count(tmp_path) < 150
        assert "1 of 2 photos are done" in caught.value.__notes__[0]
        assert prepare(tmp_path / "photos", dst, RESIZE).counts["done"] == 1 + 200

    def test_workers_change_nothing(self, src: Path, tmp_path: Path) -> None:
        clips.write(src / "rock/other.avi", moving_hand(6)[::-1])
        prepare(src, tmp_path / "one", CROP, workers=1)
        prepare(src, tmp_path / "four", CROP, workers=4)
        assert outputs(tmp_path / "one") == outputs(tmp_path / "four")


class TestBadClips:
    @pytest.mark.parametrize(
        ("content", "reason"), [(b"", "empty, 0 bytes"), (b"no clip at all", "no known kind of clip")]
    )
    def test_each_has_a_row_and_the_rest_goes_on(
        self, content: bytes, reason: str, src: Path, dst: Path
    ) -> None:
        (src / "rock/bad.mp4").write_bytes(content)
        result = prepare(src, dst, CROP)
        (failed,) = result.failed
        assert (failed.source, failed.output, failed.clip) == ("rock/bad.mp4", "", "rock/bad.mp4")
        assert reason in failed.message
        assert result.counts["done"] == 14

    def test_a_clip_that_is_cut_short_keeps_its_good_frames_and_is_tried_again(
        self, src: Path, dst: Path
    ) -> None:
        clip = src / "rock/clip.avi"
        whole = clip.read_bytes()
        clip.write_bytes(whole[: len(whole) // 2])
        for _ in range(2):
            result = prepare(src, dst, CROP)
            (failed,) = result.failed
            assert failed.source == "rock/clip.avi"
            frames = frames_of(dst)
            whole_ones = int(re.search(r"(\d+) frames of it are whole", failed.message).group(1))  # type: ignore[union-attr]
            assert 2 <= len(frames) == whole_ones < 12
            written = [row.output for row in result.rows if row.frame is not None]
            assert written == [f"rock/clip.avi/{frame}" for frame in frames]
        clip.write_bytes(whole)
        assert not prepare(src, dst, CROP).failed
        assert len(frames_of(dst)) == 12

    def test_photos_and_clips_of_one_name_do_not_meet(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/a.png")
        clips.write(tmp_path / "photos/a.avi", clips.counted(2))
        prepare(tmp_path / "photos", dst, RESIZE)
        assert set(outputs(dst)) == {"a.png", "a.avi/000000.png", "a.avi/000001.png"}


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tiff"])
def test_animations_are_clips_on_request(ending: str, tmp_path: Path, dst: Path) -> None:
    (tmp_path / "photos").mkdir()
    stills = [PIL.Image.new("RGB", (20, 20), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    stills[0].save(
        tmp_path / f"photos/moving.{ending}", save_all=True, append_images=stills[1:], duration=100
    )
    stills[0].save(tmp_path / f"photos/still.{ending}")

    for animations in (False, True, False, True):  # what one run made is not in the way of the next
        assert not prepare(tmp_path / "photos", dst, RESIZE, animations=animations, format="webp").failed

    folder = f"moving.{ending}" + ".frames" * (ending in ("png", "webp"))
    moving = [f"{folder}/{n:06d}.webp" for n in range(3)]
    assert set(outputs(dst)) == {*moving, "still.webp"}
    colours = [int(cv2.imread(str(dst / name))[8, 8].argmax()) for name in moving]
    assert colours == [2, 1, 0]  # of blue, green, red
