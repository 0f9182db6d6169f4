"""PreparedImageFolder is an ImageFolder, of prepared pictures, in every kind of worker."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import handprep
from handprep.errors import HandprepError, ImageError, InputError, ModelError, OutputError, SampleSkipped
from handprep.pipeline import Pipeline
from handprep.sample import Hand
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.images.any_torchvision import require_torchvision
from tests.prepared.counting import CROP, RESIZE, Needy, copied, count, counted, settled

torch = pytest.importorskip("torch", reason="needs torch, which is optional")
require_torchvision()
pytest.importorskip("torchvision", reason="needs torchvision, which is optional", exc_type=ImportError)

from torch.utils.data import DataLoader  # noqa: E402
from torchvision.datasets import ImageFolder  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from handprep.integrations.image_folder import NoPhotosError, PreparedImageFolder, collate  # noqa: E402

# torch warns where there are more workers than cores, and Python (3.12) of every fork of a process that has
# threads; that both work is what is tested
pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

TENSOR = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


class Prepared(PreparedImageFolder):
    """The same; a worker that unpickles it imports this module first, which makes torchvision importable."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    copied(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def stacked(loader: Any) -> Any:
    return torch.cat([pictures for pictures, *_ in loader])


class TestItems:
    def test_it_is_an_image_folder_of_prepared_pictures(self, photos: Path, cache: Path) -> None:
        plain, prepared = ImageFolder(photos), PreparedImageFolder(photos, CROP, cache=cache)

        assert isinstance(prepared, ImageFolder)
        assert len(prepared) == len(plain)
        for name in ("classes", "class_to_idx", "samples", "imgs", "targets"):
            assert getattr(prepared, name) == getattr(plain, name)
        for _ in range(2):
            for index, (path, target) in enumerate(plain.samples):
                picture, same_target = prepared[index]
                assert type(picture) is PIL.Image.Image
                assert picture.mode == "L"
                assert same_target == target
                np.testing.assert_array_equal(np.asarray(picture), CROP(path))
                assert prepared.loader(path) == picture

    def test_transforms_come_after_preparing(self, photos: Path, cache: Path) -> None:
        prepared = PreparedImageFolder(
            photos, CROP, cache=cache, transform=TENSOR, target_transform=lambda target: -target
        )
        picture, target = prepared[8]
        assert picture.shape == (1, 32, 32)
        assert picture.dtype == torch.float32
        assert target == -prepared.targets[8] == -2

    def test_hands_lie_on_the_prepared_picture(self, photos: Path, cache: Path) -> None:
        prepared = PreparedImageFolder(photos, CROP, cache=cache, with_hands=True)
        for _ in range(2):
            for index, (path, _) in enumerate(prepared.samples):
                picture, _, hands = prepared[index]
                expected = CROP.run(path).hands
                assert expected
                assert isinstance(hands[0], Hand)
                np.testing.assert_array_equal(hands[0].landmarks, expected[0].landmarks)
                assert hands[0].box == expected[0].box
                assert picture.size == (32, 32)
                assert (hands[0].landmarks > 0).all()
                assert (hands[0].landmarks < 32).all()  # the crop holds all of the hand

    def test_without_a_detector_hands_are_not_known(self, photos: Path, cache: Path) -> None:
        assert PreparedImageFolder(photos, RESIZE, cache=cache, with_hands=True)[0][2] is None

    def test_it_says_what_it_is(self, photos: Path, cache: Path) -> None:
        shown = repr(PreparedImageFolder(photos, CROP, cache=cache, transform=TENSOR))
        for part in ("PreparedImageFolder", "9", str(photos), str(cache), "HandCropper", "ToDtype"):
            assert part in shown


