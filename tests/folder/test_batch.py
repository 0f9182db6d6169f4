"""Carrying on where a run ended, whatever ended it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from handprep.errors import OutputError
from handprep.folder import prepare
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.folder.folders import (
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
from tests.permissions import as_nobody, folder_for_all


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return copied(tmp_path / "photos")


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


class TestCarryingOn:
    def test_what_is_finished_is_left_as_it_is(self, src: Path, dst: Path) -> None:
        first = prepare(src, dst, CROP)
        before, told = identities(dst), (dst / "manifest.csv").read_bytes()

        second = prepare(src, dst, CROP)

        assert second.resumed == len(HANDS)
        assert second.rows == first.rows
        assert identities(dst) == before
        assert (dst / "manifest.csv").read_bytes() == told

    def test_an_interrupted_run_leaves_a_manifest_of_what_is_done_and_is_carried_on(
        self, src: Path, dst: Path, tmp_path: Path
    ) -> None:
        def interrupt(done: int, total: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as caught:
            prepare(src, dst, CROP, workers=1, progress=interrupt)
        before = identities(dst)
        assert 3 <= len(before) < len(HANDS)
        assert {row["output"] for row in manifest(dst)} == set(before)
        assert caught.value.__notes__ == [
            f"{len(before)} of 9 photos are done. The same call carries on with the others."
        ]

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

    def test_another_format_takes_the_place_of_the_first(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        assert prepare(src, dst, RESIZE, format="webp").resumed == 0
        assert {Path(name).suffix for name in outputs(dst)} == {".webp"}

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

        assert (dst / "notes.txt").read_text() == "mine"
        assert (dst / "far/mine.png").exists()

    def test_an_old_output_that_somebody_replaced_is_left(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/a.png")
        prepare(tmp_path / "photos", dst, RESIZE)
        (dst / "a.png").write_bytes(b"mine now")
        prepare(tmp_path / "photos", dst, RESIZE, format="webp")

        assert (dst / "a.png").read_bytes() == b"mine now"

    def test_a_journal_tampered_with_removes_nothing_outside(self, tmp_path: Path, dst: Path) -> None:
        picture(tmp_path / "photos/a.png")
        victim = tmp_path / "victim.png"
        prepare(tmp_path / "photos", dst, RESIZE)
        shutil.copy2(dst / "a.png", victim)
        journal = dst / ".handprep.jsonl"
        journal.write_text(journal.read_text().replace('"a.png", "box"', '"../victim.png", "box"'))
        assert "../victim.png" in journal.read_text()

        prepare(tmp_path / "photos", dst, RESIZE)

        assert victim.exists()

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

    def test_a_moved_folder_of_outputs_is_carried_on(self, src: Path, dst: Path, tmp_path: Path) -> None:
        prepare(src, dst, RESIZE)
        shutil.copytree(dst, tmp_path / "copy")  # other times and inodes, so that contents decide

        assert prepare(src, tmp_path / "copy", RESIZE).resumed == len(HANDS)

    def test_a_lost_journal_means_that_all_is_prepared_again(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        good = outputs(dst)
        (dst / ".handprep.jsonl").unlink()

        assert prepare(src, dst, RESIZE).resumed == 0
        assert outputs(dst) == good


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
