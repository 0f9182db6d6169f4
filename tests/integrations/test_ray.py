"""A folder on a Ray cluster: what `handprep run` makes of it, and carrying on."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import PIL.Image
import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'handprep[ray]'")

import pyarrow.fs

import handprep
from handprep.errors import InputError, ModelError, OutputError
from handprep.integrations import ray as on_ray
from handprep.integrations.ray.worker import Preparer
from handprep.pipeline import Pipeline
from handprep.prepared import RunResult
from handprep.prepared.ensure import Preparation
from handprep.prepared.storage import Storage
from handprep.runtime import per_thread
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.integrations.clusters import hands, one_node, ray, rows
from tests.prepared.counting import count, counted
from tests.prepared.folders import HANDS, RESIZE, copied, identities, leftovers, outputs, picture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")  # Ray's of itself

prepare = partial(on_ray.prepare, concurrency=1)  # a second actor would take seconds to start
STUDY = Pipeline([HandCropper(), ResizePad(64), Greyscale()])
NOT_UTF8 = os.fsdecode(b"far/rock/fist\xff.jpg")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    with one_node():
        yield


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return copied(tmp_path / "photos")


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


@dataclass(frozen=True, slots=True)
class Raising(Transform):
    """Raises an error, which the name of an exception's class gives."""

    error: str

    def apply(self, sample: Sample) -> Sample:
        if self.error == "ModelError":
            raise ModelError("the model file is not there. Put it there")
        raise ZeroDivisionError("a bug")


@dataclass(frozen=True, slots=True)
class Opening(Transform):
    """Opens a model, which leaves a file for each time that it is opened."""

    folder: str

    def apply(self, sample: Sample) -> Sample:
        return per_thread(("opening", self.folder), self._open) and sample

    def _open(self) -> bool:
        Path(self.folder, f"{os.getpid()}-{uuid.uuid4().hex}").touch()
        return True


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, RunResult]:
    place = tmp_path_factory.mktemp("both")
    src = hands(place / "photos")
    shutil.copy(HANDS[0].path, src / NOT_UTF8)
    picture(src / "far/rock/a.png")
    picture(src / "far/rock/a.webp")
    (src / "far/paper/truncated.jpg").write_bytes(HANDS[0].path.read_bytes()[:5000])
    (src / "notes.txt").touch()
    by_ray = on_ray.prepare(src, place / "ray", STUDY, batch_size=7)
    return by_ray, handprep.prepare(src, place / "folder", STUDY, workers=1)


class TestTheSameAsHandprepRun:
    def test_the_outputs_are_byte_for_byte_the_same(self, both: tuple[RunResult, RunResult]) -> None:
        here, there = Path(both[0].folder), Path(both[1].folder)
        assert outputs(here) == outputs(there)
        assert len(outputs(here)) == 36 + 3

    def test_the_rows_are_the_same_in_the_same_order(self, both: tuple[RunResult, RunResult]) -> None:
        expected = [replace(row, milliseconds=0.0) for row in both[1].rows]
        expected = [
            replace(row, **{name: printed(getattr(row, name)) for name in ("source", "output")})
            for row in expected
        ]
        assert rows(Path(both[0].folder)) == expected

    def test_the_tables_and_counts_are_the_same(self, both: tuple[RunResult, RunResult]) -> None:
        by_ray, by_folder = both
        assert by_ray.counts == by_folder.counts
        assert by_ray.detection == by_folder.detection
        assert (by_ray.resumed, by_ray.ignored, by_ray.vanished) == (0, 1, ())
        for name in ("detection.csv", "detection.md"):
            there = (Path(by_folder.folder) / name).read_bytes()
            assert (Path(by_ray.folder) / name).read_bytes() == there