class TestFolders:
    def test_every_kind_of_photo_counts_and_nothing_hidden(self, photos: Path, cache: Path) -> None:
        picture = PIL.Image.new("RGB", (20, 20), (200, 100, 50))
        for name in ("a.gif", "b.JFIF", "c.dib", "d.avif", "deep/er/e.webp", "fünf \U0001f590.png"):
            path = photos / "rock" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, {".JFIF": "JPEG", ".dib": "BMP"}.get(path.suffix))
        for name in ("rock/._a.jpg", "rock/.hidden/b.jpg", "rock/notes.txt", "rock/jpg", ".state/c.jpg"):
            (photos / name).parent.mkdir(exist_ok=True)
            (photos / name).write_bytes(b"no photo")
        (photos / "__MACOSX").mkdir()

        prepared = PreparedImageFolder(photos, RESIZE, cache=cache)

        assert prepared.classes == ["er", "paper", "rock", "scissors"]
        assert len(prepared) == 9 + 6
        as_torchvision = PreparedImageFolder(photos, RESIZE, cache=cache, class_level=1)
        assert as_torchvision.classes == ["paper", "rock", "scissors"]
        assert len(as_torchvision) == 9 + 6
        assert len(list(prepared)) == 9 + 6

    def test_any_folder_on_the_way_may_be_the_class_as_for_the_command(
        self, photos: Path, cache: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "whole").mkdir()
        photos.rename(tmp_path / "whole" / "cgi")
        for level, classes in ((-1, ["paper", "rock", "scissors"]), (1, ["cgi"])):
            dataset = PreparedImageFolder(tmp_path / "whole", RESIZE, cache=cache, class_level=level)
            assert dataset.classes == classes
            result = handprep.prepare(tmp_path / "whole", tmp_path / "out", RESIZE, class_level=level)
            assert sorted({row.label for row in result.rows}) == classes
            assert [row.label for row in dataset.prepare().rows] == [
                dataset.classes[target] for target in dataset.targets
            ]

    def test_which_files_are_photos_can_be_said(self, photos: Path, cache: Path) -> None:
        shutil.copy(next((photos / "rock").iterdir()), photos / "rock" / "photo.dat")
        prepared = PreparedImageFolder(
            photos,
            RESIZE,
            cache=cache,
            is_valid_file=lambda path: path.endswith(".dat"),
            allow_empty=True,
        )
        assert [Path(path).name for path, _ in prepared.samples] == ["photo.dat"]
        assert prepared[0][0].size == (16, 16)

    def test_relative_folders(self, photos: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(photos.parent)
        PreparedImageFolder("photos", RESIZE, cache="cache").prepare()
        assert PreparedImageFolder(str(photos), RESIZE, cache=cache).prepare().resumed == 9

    @pytest.mark.parametrize("error", [InputError, FileNotFoundError])
    def test_folders_without_photos_are_refused(
        self, error: type[Exception], photos: Path, cache: Path
    ) -> None:
        with pytest.raises(error, match=r"nowhere should hold a folder for each class"):
            PreparedImageFolder(photos / "nowhere", RESIZE, cache=cache)
        with pytest.raises(error, match="find any class folder"):
            PreparedImageFolder(photos / "rock", RESIZE, cache=cache)
        (photos / "empty").mkdir()
        with pytest.raises(error, match=r"for the classes empty.*with files in it that end in jpg, "):
            PreparedImageFolder(photos, RESIZE, cache=cache)
        assert PreparedImageFolder(photos, RESIZE, cache=cache, allow_empty=True).classes[0] == "empty"

    def test_transforms_get_picture_and_target_together(self, photos: Path, cache: Path) -> None:
        def joint(picture: Any, target: int) -> tuple[Any, int]:
            return picture.size, target + 10

        dataset = PreparedImageFolder(photos, RESIZE, cache=cache, transforms=joint)
        plain = PreparedImageFolder(photos, RESIZE, cache=cache)
        assert dataset[0] == (plain[0][0].size, plain[0][1] + 10)
        with pytest.raises(InputError, match="either transforms"):
            PreparedImageFolder(photos, RESIZE, cache=cache, transforms=joint, transform=len)

    def test_a_loader_is_refused_as_handprep_reads_the_photos(self, photos: Path, cache: Path) -> None:
        with pytest.raises(InputError, match="loader"):
            PreparedImageFolder(photos, RESIZE, cache=cache, loader=len)

    def test_wrong_parameters(self, photos: Path, cache: Path) -> None:
        with pytest.raises(InputError, match="on_error must be one of 'raise', 'skip', not 'ignore'"):
            PreparedImageFolder(photos, RESIZE, cache=cache, on_error="ignore")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="pipeline must be a Pipeline"):
            PreparedImageFolder(photos, ResizePad(8), cache=cache)  # type: ignore[arg-type]
        assert issubclass(NoPhotosError, HandprepError)


class TestWorkers:
    @pytest.mark.parametrize("start", ["fork", "spawn"])
    def test_workers_prepare_each_photo_once_and_later_epochs_only_read(
        self, start: str, photos: Path, cache: Path, tmp_path: Path
    ) -> None:
        dataset = Prepared(photos, counted(tmp_path, CROP), cache=cache, transform=TENSOR)
        here = torch.stack([TENSOR(PIL.Image.fromarray(CROP(path))) for path, _ in dataset.samples])
        dataset.prepare(workers=1)
        shutil.rmtree(cache)  # models are open here by now, and nothing is prepared
        loader = DataLoader(dataset, batch_size=2, num_workers=2, multiprocessing_context=start, timeout=300)
        for _ in range(2):  # epochs, each with new workers
            assert torch.equal(stacked(loader), here)
        assert count(tmp_path) == 9 + 9

    def test_two_data_sets_at_once_share_one_cache(self, photos: Path, cache: Path, tmp_path: Path) -> None:
        pipeline = counted(tmp_path, CROP, seconds=0.02)
        loaders = [
            DataLoader(
                Prepared(photos, pipeline, cache=cache, transform=TENSOR),
                batch_size=1,
                num_workers=2,
                timeout=300,
            )
            for _ in range(2)
        ]
        first, second = [], []
        for one, other in zip(*loaders, strict=True):
            first.append(one[0])
            second.append(other[0])
        assert torch.equal(torch.cat(first), torch.cat(second))
        assert count(tmp_path) == 9


