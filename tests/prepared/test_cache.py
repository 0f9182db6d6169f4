"""Each photo goes through its pipeline once: in any thread, process and program, until something changes."""

from __future__ import annotations

import base64
import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from filelock import FileLock

from handprep import models
from handprep.errors import (
    HandNotFoundError,
    ImageError,
    InputError,
    ModelError,
    OutputError,
    SampleSkipped,
)
from handprep.images.arrays import channels_of
from handprep.pipeline import Pipeline
from handprep.prepared import PreparedCache, cache, cache_folder
from handprep.prepared.record import Record
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.resize import ResizePad
from tests.permissions import as_nobody, folder_for_all
from tests.prepared.counting import CROP, HANDS, RESIZE, Needy, copied, count, counted, settled


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def photos(root: Path) -> list[str]:
    return copied(root)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def pngs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/*.png"))


def assert_is(prepared: Sample, sample: Sample) -> None:
    np.testing.assert_array_equal(prepared.image, sample.image)
    assert (prepared.hands is None) == (sample.hands is None)
    for hand, expected in zip(prepared.hands or (), sample.hands or (), strict=True):
        assert hand.box == expected.box
        assert hand.score == expected.score
        np.testing.assert_array_equal(hand.landmarks, expected.landmarks)


def impostors(record: Record) -> Iterator[bytes]:
    """Return files that are sealed, and of which each is wrong in another way."""
    hand = record.plain["hands"][0]
    nan = {"shape": [21, 2], "float32": base64.b64encode(np.full(42, np.nan, "<f4").tobytes()).decode()}
    huge = {"shape": [2**40, 2], "float32": hand["landmarks"]["float32"]}
    plains = [
        *({"hands": [{**hand, "landmarks": landmarks}]} for landmarks in (nan, huge, [1, 2], "x")),
        *({"hands": [{**hand, **wrong}]} for wrong in ({"score": 1e999}, {"view": 7}, {"surplus": 1})),
        *({"hands": 7}, {"to_source": [1] * 5}, {"to_source": [float("inf")] * 6}),
        {"frames": [[1, 2]]},
        {"steps": 7},
        {"transparent": True, "opaque": False},
    ]
    whole = BytesIO()
    PIL.Image.new("L", (32, 32)).save(whole, "PNG")
    for plain in plains:
        yield replace(record, plain={**record.plain, **plain}).sealed_into(whole.getvalue())
    for image in (PIL.Image.new("P", (32, 32)), PIL.Image.new("I;16", (32, 32))):
        other = BytesIO()
        image.save(other, "PNG")
        yield record.sealed_into(other.getvalue())
    yield record.sealed_into(bomb())
    for length in (5, 20, 40):
        yield replace(record, alpha=whole.getvalue()[:length]).sealed_into(whole.getvalue())


def bomb() -> bytes:
    """Return the head of a PNG of 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    rest = b"\0\0\0\0IEND\xaeB`\x82"
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + rest


def picture(path: Path, colour: tuple[int, int, int] = (200, 150, 100), format: str | None = None) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (40, 30), colour).save(path, format)
    return str(path)


def colour_of(prepared: Sample) -> tuple[int, ...]:
    return tuple(prepared.image[8, 8].tolist())


def empty_unseen(photos: list[str]) -> None:
    """Take away what photos show, so that neither their sizes nor their times tell."""
    for photo in map(Path, photos):
        before = photo.stat()
        with photo.open("r+b") as file:
            file.write(bytes(before.st_size))
        os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))


class TestOnce:
    def test_a_photo_gives_what_the_pipeline_makes_of_it_the_first_time_and_ever_after(
        self, photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        pipeline = counted(tmp_path, CROP)
        expected = {photo: CROP.run(photo) for photo in photos}
        cache = PreparedCache(pipeline, root, folder)
        for _ in range(2):
            for photo in photos:
                prepared = cache.get(photo)
                assert prepared.hands
                assert_is(prepared, expected[photo])
        again = PreparedCache(pipeline, root, folder)  # as another program would
        for photo in photos:
            assert_is(again.get(photo), expected[photo])
        assert count(tmp_path) == len(photos)

    def test_a_known_photo_is_not_even_read(self, photos: list[str], root: Path, folder: Path) -> None:
        PreparedCache(RESIZE, root, folder).prepare(photos)
        empty_unseen(photos)

        cache = pickle.loads(pickle.dumps(PreparedCache(RESIZE, root, folder)))
        for photo, hand in zip(photos, sorted(HANDS, key=lambda hand: str(hand.path)), strict=True):
            assert_is(cache.get(photo), RESIZE.run(hand.path))

    def test_the_same_content_elsewhere_is_not_prepared_again(
        self, photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        pipeline = counted(tmp_path)
        PreparedCache(pipeline, root, folder).prepare(photos)
        moved = shutil.copytree(root, tmp_path / "moved")

        others = [str(moved / Path(photo).relative_to(root)) for photo in photos]
        result = PreparedCache(pipeline, moved, folder).prepare(others)

        assert (len(result.rows), result.resumed) == (len(photos), len(photos))
        assert count(tmp_path) == len(photos)

    def test_the_cache_describes_itself(self, photos: list[str], root: Path, folder: Path) -> None:
        PreparedCache(CROP, root, folder).get(photos[0])

        (described,) = folder.glob("*/pipeline.json")
        assert Pipeline.from_json(described.read_text()) == CROP
        assert described.parent.name == CROP.fingerprint()[:16]
        assert (
            (described.parent / "CACHEDIR.TAG")
            .read_bytes()
            .startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
        )
        (png,) = pngs(folder)
        with PIL.Image.open(png) as readable:
            np.testing.assert_array_equal(np.asarray(readable), CROP.run(photos[0]).image)

    def test_it_lies_beside_the_models(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert cache_folder().parent == models.cache_folder().parent
        monkeypatch.setenv("HANDPREP_HOME", str(tmp_path / "home"))
        assert cache_folder() == tmp_path / "home" / "prepared"
        assert PreparedCache(RESIZE, tmp_path).folder == tmp_path / "home" / "prepared"

    def test_transparent_pictures_keep_their_alpha(self, photos: list[str], root: Path, folder: Path) -> None:
        from handprep.transforms.background import BackgroundRemover

        removing = [HandCropper(search=False), BackgroundRemover(background="transparent"), ResizePad(32)]
        cache = PreparedCache(Pipeline(removing), root, folder)
        for _ in range(2):
            assert cache.get(photos[0]).transparent
            np.testing.assert_array_equal(channels_of(cache.get(photos[0])), Pipeline(removing)(photos[0]))


class TestChanges:
    def test_another_pipeline_prepares_again_and_the_first_is_still_there(
        self, photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        first, second = counted(tmp_path, RESIZE), counted(tmp_path, Pipeline([ResizePad(8)]))
        for pipeline, side, so_far in ((first, 16, 1), (second, 8, 2), (first, 16, 2)):
            assert PreparedCache(pipeline, root, folder).get(photos[0]).size == (side, side)
            assert count(tmp_path) == so_far

    def test_a_changed_photo_is_prepared_again(self, root: Path, folder: Path) -> None:
        photo = picture(root / "rock/a.png", (255, 0, 0))
        settled(Path(photo))
        cache = PreparedCache(RESIZE, root, folder)
        assert colour_of(cache.get(photo)) == (255, 0, 0)

        picture(Path(photo), (0, 255, 0))
        assert colour_of(cache.get(photo)) == (0, 255, 0)
        settled(Path(photo), seconds=10)
        assert colour_of(PreparedCache(RESIZE, root, folder).get(photo)) == (0, 255, 0)

        Path(photo).unlink()
        with pytest.raises(ImageError, match=r"a\.png cannot be read: there is no such file"):
            cache.get(photo)

    def test_a_photo_that_keeps_changing_in_place_is_always_up_to_date(
        self, root: Path, folder: Path
    ) -> None:
        """Its size and inode stay, and its time need not move between two writes."""
        photo = picture(root / "rock/a.bmp")
        cache = PreparedCache(RESIZE, root, folder)
        for level in range(0, 250, 10):
            picture(Path(photo), (level, 0, 0))
            assert colour_of(cache.get(photo)) == (level, 0, 0)

    def test_what_is_prepared_is_what_was_read(self, root: Path, folder: Path) -> None:
        """Even where the photo becomes another while it is being prepared."""
        photo = picture(root / "rock/a.bmp", (255, 0, 0))
        settled(Path(photo))
        swap = Pipeline([Swapping(photo=photo), ResizePad(16)])
        cache = PreparedCache(swap, root, folder)
        assert colour_of(cache.get(photo)) == (255, 0, 0)
        assert colour_of(cache.get(photo)) == (0, 0, 255)

    def test_a_wrong_line_of_the_index_leads_to_the_right_picture(self, root: Path, folder: Path) -> None:
        photo = settled(Path(picture(root / "rock/a.png")))
        PreparedCache(RESIZE, root, folder).get(photo)
        (index,) = (folder / "photos").iterdir()
        digest = pngs(folder)[0].stem
        index.write_text(index.read_text().replace(digest, digest[::-1]))

        assert colour_of(PreparedCache(RESIZE, root, folder).get(photo)) == (200, 150, 100)
        assert [png.stem for png in pngs(folder)] == [digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapping(Transform):
    """Put another photo in the place of the one that is being prepared."""

    photo: str

    def apply(self, sample: Sample) -> Sample:
        picture(Path(self.photo), (0, 0, 255))
        return sample


class TestDamage:
    @pytest.mark.parametrize(
        "damage",
        [
            lambda content: b"",
            lambda content: content[: len(content) // 2],
            lambda content: bytes(len(content)),
            lambda content: content.replace(b"haND", b"haNE"),
            lambda content: content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
        ],
        ids=["empty", "truncated", "zeros", "without hands", "one bit"],
    )
    def test_a_damaged_picture_is_prepared_again(
        self, damage: Callable[[bytes], bytes], photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        cache = PreparedCache(counted(tmp_path, CROP), root, folder)
        cache.get(photos[0])
        (png,) = pngs(folder)
        content = png.read_bytes()
        png.write_bytes(damage(content))

        assert_is(cache.get(photos[0]), CROP.run(photos[0]))

        assert png.read_bytes() == content
        assert count(tmp_path) == 2

    def test_an_image_that_is_sealed_but_not_right_is_prepared_again(
        self, photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        """Whoever can write to the cache can seal anything; it is read as strictly as a photo."""
        cache = PreparedCache(counted(tmp_path, CROP), root, folder)
        right = cache.get(photos[0])
        (png,) = pngs(folder)
        record = Record.read(png.read_bytes())
        for number, content in enumerate(impostors(record), start=2):
            png.write_bytes(content)
            assert_is(cache.get(photos[0]), right)
            assert count(tmp_path) == number

    def test_a_pipe_in_the_place_of_an_image_or_of_the_index_is_not_waited_for(
        self, photos: list[str], root: Path, folder: Path
    ) -> None:
        PreparedCache(RESIZE, root, folder).get(photos[0])
        (png,) = pngs(folder)
        png.unlink()
        os.mkfifo(png)
        assert PreparedCache(RESIZE, root, folder).get(photos[0]).size == (16, 16)
        (index,) = (folder / "photos").iterdir()
        index.unlink()
        os.mkfifo(index)
        with pytest.raises(OutputError, match="is no regular file"):
            PreparedCache(RESIZE, root, folder)

    def test_a_folder_in_the_way_is_told(self, photos: list[str], root: Path, folder: Path) -> None:
        cache = PreparedCache(RESIZE, root, folder)
        cache.get(photos[0])
        (png,) = pngs(folder)
        png.unlink()
        png.mkdir()
        with pytest.raises(OutputError, match=r"png cannot be written: that is a folder"):
            cache.get(photos[0])

    def test_what_killed_writers_left_is_swept_away_once_it_is_old(
        self, photos: list[str], root: Path, folder: Path
    ) -> None:
        cache = PreparedCache(RESIZE, root, folder)
        cache.get(photos[0])
        shard = pngs(folder)[0].parent
        old, new = shard / ".handprep-1-a.tmp", shard / ".handprep-2-b.tmp"
        old.touch()
        new.touch()
        settled(old, seconds=4000)

        cache.prepare(photos)

        assert not old.exists()
        assert new.exists()  # another process may be writing it


class TestWithoutHand:
    @pytest.mark.parametrize(("on_missing", "error"), [("skip", SampleSkipped), ("raise", HandNotFoundError)])
    def test_that_there_is_no_hand_is_found_out_once(
        self, on_missing: Any, error: type[HandNotFoundError], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        photo = settled(Path(picture(root / "rock/wall.png")))
        cropper = HandCropper(search=False, on_missing=on_missing)
        pipeline = counted(tmp_path, Pipeline([cropper, ResizePad(32)]))
        for _ in range(2):
            cache = PreparedCache(pipeline, root, folder)
            for _ in range(2):
                with pytest.raises(error, match=r"no hand found in .*wall\.png") as caught:
                    cache.get(photo)
                assert type(caught.value) is error
        assert count(tmp_path) == 1

        (index,) = (folder / "photos").iterdir()
        index.write_text("[]")
        cache = PreparedCache(pipeline, root, folder)
        with pytest.raises(error):
            cache.get(photo)
        assert count(tmp_path) == 2


class TestErrors:
    def test_a_part_of_the_users_own_that_fails_is_told_with_the_photo(
        self, photos: list[str], root: Path, folder: Path
    ) -> None:
        cache = PreparedCache(Pipeline([Failing()]), root, folder)
        with pytest.raises(ZeroDivisionError) as caught:
            cache.get(photos[0])
        assert caught.value.__notes__ == [f"This was while preparing {photos[0]}."]

    def test_a_cache_that_cannot_be_written_is_named_before_anything_is_prepared(
        self, tmp_path: Path
    ) -> None:
        with folder_for_all() as folder:
            photo = picture(folder / "photos/a.png")
            (folder / "photos").chmod(0o755)
            Path(photo).chmod(0o644)
            (folder / "cache").mkdir(mode=0o555)
            cache = PreparedCache(counted(tmp_path), folder / "photos", folder / "cache")
            with as_nobody(), pytest.raises(OutputError) as caught:
                cache.get(photo)
        assert str(caught.value).endswith(
            "cannot be written: no permission. Allow this user to write there, or choose another folder. "
            f"It belongs to the cache of prepared images, {folder / 'cache'}"
        )
        assert count(tmp_path) == 0

    def test_a_cache_that_is_complete_need_not_be_writable(self, caplog: pytest.LogCaptureFixture) -> None:
        with folder_for_all() as folder:
            photo = settled(Path(picture(folder / "photos/a.png")))
            PreparedCache(RESIZE, folder / "photos", folder / "cache").get(photo)
            for path in folder.rglob("*"):
                path.chmod(0o555 if path.is_dir() else 0o444)
            cache = PreparedCache(RESIZE, folder / "photos", folder / "cache")
            with as_nobody():
                assert colour_of(cache.get(photo)) == (200, 150, 100)
            assert not caplog.records
            settled(Path(photo), seconds=77)  # as on another machine: it has to be read to be known
            with as_nobody():
                for _ in range(2):
                    assert colour_of(cache.get(photo)) == (200, 150, 100)
        assert len(caplog.records) == 1
        assert "is not kept" in caplog.records[0].message

    def test_wrong_parameters(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="pipeline must be a Pipeline"):
            PreparedCache(ResizePad(8), root)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="is a file: give a folder for the cache"):
            PreparedCache(RESIZE, root, tmp_path / "file")
        with pytest.raises(InputError, match="on_error"):
            PreparedCache(RESIZE, root, tmp_path).prepare([], on_error="ignore")  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Failing(Transform):
    """Divide by zero."""

    def apply(self, sample: Sample) -> Sample:
        raise ZeroDivisionError


class TestAhead:
    def test_all_are_prepared_in_threads_and_only_once(
        self, photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        pipeline = counted(tmp_path, CROP)
        cache = PreparedCache(pipeline, root, folder)
        cache.get(photos[0])
        told: list[tuple[int, int]] = []

        first = cache.prepare(photos, workers=2, progress=lambda *numbers: told.append(numbers))
        second = PreparedCache(pipeline, root, folder).prepare(photos)

        assert (len(first.rows), first.resumed, first.failed) == (len(photos), 1, ())
        assert (len(second.rows), second.resumed, second.failed) == (len(photos), len(photos), ())
        assert told == [(done, len(photos)) for done in range(1, len(photos) + 1)]
        assert count(tmp_path) == len(pngs(folder)) == len(photos)
        for photo in photos:
            assert_is(cache.get(photo), CROP.run(photo))

    def test_photos_that_cannot_be_prepared_are_listed_on_request(
        self, photos: list[str], root: Path, folder: Path
    ) -> None:
        broken, wall = root / "rock/broken.jpg", picture(root / "rock/wall.png")
        broken.write_bytes(b"no photo")
        pipeline = Pipeline([HandCropper(search=False, on_missing="skip"), ResizePad(32)])
        for resumed in (0, len(photos)):
            result = PreparedCache(pipeline, root, folder).prepare(
                [*photos, str(broken), wall], on_error="skip"
            )
            assert (result.counts["done"], result.resumed) == (len(photos), resumed)
            told = {row.source: (row.status, row.message) for row in result.rows if not row.output}
            assert set(told) == {str(broken), wall}
            assert "no known kind of image" in told[str(broken)][1]
            assert told[wall][0] == "skipped"
            assert "no hand found" in told[wall][1]

    def test_otherwise_the_first_one_raises_its_error(
        self, photos: list[str], root: Path, folder: Path
    ) -> None:
        Path(photos[3]).write_bytes(b"no photo")
        Path(photos[5]).write_bytes(b"no photo")
        cache = PreparedCache(RESIZE, root, folder)
        with pytest.raises(ImageError, match=Path(photos[3]).name):
            cache.prepare(photos, workers=3)
        assert all(cache.holds(photo) for photo in photos[:3])

    @pytest.mark.parametrize("on_error", ["raise", "skip"])
    def test_a_missing_model_always_stops_it(
        self, on_error: Any, photos: list[str], root: Path, folder: Path
    ) -> None:
        with pytest.raises(ModelError, match="no such model here"):
            PreparedCache(Pipeline([Needy()]), root, folder).prepare(photos, on_error=on_error)


def get_all(pipeline: Pipeline, root: str, folder: str, photos: list[str], together: Any) -> None:
    cache = PreparedCache(pipeline, root, folder)
    together.wait()
    for photo in photos:
        cache.get(photo)


class TestTogether:
    def test_processes_that_want_the_same_photos_share_the_work(
        self, photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        context = multiprocessing.get_context("spawn")
        pipeline = counted(tmp_path, CROP, seconds=0.02)
        together = context.Barrier(3)
        arguments = (pipeline, str(root), str(folder), photos, together)
        processes = [context.Process(target=get_all, args=arguments) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0

        assert count(tmp_path) == len(pngs(folder)) == len(photos)
        cache = PreparedCache(pipeline, root, folder)
        for photo in photos:
            assert_is(cache.get(photo), CROP.run(photo))
        assert count(tmp_path) == len(photos)

    def test_what_another_process_has_read_since_is_not_read_again(
        self, photos: list[str], root: Path, folder: Path
    ) -> None:
        cache = PreparedCache(RESIZE, root, folder)  # opened while there is nothing yet
        PreparedCache(RESIZE, root, folder).prepare(photos)
        empty_unseen(photos)

        for photo, hand in zip(photos, sorted(HANDS, key=lambda hand: str(hand.path)), strict=True):
            assert_is(cache.get(photo), RESIZE.run(hand.path))

    def test_so_do_threads(self, photos: list[str], root: Path, folder: Path, tmp_path: Path) -> None:
        cache = PreparedCache(counted(tmp_path, seconds=0.02), root, folder)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(cache.get, photos * 6))
        assert count(tmp_path) == len(photos)

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process so")
    def test_a_killed_process_leaves_a_cache_that_is_carried_on(
        self, photos: list[str], root: Path, folder: Path, tmp_path: Path
    ) -> None:
        context = multiprocessing.get_context("spawn")
        pipeline = counted(tmp_path, CROP, seconds=0.05)
        kept: dict[Path, int] = {}
        for at_least, wait in ((1, 0.0), (3, 0.01), (6, 0.03)):
            arguments = (pipeline, str(root), str(folder), photos, context.Barrier(1))
            process = context.Process(target=get_all, args=arguments)
            process.start()
            while process.is_alive() and len(pngs(folder)) < at_least:
                time.sleep(0.002)
            time.sleep(wait)
            process.kill()
            process.join()
            for png in pngs(folder):  # whole, and what was there before is still the same file
                Record.read(png.read_bytes())
            assert all(png.stat().st_ino == inode for png, inode in kept.items())
            kept = {png: png.stat().st_ino for png in pngs(folder)}
        assert len(kept) < len(photos)

        result = PreparedCache(pipeline, root, folder).prepare([Path(photo) for photo in photos])

        assert result.resumed == len(kept)
        for photo in photos:
            assert_is(PreparedCache(pipeline, root, folder).get(photo), CROP.run(photo))

    def test_a_lock_that_is_held_for_too_long_is_not_waited_for(
        self,
        photos: list[str],
        root: Path,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(cache, "WAIT", 0.1)
        filled = PreparedCache(RESIZE, root, folder)
        expected = filled.get(photos[0])
        (png,) = pngs(folder)
        png.unlink()
        with FileLock(png.parent / ".lock"), caplog.at_level(logging.WARNING):
            assert_is(filled.get(photos[0]), expected)
        assert "not waited for" in caplog.text
        assert png.exists()
