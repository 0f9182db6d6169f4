"""What torchvision promises of every transform of its second version; contracts of its documentation.

https://docs.pytorch.org/vision/stable/transforms.html
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import pytest

from handprep import Greyscale, HandCropper, Pipeline, ResizePad
from tests.images.any_torchvision import require_torchvision
from tests.rendered import photos

torch = pytest.importorskip("torch", reason="needs torch, which is optional")
require_torchvision()
pytest.importorskip("torchvision", reason="needs torchvision, which is optional", exc_type=ImportError)

from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from handprep.integrations.torchvision import V2Transform  # noqa: E402

PHOTO = photos()[4]
PREPARE = V2Transform(Pipeline([HandCropper(), ResizePad(48)]))


class Labelled(NamedTuple):
    picture: Any
    label: int


@pytest.fixture(scope="module")
def tensor() -> Any:
    import PIL.Image

    with PIL.Image.open(PHOTO.path) as photo:
        return v2.functional.pil_to_tensor(photo)


def test_the_structure_of_a_sample_stays(tensor: Any) -> None:
    picture = tv_tensors.Image(tensor)
    for sample in ([picture, 1], (picture, {"a": [None, "b"]}), {"x": {"y": picture}}, Labelled(picture, 3)):
        done = PREPARE(sample)
        assert type(done) is type(sample)
        leaves, structure = torch.utils._pytree.tree_flatten(sample)
        moved, same = torch.utils._pytree.tree_flatten(done)
        assert same == structure
        assert [leaf for leaf in moved if not hasattr(leaf, "shape")] == [
            leaf for leaf in leaves if not hasattr(leaf, "shape")
        ]


def test_the_input_is_not_changed(tensor: Any) -> None:
    before = tensor.clone()
    PREPARE(tensor)
    assert torch.equal(tensor, before)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32, torch.float64])
def test_kind_dtype_and_device_stay(dtype: Any, tensor: Any) -> None:
    given = v2.functional.to_dtype(tensor, dtype, scale=dtype.is_floating_point)
    for picture in (given, tv_tensors.Image(given), given[None], given.repeat(2, 1, 1, 1)[None]):
        done = PREPARE(picture)
        assert (type(done), done.dtype, done.device) == (type(picture), dtype, picture.device)
        assert done.shape[:-2] == picture.shape[:-2]


@pytest.mark.parametrize(
    "around",
    [
        lambda t: v2.Compose([t]),
        lambda t: v2.RandomApply([t], p=1),
        lambda t: v2.RandomChoice([t]),
        lambda t: v2.RandomOrder([t]),
        torch.nn.Sequential,
        copy.deepcopy,
    ],
)
def test_it_stands_in_every_container(around: Any, tensor: Any) -> None:
    assert torch.equal(around(PREPARE)(tensor), PREPARE(tensor))


def test_a_detection_pipeline_runs_from_end_to_end(tensor: Any) -> None:
    target = {
        "boxes": tv_tensors.BoundingBoxes([PHOTO.box], format="XYXY", canvas_size=PHOTO.size[::-1]),
        "masks": tv_tensors.Mask(torch.ones(1, *PHOTO.size[::-1], dtype=torch.uint8)),
        "labels": torch.tensor([1]),
    }
    transforms = v2.Compose(
        [
            v2.RandomHorizontalFlip(p=1),
            PREPARE,
            v2.SanitizeBoundingBoxes(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.2] * 3),
        ]
    )
    picture, done = transforms(tv_tensors.Image(tensor), target)
    assert picture.shape == (3, 48, 48)
    assert (len(done["boxes"]), len(done["masks"]), len(done["labels"])) == (1, 1, 1)


@pytest.mark.parametrize(
    "first", [v2.Grayscale(), v2.Resize(200, antialias=True), v2.ColorJitter(0.4), v2.GaussianNoise(0, 0.05)]
)
def test_it_follows_transforms_of_floats(first: Any, tensor: Any) -> None:
    given = v2.functional.to_dtype(tensor, torch.float32, scale=True)
    done = v2.Compose([first, V2Transform(Pipeline([HandCropper(), ResizePad(48), Greyscale()]))])(given)
    assert done.shape == (1, 48, 48)
