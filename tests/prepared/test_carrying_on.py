"""Carrying on where a run ended, whatever ended it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import PIL.Image
import pytest

from handprep import prepare
from handprep.errors import OutputError
from handprep.pipeline import Pipeline
from handprep.prepared.record import Record
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.permissions import as_nobody, folder_for_all
from tests.prepared.counting import count, counted
from tests.prepared.folders import (
    CROP,
    HANDS,
    RESIZE,
    copied,
    identities,
    leftovers,
    manifest,
    outputs,
    picture,
)
from tests.rendered import photos


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return copied(tmp_path / "photos")


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


class TestCarryingOn:
    def test_what_a_process_that_died_meanwhile_left_half_written_is_removed(
        self, src: Path, dst: Path
    ) -> None:
        half = dst / "cgi" / ".handprep-1-0.tmp"

        def die(done: int, total: int) -> None:
            half.parent.mkdir(exist_ok=True)
            half.write_bytes(b"half")

        prepare(src, dst, RESIZE, progress=die)

        assert leftovers(dst) == []

    def test_what_is_finished_is_left_as_it_is(self, src: Path, dst: Path) -> None:
        first = prepare(src, dst, CROP)
        before, told = identities(dst), (dst / "manifest.csv").read_bytes()

        second = prepare(src, dst, CROP)

        assert second.resumed == len(HANDS)
        assert second.rows == first.rows
        assert identities(dst) == before
        assert (dst / "manifest.csv").read_bytes() == told

    def test_an_interrupted_run_leaves_a_manifest_of_what_is_done_and_is_carried_on(
        self, dst: Path, tmp_path: Path
    ) -> None:
        src = copied(tmp_path / "photos", photos())

        def interrupt(done: int, total: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as caught:
            prepare(src, dst, CROP, workers=1, progress=interrupt)
        before = identities(dst)
        assert 3 <= len(before) < 36
        assert {row["output"] for row in manifest(dst)} == set(before)
        assert caught.value.__notes__ == [f"{len(before)} of 36 photos are done. Run it again to resume."]

        result = prepare(src, dst, CROP)

        assert result.resumed == len(before)
        assert identities(dst).items() >= before.items()
        prepare(src, tmp_path / "at-once", CROP)
        assert outputs(dst) == outputs(tmp_path / "at-once")

    def test_a_bug_ends_the_run_but_what_is_done_stays(self, src: Path, dst: Path) -> None:
        with pytest.raises(ZeroDivisionError):
            prepare(src, dst, Pipeline([ResizePad(16), Buggy()]), workers=1)
        assert 0 < len(manifest(dst)) < len(HANDS)
        assert {row["output"] for row in manifest(dst)} == set(outputs(dst))

    def test_changed_photos_alone_are_prepared_again(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        before = identities(dst)
        first, second, third = sorted(src.rglob("*.jpg"))[:3]
        picture(first, (9, 99, 199))
        os.utime(second, (1, 1))
        shutil.copy(third, third.with_name("copy"))
        third.with_name("copy").replace(third)

        result = prepare(src, dst, RESIZE)

        changed = {name for name, identity in identities(dst).items() if identity != before[name]}
        assert changed == {str(first.relative_to(src).with_suffix(".png"))}
        assert result.resumed == len(HANDS) - 1

    def test_damaged_and_missing_outputs_alone_are_made_again(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        good, (first, second, *_) = outputs(dst), sorted(outputs(dst))
        (dst / first).unlink()
        (dst / second).write_bytes(bytes(len(good[second])))

        assert prepare(src, dst, RESIZE).resumed == len(HANDS) - 2
        assert outputs(dst) == good

    def test_other_parameters_prepare_everything_again(self, src: Path, dst: Path, tmp_path: Path) -> None:
        prepare(src, dst, RESIZE)
        grey = Pipeline([ResizePad(16), Greyscale()])

        assert prepare(src, dst, grey).resumed == 0
        prepare(src, tmp_path / "at-once", grey)
        assert outputs(dst) == outputs(tmp_path / "at-once")

    def test_a_new_photo_of_the_same_stem_renames_the_old_output(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/a.jpg")
        prepare(tmp_path / "photos", dst, RESIZE)
        picture(tmp_path / "photos/a.png")
        prepare(tmp_path / "photos", dst, RESIZE)

        assert set(outputs(dst)) == {"a.jpg.png", "a.png.png"}

    def test_outputs_of_photos_that_are_gone_stay_but_leave_the_manifest(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        gone = sorted(src.rglob("*.jpg"))[0]
        output = str(gone.relative_to(src).with_suffix(".png"))
        kept = gone.rename(src.parent / "kept.jpg")

        result = prepare(src, dst, RESIZE)
        assert result.vanished == (output,)
        assert (dst / output).exists()
        assert output not in {row["output"] for row in manifest(dst)}

        kept.rename(gone)
        result = prepare(src, dst, RESIZE)
        assert result.vanished == ()
        assert result.resumed == len(HANDS)

    def test_files_of_others_in_the_folder_of_outputs_are_left(self, src: Path, dst: Path) -> None:
        dst.mkdir()
        (dst / "notes.txt").write_text("mine")
        picture(dst / "far/mine.png")
        prepare(src, dst, RESIZE)
        prepare(src, dst, RESIZE, format="webp")

        assert {Path(name).suffix for name in outputs(dst) if name != "far/mine.png"} == {".webp"}
        assert (dst / "notes.txt").read_text() == "mine"
        assert (dst / "far/mine.png").exists()

    def test_an_old_output_that_somebody_replaced_is_left(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/a.png")
        prepare(tmp_path / "photos", dst, RESIZE)
        (dst / "a.png").write_bytes(b"mine now")
        prepare(tmp_path / "photos", dst, RESIZE, format="webp")

        assert (dst / "a.png").read_bytes() == b"mine now"

    def test_an_image_that_somebody_copied_or_moved_is_left(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/a.png")
        prepare(tmp_path / "photos", dst, RESIZE)
        (dst / "best").mkdir()
        for name in ("best/a.png", "a copy.png"):
            shutil.copy2(dst / "a.png", dst / name)
        before = outputs(dst)
        (tmp_path / "photos/a.png").write_bytes(b"damaged now")

        result = prepare(tmp_path / "photos", dst, RESIZE)

        assert result.vanished == ()
        assert outputs(dst).keys() == before.keys() - {"a.png"}

    @pytest.mark.parametrize("name", ["../victim.png", "/etc/passwd", "rock/../../victim.png", "a\0.png"])
    def test_a_record_tampered_with_removes_nothing_but_its_own_file(
        self, name: str, tmp_path: Path, dst: Path
    ) -> None:
        picture(tmp_path / "photos/a.png")
        prepare(tmp_path / "photos", dst, RESIZE)
        record = Record.read((dst / "a.png").read_bytes())
        victim = picture(tmp_path / "victim.png")
        tampered = replace(record, origin=replace(record.origin, output=name, source=name))
        plain = PIL.Image.new("RGB", (16, 16))
        plain.save(dst / "plain.png")
        (dst / "b.png").write_bytes(tampered.sealed_into((dst / "plain.png").read_bytes()))

        prepare(tmp_path / "photos", dst, RESIZE)

        assert victim.exists()
        assert set(outputs(dst)) == {"a.png", "b.png", "plain.png"}

    def test_what_interrupted_writes_left_behind_is_removed(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        torn = [
            dst / "far/rock/.handprep-1-a.tmp",
            dst / ".handprep-1-b.tmp",
        ]
        for path in torn:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"torn")

        prepare(src, dst, RESIZE)

        assert not leftovers(dst)

    def test_a_lost_or_damaged_index_costs_time_alone(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        before = identities(dst)
        for content in (None, b"", b"damaged", b"{}\n" * 9, b"\xff\x00"):
            if content is None:
                (dst / ".handprep.jsonl").unlink()
            else:
                (dst / ".handprep.jsonl").write_bytes(content)
            assert prepare(src, dst, RESIZE).resumed == len(HANDS)
        assert identities(dst) == before

    def test_skipped_photos_are_not_searched_again(self, tmp_path: Path, dst: Path) -> None:
        src = picture(tmp_path / "photos/wall.png").parent
        cropper = HandCropper(search=False, on_missing="skip")
        pipeline = counted(tmp_path, Pipeline([cropper, *RESIZE.transforms]))
        first = prepare(src, dst, pipeline)
        for _ in range(2):
            assert prepare(src, dst, pipeline).rows == first.rows
        assert count(tmp_path) == 1
        picture(src / "wall.png", (1, 2, 3))
        prepare(src, dst, pipeline)
        assert count(tmp_path) == 2

    def test_merged_and_pruned_folders_are_carried_on(self, src: Path, dst: Path, tmp_path: Path) -> None:
        for origin in ("near", "far"):
            prepare(src / origin, tmp_path / origin, RESIZE)
            shutil.copytree(tmp_path / origin, dst, dirs_exist_ok=True)
        merged = tmp_path / "merged"
        for path in src.glob("*/*/*.jpg"):
            (merged / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, merged / path.parent.name)
        sorted(merged.rglob("*.jpg"))[0].unlink()

        result = prepare(merged, dst, RESIZE)

        assert result.resumed == len(HANDS) - 1
        assert len(result.vanished) == 1


SEEN = threading.local()


@dataclass(frozen=True, slots=True)
class Buggy(Transform):
    """Has a bug that shows at the fifth picture of a thread."""

    def apply(self, sample: Sample) -> Sample:
        SEEN.count = getattr(SEEN, "count", 0) + 1
        return sample if SEEN.count < 5 else 1 // 0  # type: ignore[return-value]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 200 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a disk of its own cannot be mounted here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class TestTheDiskOfTheOutputs:
    def test_a_full_one_ends_the_run_and_with_more_room_it_is_carried_on(
        self, src: Path, small_disk: Path, tmp_path: Path
    ) -> None:
        large = Pipeline([ResizePad(300)])
        with pytest.raises(OutputError, match=r"the disk is full\. Make room") as caught:
            prepare(src, small_disk / "prepared", large, workers=1)
        before = identities(small_disk / "prepared")
        assert 0 < len(before) < len(HANDS)
        assert not leftovers(small_disk)
        assert f"{len(before)} of 9 photos are done" in caught.value.__notes__[0]

        subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
        result = prepare(src, small_disk / "prepared", large)

        assert result.resumed == len(before)
        assert not result.failed
        assert identities(small_disk / "prepared").items() >= before.items()
        prepare(src, tmp_path / "at-once", large)
        assert outputs(small_disk / "prepared") == outputs(tmp_path / "at-once")

    def test_a_read_only_one_is_one_error(self, src: Path, small_disk: Path) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        with pytest.raises(OutputError, match="prepared cannot be written: that disk is read-only"):
            prepare(src, small_disk / "prepared", RESIZE)

    def test_one_without_permission_is_one_error(self) -> None:
        with folder_for_all() as folder:
            picture(folder / "photos/a.png")
            with as_nobody(), pytest.raises(OutputError, match="prepared cannot be written: no permission"):
                prepare(folder / "photos", folder / "prepared", RESIZE)
