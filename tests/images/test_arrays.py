"""Numpy arrays as pictures: which are taken, what becomes of their numbers, and how they come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from handprep import images
from handprep.errors import InputError
from handprep.images.arrays import ORIENTATIONS, upright
from handprep.sample import Sample

DTYPES = ["uint8", "uint16", "float16", "float32", "float64", ">u2", ">f4"]
LEVELS = np.arange(256, dtype=np.uint8).reshape(8, 32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_grey_level_survives_every_dtype(dtype: str) -> None:
    sample = Sample(image=np.dstack([LEVELS] * 3))
    there = images.to_type_of(sample, np.zeros((1, 1), dtype))
    assert there.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(images.read(there).image, sample.image)


@pytest.mark.parametrize(
    ("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1), ("float16", 1)]
)
def test_black_and_white_are_the_ends_of_the_range(dtype: str, top: float) -> None:
    given_array = np.array([[0, top]], dtype)
    assert images.read(given_array).image.tolist() == [[0, 255]]
    back = images.to_type_of(images.read(given_array), given_array)
    assert (back.min(), back.max()) == (0, top)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4), (1, 1), (3, 2, 3), (1, 4, 4)])
def test_accepted_shapes_become_rgb_or_stay_grey(shape: tuple[int, ...]) -> None:
    sample = images.read(np.full(shape, 200, np.uint8))
    assert sample.rgb.shape == (*shape[:2], 3)
    assert sample.image.ndim == (3 if shape[2:] in ((3,), (4,)) else 2)


def test_grey_and_rgb_are_kept() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(images.read(rgb).image, rgb)
    for grey in (rgb[..., 0], rgb[..., :1]):
        np.testing.assert_array_equal(images.read(grey).image, rgb[..., 0])
        np.testing.assert_array_equal(images.to_type_of(images.read(grey), grey), grey)


@given(
    rgba=arrays_of.arrays(np.uint8, (3, 4, 4)),
    background=st.tuples(*[st.integers(0, 255)] * 3),
)
@settings(deadline=None, derandomize=True, max_examples=50)
def test_rgba_is_laid_over_the_background(rgba: Any, background: tuple[int, int, int]) -> None:
    alpha = rgba[..., 3:] / 255
    exact = rgba[..., :3] * alpha + np.array(background) * (1 - alpha)
    image = images.read(rgba, background=background).image
    assert np.abs(image - exact).max() <= 0.5 + 1e-9  # the nearest level


@pytest.mark.parametrize("dtype", DTYPES)
def test_given_array_is_neither_changed_nor_shared_nor_locked(dtype: str) -> None:
    array = np.ones((4, 5, 3), dtype)
    before = array.copy()
    sample = images.read(array)
    back = images.to_type_of(sample, array)
    assert array.flags.writeable
    assert back.flags.writeable
    assert not np.shares_memory(array, sample.image)
    assert not np.shares_memory(back, sample.image)
    back[:] = 0
    np.testing.assert_array_equal(array, before)


def test_strided_and_read_only_arrays_are_taken() -> None:
    base = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    view = base[::2, ::-1, ::-1]
    view.flags.writeable = False
    np.testing.assert_array_equal(images.read(view).image, view)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((3, 40, 50), r"not \(3, 40, 50\)\. Channels first\? Transpose it .* or give a torch tensor"),
        ((2, 4, 5, 3), r"not \(2, 4, 5, 3\)\. A batch\? Give one image at a time"),
        ((4, 5, 2), r"\(H, W, 3\).* not \(4, 5, 2\)"),
        ((4, 5, 5), r"not \(4, 5, 5\)"),
        ((4,), r"not \(4,\)"),
        ((), r"not \(\)"),
        ((0, 5, 3), r"at least one pixel.* \(0, 5, 3\)"),
        ((5, 0), r"at least one pixel.* \(5, 0\)"),
    ],
)
def test_other_shapes_are_refused_with_a_hint(shape: tuple[int, ...], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        images.read(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.zeros((2, 2), bool), r"not bool; a mask becomes an image with mask\.astype"),
        (np.full((2, 2), -1), "of int64 must hold numbers from 0 to 255, not -1 to -1"),
        (np.full((2, 2), 256, np.uint32), "of uint32 must hold numbers from 0 to 255, not 256"),
        (np.zeros((2, 2), complex), "not complex128"),
        (np.zeros((2, 2), object), "not object"),
        (np.zeros((2, 2), "U3"), "not <U3"),
        (np.zeros((2, 2), np.longdouble), "not (float128|longdouble|float64)"),
        (np.full((2, 2), 255.0), "0 to 1, not 255 to 255; divide by 255, or give uint8"),
        (np.array([[0, np.nan]]), "not nan to nan"),
        (np.array([[0, np.inf]]), "not 0 to inf"),
        (np.array([[-0.11, 1]], np.float32), "not -0.11 to 1; normalised.* before Normalize"),
        (np.array([[0, 1.2]], np.float32), "not 0 to 1.2$"),
        (np.array([[-2.1, 2.6]], np.float32), "not -2.1 to 2.6; normalised"),
    ],
)
def test_other_numbers_are_refused_with_a_hint(array: Any, hint: str) -> None:
    if array.dtype == np.float64 and array.dtype.char == "g":
        pytest.skip("long double is float64 on this platform")
    with pytest.raises(InputError, match=hint):
        images.read(array)


def test_what_resampling_or_noise_leaves_outside_the_range_is_clipped() -> None:
    array = np.array([[-0.1, 0.5, 1.1]])
    assert images.read(array).image.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_white_is_the_largest_number_of_the_bits_that_are_used(depth: int) -> None:
    white = (1 << depth) - 1
    sample = images.read(np.array([[0, white // 2, white]], np.uint16))
    assert sample.image.tolist() == [[0, 127, 255]]
    assert [step.details for step in sample.steps] == ([] if depth == 16 else [{"depth": depth}])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint32", "uint64"])
def test_whole_numbers_that_fit_a_byte_are_taken_and_given_back(dtype: str) -> None:
    given_array = np.array([[0, 5, 127]], dtype)
    sample = images.read(given_array)
    assert sample.image.tolist() == [[0, 5, 127]]
    back = images.to_type_of(sample, given_array)
    assert (back.dtype, back.tolist()) == (np.dtype(dtype), [[0, 5, 127]])


def test_unknown_dtype_is_not_given_back() -> None:
    with pytest.raises(InputError, match="not complex128"):
        images.to_type_of(Sample(image=LEVELS), np.zeros((2, 2), complex))


def test_bgr_is_exchanged_if_said() -> None:
    bgra = np.array([[[1, 2, 3, 255]]], np.uint8)
    for given_array in (bgra, bgra[..., :3]):
        assert images.read(given_array, order="bgr").image.tolist() == [[[3, 2, 1]]]
    assert images.read(bgra[..., 0], order="bgr").image.tolist() == [[1]]
    unseen = np.array([[[1, 2, 3, 0]]], np.uint8)  # its background is RGB all the same
    assert images.read(unseen, order="bgr", background=(10, 20, 30)).image.tolist() == [[[10, 20, 30]]]
    with pytest.raises(InputError, match="order='bgr' is for numpy arrays, not bytes"):
        images.read(b"", order="bgr")


def test_alpha_is_kept_if_asked_for() -> None:
    rgba = np.arange(16, dtype=np.uint8).reshape(2, 2, 4)
    sample = images.read(rgba, alpha="keep")
    assert sample.alpha is not None
    np.testing.assert_array_equal(sample.image, rgba[..., :3])
    np.testing.assert_array_equal(images.to_type_of(sample, rgba), rgba)
    assert images.read(rgba[..., :3], alpha="keep").alpha is None


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientations_follow_exif(orientation: int) -> None:
    # EXIF 2.32: where the stored first row and first column lie when the picture is upright
    upright_picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    stored = {
        1: upright_picture,  # top, left
        2: upright_picture[:, ::-1],  # top, right
        3: upright_picture[::-1, ::-1],  # bottom, right
        4: upright_picture[::-1],  # bottom, left
        5: upright_picture.T,  # left, top
        6: upright_picture[:, ::-1].T,  # right, top
        7: upright_picture[::-1, ::-1].T,  # right, bottom
        8: upright_picture[::-1].T,  # left, bottom
    }[orientation]
    np.testing.assert_array_equal(upright(np.ascontiguousarray(stored), orientation), upright_picture)


def test_numbers_do_not_depend_on_pil() -> None:
    np.testing.assert_array_equal(
        images.read(LEVELS).rgb, np.asarray(PIL.Image.fromarray(LEVELS).convert("RGB"))
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((4, 6, 3), np.float32), r"not float32 \(4, 6, 3\); convert it with handprep\.images\.read"),
        (np.zeros((4, 6, 3), np.uint16), r"not uint16 \(4, 6, 3\); convert"),
        (np.zeros((4, 6, 4), np.uint8), r"not uint8 \(4, 6, 4\); convert"),
        (np.zeros((4, 6), np.uint8), r"not uint8 \(4, 6\); convert"),
        (np.zeros((3, 40, 60), np.uint8), r"Channels first\?"),
        (np.zeros((2, 4, 6, 3), np.uint8), r"one image at a time"),
        (np.zeros((0, 6, 3), np.uint8), r"at least one pixel"),
        (PIL.Image.new("RGB", (6, 4)), r"not Image; convert"),
        (None, r"not NoneType; convert"),
    ],
)
def test_what_a_detector_cannot_take_is_named_with_its_remedy(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        images.check_rgb(given)


def test_a_detector_takes_rgb_of_any_memory_layout() -> None:
    images.check_rgb(np.zeros((8, 12, 3), np.uint8)[::2, ::-1])
