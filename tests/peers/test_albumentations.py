"""What albumentations promises of every ``DualTransform``; contracts of its documentation, 2.0.8."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from handprep import HandCropper, Pipeline, ResizePad, images
from tests.rendered import photos

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else its import asks the internet for news
A = pytest.importorskip("albumentations", reason="needs albumentations, which is optional")

from handprep.integrations.albumentations import PrepareHands  # noqa: E402

PHOTO = photos()[4]
PIXELS = images.read(PHOTO.path).image.copy()


def prepare() -> PrepareHands:
    return PrepareHands(Pipeline([HandCropper(), ResizePad(48)]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(360, 480), (360, 480, 1), (360, 480, 3)])
def test_shape_and_dtype_of_pictures_stay(shape: tuple[int, ...], dtype: Any) -> None:
    given = PIXELS if len(shape) == 3 and shape[2] == 3 else PIXELS.mean(-1).astype(np.uint8).reshape(shape)
    given = given if dtype is np.uint8 else given.astype(np.float32) / 255
    before = given.copy()
    done = prepare()(image=given)["image"]
    assert (done.dtype, done.shape) == (np.dtype(dtype), (48, 48, *shape[2:]))
    assert done.flags.c_contiguous
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize(
    "around",
    [
        lambda t: A.Compose([t]),
        lambda t: A.OneOf([t], p=1),
        lambda t: A.SomeOf([t], n=1, p=1),
        lambda t: A.Sequential([t], p=1),
        lambda t: A.ReplayCompose([t]),
        lambda t: A.from_dict(A.to_dict(t)),
    ],
)
def test_it_stands_in_every_container(around: Any) -> None:
    done = around(prepare())(image=PIXELS, mask=PIXELS[..., 0])
    np.testing.assert_array_equal(done["image"], prepare()(image=PIXELS)["image"])
    assert done["mask"].shape == (48, 48)


@pytest.mark.parametrize("kind", ["coco", "pascal_voc", "albumentations", "yolo"])
def test_boxes_of_every_format_are_taken(kind: str) -> None:
    x0, y0, x1, y1 = PHOTO.box
    width, height = PHOTO.size
    box = {
        "coco": (x0, y0, x1 - x0, y1 - y0),
        "pascal_voc": (x0, y0, x1, y1),
        "albumentations": (x0 / width, y0 / height, x1 / width, y1 / height),
        "yolo": ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height),
    }[kind]
    transform = A.Compose([prepare()], bbox_params=A.BboxParams(format=kind, label_fields=["labels"]))
    for boxes in ([box], np.array([box], np.float32)):
        done = transform(image=PIXELS, bboxes=boxes, labels=[1])
        assert (len(done["bboxes"]), len(done["labels"])) == (1, 1)


def test_it_follows_and_is_followed_by_others() -> None:
    transform = A.Compose(
        [A.HorizontalFlip(p=1), A.GaussNoise(p=1), prepare(), A.ToGray(p=1), A.Normalize()], seed=3
    )
    assert transform(image=PIXELS)["image"].shape == (48, 48, 3)
