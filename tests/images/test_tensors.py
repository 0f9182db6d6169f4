"""Torch tensors and torchvision's tv_tensors as pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from handprep import images
from handprep.errors import InputError
from handprep.sample import Sample
from tests.images.any_torchvision import require_torchvision

torch = pytest.importorskip("torch", reason="needs torch, which is optional")

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
DTYPES = [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.fixture(scope="module")
def tv_tensors() -> Any:
    require_torchvision()
    from torchvision import tv_tensors

    return tv_tensors


def tensor_of(pixels: Any, dtype: Any = torch.uint8) -> Any:
    tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    return tensor if dtype == torch.uint8 else (tensor.double() / 255).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensor_is_read_and_comes_back(dtype: Any) -> None:
    given = tensor_of(RGB, dtype)
    sample = images.read(given)
    # bfloat16 has 8 bits of precision: near white, one level is lost
    assert np.abs(sample.image.astype(int) - RGB).max() <= (1 if dtype == torch.bfloat16 else 0)
    back = images.to_type_of(sample, given)
    assert (back.dtype, back.shape, back.device) == (given.dtype, given.shape, given.device)
    np.testing.assert_array_equal(images.read(back).image, sample.image)


def test_one_channel_stays_one() -> None:
    given = tensor_of(RGB)[:1]
    sample = images.read(given)
    np.testing.assert_array_equal(sample.image, RGB[..., 0])
    assert torch.equal(images.to_type_of(sample, given), given)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_whole_numbers_that_fit_a_byte_are_taken_and_given_back(dtype: Any) -> None:
    given = tensor_of(RGB).to(dtype)
    sample = images.read(given)
    np.testing.assert_array_equal(sample.image, RGB)
    back = images.to_type_of(sample, given)
    assert back.dtype == dtype
    assert torch.equal(back, given)


def test_sixteen_bits_are_read_by_those_that_are_used() -> None:
    sample = images.read(torch.tensor([[[0, 511, 1023]]], dtype=torch.uint16))
    assert sample.image.tolist() == [[0, 127, 255]]
    assert [step.details for step in sample.steps] == [{"depth": 10}]


def test_grey_and_transparent_decide_the_channels() -> None:
    given = tensor_of(RGB, torch.float32)
    grey = Sample(image=RGB[..., 0], alpha=RGB[..., 1], transparent=True)
    assert images.to_type_of(grey, given).shape == (2, 6, 9)
    assert images.to_type_of(replace(grey, transparent=False), given).shape == (1, 6, 9)
    rgba = images.to_type_of(replace(grey, image=RGB), given)
    np.testing.assert_array_equal(
        (rgba * 255).round().byte().numpy(), np.dstack([RGB, RGB[..., 1]]).transpose(2, 0, 1)
    )


def test_given_tensor_is_neither_changed_nor_shared() -> None:
    given = tensor_of(RGB)
    before = given.clone()
    sample = images.read(given)
    back = images.to_type_of(sample, given)
    back.zero_()
    given_again = images.to_type_of(sample, given)
    assert torch.equal(given, before)
    assert torch.equal(given_again, before)


def test_tensors_that_need_gradients_or_are_views_are_read() -> None:
    view = tensor_of(RGB, torch.float32).requires_grad_()[:, ::2, ::3]
    np.testing.assert_array_equal(images.read(view).image, RGB[::2, ::3])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_device_is_kept() -> None:
    given = tensor_of(RGB).cuda()
    back = images.to_type_of(images.read(given), given)
    assert back.device == given.device
    assert torch.equal(back, given)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((2, 3, 4, 5), r"not \(2, 3, 4, 5\)\. Of a batch, give one image at a time"),
        ((40, 50, 3), r"not \(40, 50, 3\)\. Channels last\? .*permute\(2, 0, 1\)"),
        ((4, 5), r"not \(4, 5\)\. Give a grey image as tensor\[None\]"),
        ((4, 5, 6), r"not \(4, 5, 6\)"),
        ((3, 0, 6), r"not \(3, 0, 6\)"),
        ((), r"not \(\)"),
    ],
)
def test_other_shapes_are_refused_with_a_hint(shape: tuple[int, ...], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        images.read(torch.zeros(shape))


@pytest.mark.parametrize(
    ("tensor", "hint"),
    [
        (torch.full((3, 2, 2), 256), "of int64 must hold numbers from 0 to 255, not 256"),
        (torch.zeros((3, 2, 2), dtype=torch.bool), r"not torch\.bool"),
        (torch.full((3, 2, 2), 255.0), "0 to 1, not 255 to 255; divide by 255"),
        (torch.full((3, 2, 2), torch.nan), "not nan to nan"),
    ],
)
def test_other_numbers_are_refused(tensor: Any, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        images.read(tensor)


def test_tv_image_stays_one(tv_tensors: Any) -> None:
    given = tv_tensors.Image(tensor_of(RGB))
    back = images.to_type_of(images.read(given), given)
    assert type(back) is tv_tensors.Image
    assert torch.equal(back, given)


def test_other_tv_tensors_are_refused(tv_tensors: Any) -> None:
    with pytest.raises(InputError, match="not Mask"):
        images.read(tv_tensors.Mask(tensor_of(RGB)))