def printed(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def test_each_actor_opens_its_models_once(src: Path, dst: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    opened.mkdir()
    on_ray.prepare(
        src, dst, Pipeline([Opening(str(opened)), ResizePad(16)]), concurrency=(1, 2), batch_size=1
    )

    processes = [path.name.partition("-")[0] for path in opened.iterdir()]
    assert len(processes) == len(set(processes)) <= 2
    assert len(outputs(dst)) == len(HANDS)


class TestCarryingOn:
    def test_only_changed_failed_and_lost_ones_are_prepared_again(self, src: Path, dst: Path) -> None:
        bad, changed, touched, lost, spoilt = sorted(src.rglob("*.jpg"))[:5]
        good = bad.read_bytes()
        bad.write_bytes(b"damaged")
        assert prepare(src, dst, RESIZE).counts["failed"] == 1
        before = outputs(dst)
        stamps = identities(dst)
        bad.write_bytes(good)
        picture(changed, (9, 99, 199))
        os.utime(touched, (1, 1))
        (dst / named(lost, src)).unlink()
        (dst / named(spoilt, src)).write_bytes(bytes(len(before[named(spoilt, src)])))

        result = prepare(src, dst, RESIZE)

        assert (result.resumed, result.counts["done"]) == (len(HANDS) - 4, len(HANDS))
        again = {name for name, identity in identities(dst).items() if identity != stamps.get(name)}
        assert again == {named(photo, src) for photo in (bad, changed, lost, spoilt)}
        handprep.prepare(src, dst.parent / "at-once", RESIZE)
        assert outputs(dst) == outputs(dst.parent / "at-once")

    def test_another_pipeline_or_format_prepares_all_again_and_removes_the_old(
        self, src: Path, dst: Path
    ) -> None:
        prepare(src, dst, RESIZE)
        grey = Pipeline([ResizePad(16), Greyscale()])
        assert prepare(src, dst, grey).resumed == 0
        assert prepare(src, dst, grey, format="webp").resumed == 0

        handprep.prepare(src, dst.parent / "at-once", grey, format="webp")
        assert outputs(dst) == outputs(dst.parent / "at-once")

    def test_either_way_carries_on_what_the_other_one_began(self, src: Path, dst: Path) -> None:
        prepare(src, dst, RESIZE)
        before = identities(dst)
        assert handprep.prepare(src, dst, RESIZE).resumed == len(HANDS)
        assert identities(dst) == before
        handprep.prepare(src, dst, Pipeline([ResizePad(8)]))
        assert prepare(src, dst, Pipeline([ResizePad(8)])).resumed == len(HANDS)

    def test_skipped_photos_are_not_searched_again(self, tmp_path: Path, dst: Path) -> None:
        src = picture(tmp_path / "photos/wall.png").parent
        cropper = HandCropper(search=False, on_missing="skip")
        pipeline = counted(tmp_path, Pipeline([cropper, *RESIZE.transforms]))
        for _ in range(2):
            assert prepare(src, dst, pipeline).counts["skipped"] == 1
        assert count(tmp_path) == 1


def named(photo: Path, src: Path) -> str:
    return str(photo.relative_to(src).with_suffix(".png"))


class TestErrors:
    def test_what_no_photo_is_to_blame_for_is_one_error_and_the_actors_end(
        self, src: Path, dst: Path
    ) -> None:
        with pytest.raises(ModelError, match=r"the model file is not there\. Put it there") as caught:
            prepare(src, dst, Pipeline([Raising("ModelError")]))

        on_the_node, carry_on = caught.value.__notes__
        assert on_the_node.startswith("This was on the node ")
        assert carry_on == "What is finished stays so. Run it again to resume."
        assert eventually_free(2)

    def test_a_bug_is_raised_as_it_is_with_its_place(self, src: Path, dst: Path) -> None:
        with pytest.raises(ZeroDivisionError, match="a bug") as caught:
            prepare(src, dst, Pipeline([Raising("ZeroDivisionError")]))
        photo, place, *_ = caught.value.__notes__
        assert photo.startswith("This was while preparing ")
        assert 'raise ZeroDivisionError("a bug")' in place

    def test_another_run_in_the_same_folder_is_refused(self, src: Path, dst: Path) -> None:
        with Storage(dst).locked(), pytest.raises(OutputError, match="another run is writing"):
            prepare(src, dst, RESIZE)

    def test_a_node_with_another_version_is_refused(
        self, src: Path, dst: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(handprep, "__version__", "0.0.1")  # here, but not in the actors
        with pytest.raises(InputError, match="handprep's version is not the same on every node"):
            prepare(src, dst, RESIZE)

    def test_a_node_that_does_not_see_the_folders_says_so(self, tmp_path: Path) -> None:
        gone = Storage(tmp_path / "gone")
        work = Preparation(photos=gone, outputs=Storage(tmp_path), pipeline=RESIZE)
        actor = Preparer(work, None, handprep.__version__)
        (row,) = actor(pyarrow.table({"batch": [0], "works": [b""]})).to_pylist()

        error = ray.cloudpickle.loads(row["error"])
        assert isinstance(error, InputError)
        assert "gone is not there on every node. Give a folder on a disk that all nodes share" in str(error)

    @pytest.mark.parametrize("concurrency", [0, -1, True, (2, 1), (1, 2, 3), 1.5, (0, 1)])
    def test_a_concurrency_out_of_range(self, src: Path, dst: Path, concurrency: object) -> None:
        with pytest.raises(InputError, match="concurrency must be a number of actors, 1 or more"):
            on_ray.prepare(src, dst, RESIZE, concurrency=concurrency)  # type: ignore[arg-type]

    def test_other_arguments_out_of_range(self, src: Path, dst: Path) -> None:
        with pytest.raises(InputError, match="batch_size must be a number of photos, 1 or more, not 0"):
            prepare(src, dst, RESIZE, batch_size=0)
        with pytest.raises(InputError, match="format must be one of png"):
            prepare(src, dst, RESIZE, format="bmp")
        with pytest.raises(InputError, match="is the folder of photos"):
            prepare(src, src, RESIZE)
        dst.mkdir()
        with pytest.raises(InputError, match=r"no photo in .*prepared: looked there"):
            prepare(dst, src, RESIZE)
        (dst / "file").touch()
        with pytest.raises(InputError, match="file is a file: give a folder for the outputs"):
            prepare(src, dst / "file", RESIZE)


def eventually_free(cores: int) -> bool:
    for _ in range(100):
        if ray.available_resources().get("CPU") == cores:
            return True
        time.sleep(0.1)
    return False


class TestOtherFileSystems:
    """On a file system that is not known to be local, as object stores are not."""

    @pytest.fixture
    def filesystem(self, tmp_path: Path) -> pyarrow.fs.FileSystem:
        return pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())

    def test_outputs_and_rows_are_those_of_local_paths(
        self, src: Path, dst: Path, filesystem: pyarrow.fs.FileSystem
    ) -> None:
        (src / "far/paper/text.jpg").write_text("this is no picture")
        result = prepare("photos", "prepared", STUDY, filesystem=filesystem, batch_size=3)
        handprep.prepare(src, dst.parent / "at-once", STUDY)

        assert outputs(dst) == outputs(dst.parent / "at-once")
        assert result.folder == "prepared"
        (failed,) = (row for row in rows(dst) if row.status == "failed")
        assert failed.message.startswith("photos/far/paper/text.jpg cannot be read: no known kind of image")
        assert leftovers(dst) == []

    def test_it_is_carried_on(self, src: Path, dst: Path, filesystem: pyarrow.fs.FileSystem) -> None:
        prepare("photos", "prepared", RESIZE, filesystem=filesystem)
        before = identities(dst)
        assert prepare("photos", "prepared", RESIZE, filesystem=filesystem).resumed == len(HANDS)
        assert identities(dst) == before

        changed, lost = sorted(src.rglob("*.jpg"))[:2]
        picture(changed, (9, 99, 199))
        (dst / named(lost, src)).unlink()
        assert prepare("photos", "prepared", RESIZE, filesystem=filesystem).resumed == len(HANDS) - 2
        again = {name for name, identity in identities(dst).items() if identity != before[name]}
        assert again == {named(changed, src), named(lost, src)}

    def test_a_file_uri_is_a_local_path(self, src: Path, dst: Path) -> None:
        result = prepare(src.as_uri(), dst.as_uri(), RESIZE)
        assert result.folder == dst
        assert prepare(src, dst, RESIZE).resumed == len(HANDS)


def test_each_hand_has_an_image_and_a_row_and_is_carried_on(tmp_path: Path, dst: Path) -> None:
    pair = [PIL.Image.open(hand.path).convert("RGB").resize((240, 180)) for hand in HANDS[:2]]
    photo = PIL.Image.new("RGB", (480, 180))
    for number, hand in enumerate(pair):
        photo.paste(hand, (240 * number, 0))
    src = tmp_path / "pairs"
    src.mkdir()
    photo.save(src / "pair.png")
    shutil.copy(HANDS[2].path, src / "single.jpg")
    pipeline = Pipeline([HandCropper(max_hands=4), ResizePad(32)])

    first = prepare(src, dst, pipeline, each_hand=True)

    assert [row.output for row in first.rows] == ["pair-1.png", "pair-2.png", "single-1.png"]
    handprep.prepare(src, tmp_path / "here", pipeline, each_hand=True)
    assert outputs(dst) == outputs(tmp_path / "here")
    (dst / "pair-2.png").unlink()
    second = prepare(src, dst, pipeline, each_hand=True)
    assert (second.resumed, len(second.rows)) == (1, 3)
    assert outputs(dst) == outputs(tmp_path / "here")