class TestBadPhotos:
    @pytest.fixture
    def spoilt(self, photos: Path) -> Path:
        """Spoil the second photo: the one that is left out."""
        path = Path(ImageFolder(photos).samples[1][0])
        path.write_bytes(path.read_bytes()[:2000])
        return path

    @pytest.mark.parametrize("workers", [0, 1])
    def test_a_batch_with_a_broken_photo_says_which(
        self, workers: int, spoilt: Path, photos: Path, cache: Path
    ) -> None:
        loader = DataLoader(
            Prepared(photos, RESIZE, cache=cache, transform=TENSOR), batch_size=4, num_workers=workers
        )
        with pytest.raises(ImageError, match=f"{spoilt.name} cannot be read: truncated"):
            list(loader)

    @pytest.mark.parametrize("workers", [0, 1])
    def test_on_request_it_goes_on_without(
        self, workers: int, spoilt: Path, photos: Path, cache: Path
    ) -> None:
        dataset = Prepared(photos, RESIZE, cache=cache, transform=TENSOR, on_error="skip")
        loader = DataLoader(dataset, batch_size=4, num_workers=workers, collate_fn=collate)
        assert dataset[1] is None
        for _ in range(2):
            batches = list(loader)
            assert [len(pictures) for pictures, _ in batches] == [3, 4, 1]
            assert [targets.tolist() for _, targets in batches] == [[0, 0, 1], [1, 1, 2, 2], [2]]

    def test_a_photo_that_is_left_out_is_named_once_in_the_log(
        self, spoilt: Path, photos: Path, cache: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        dataset = PreparedImageFolder(photos, RESIZE, cache=cache, on_error="skip")
        for _ in range(3):
            assert sum(item is None for item in dataset) == 1
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.message.startswith(f"{spoilt} is left out: ")
        assert "truncated" in record.message

    def test_photos_without_a_hand_are_left_out_alike(
        self, photos: Path, cache: Path, tmp_path: Path
    ) -> None:
        wall = photos / "rock" / "wall.png"
        PIL.Image.new("RGB", (60, 40), (200, 150, 100)).save(wall)
        settled(wall)
        skipping = Pipeline([HandCropper(search=False, on_missing="skip"), ResizePad(32), Greyscale()])
        pipeline = counted(tmp_path, skipping)

        for _ in range(2):
            dataset = PreparedImageFolder(photos, pipeline, cache=cache, on_error="skip")
            assert [path for (path, _), item in zip(dataset.samples, dataset, strict=True) if not item] == [
                str(wall)
            ]
        assert count(tmp_path) == 10
        strict = PreparedImageFolder(photos, pipeline, cache=cache)
        with pytest.raises(SampleSkipped, match=r"no hand found in .*wall\.png"):
            strict[strict.samples.index((str(wall), 1))]

    @pytest.mark.parametrize("on_error", ["raise", "skip"])
    def test_what_is_no_photos_fault_is_always_raised(self, on_error: Any, photos: Path, cache: Path) -> None:
        needy = PreparedImageFolder(photos, Pipeline([Needy()]), cache=cache, on_error=on_error)
        with pytest.raises(ModelError):
            needy[0]
        cache.mkdir(exist_ok=True)
        dataset = PreparedImageFolder(photos, RESIZE, cache=cache, on_error=on_error)
        shutil.rmtree(cache)
        cache.touch()
        with pytest.raises(OutputError, match=f"what should be a folder is a file.*{cache}"):
            dataset[0]


class TestCollate:
    def test_hands_stay_as_they_are(self, photos: Path, cache: Path) -> None:
        dataset = Prepared(photos, CROP, cache=cache, transform=TENSOR, with_hands=True)
        for workers in (0, 1):
            loader = DataLoader(dataset, batch_size=9, num_workers=workers, collate_fn=collate)
            ((pictures, targets, hands),) = loader
            assert pictures.shape == (9, 1, 32, 32)
            assert targets.tolist() == dataset.targets
            assert isinstance(hands, list)
            for index, found in enumerate(hands):
                assert isinstance(found, tuple)
                np.testing.assert_array_equal(found[0].landmarks, dataset[index][2][0].landmarks)

    def test_a_batch_of_which_nothing_is_left_is_none(self) -> None:
        assert collate([None, None]) is None


def test_without_torchvision_it_says_what_to_install() -> None:
    without = "import sys; sys.modules.update(torch=None, torchvision=None)"
    program = f"{without}; import handprep.integrations.image_folder"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "MissingExtraError" in done.stderr
    assert 'pip install "handprep[torch]"' in done.stderr
