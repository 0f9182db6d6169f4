"""Pixels in numpy arrays: to 8-bit RGB, and back to the kind of numbers that were given."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from handprep.errors import InputError
from handprep.sample import Image, Sample

Colour: TypeAlias = tuple[int, int, int]  # red, green, blue, each 0 to 255

# What a float may lie outside [0, 1], as resampling leaves it: too little to change a grey level.
FLOAT_SLACK = 0.5 / 255
ACCEPTED_DTYPES = "uint8, uint16, or float16, float32 or float64 from 0 to 1"


def rgb_from_array(array: NDArray[Any], background: Colour) -> Image:
    """Turn an array of pixels into a picture of its own memory.

    Parameters
    ----------
    array
        ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA; uint8, uint16 over its full
        range, or a float from 0 to 1.
    background
        What shows through where RGBA is transparent.

    Returns
    -------
    Image
        uint8 ``(H, W, 3)`` RGB, a copy.

    Raises
    ------
    InputError
        If the shape, dtype or range is another.
    """
    _check_shape(array.shape)
    pixels = eight_bits(array)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return over(pixels, background)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return np.array(pixels, dtype=np.uint8, order="C")


def check_rgb(array: Any) -> None:
    """Raise InputError unless this is what detectors take: a uint8 ``(H, W, 3)`` RGB array.

    It need not be contiguous. The message says what was given and how to convert it.

    Examples
    --------
    >>> check_rgb(np.zeros((2, 4), np.float32))
    Traceback (most recent call last):
    handprep.errors.InputError: expected a uint8 (H, W, 3) RGB array, not float32 (2, 4); \
convert it with handprep.images.read(array).image
    """
    given = type(array).__name__
    if isinstance(array, np.ndarray):
        _check_shape(array.shape)
        if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
            return
        given = f"{array.dtype} {array.shape}"
    raise InputError(
        f"expected a uint8 (H, W, 3) RGB array, not {given}; "
        "convert it with handprep.images.read(array).image"
    )


def _check_shape(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise InputError(f"a picture needs at least one pixel, but this array has shape {shape}")
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        return
    hint = ""
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        hint = ". Channels first? Transpose it with array.transpose(1, 2, 0), or give a torch tensor"
    elif len(shape) == 4:
        hint = ". A batch? Give one picture at a time"
    raise InputError(f"a picture array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {shape}{hint}")


def eight_bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return numbers of an accepted kind as uint8 of the same shape; uint8 comes back as it is.

    Of 16 bits the upper 8 are kept, as libpng and Pillow do; floats are rounded.

    Raises
    ------
    InputError
        If the dtype is another, or a float is NaN or outside 0 to 1.
    """
    kind = array.dtype.kind, array.dtype.itemsize
    if kind == ("u", 1):
        same: NDArray[np.uint8] = array
        return same
    if kind == ("u", 2):
        return (array >> 8).astype(np.uint8)
    if kind not in {("f", 2), ("f", 4), ("f", 8)}:
        raise InputError(f"a picture's numbers must be {ACCEPTED_DTYPES}, not {array.dtype}{_hint(array)}")
    low, high = float(array.min()), float(array.max())
    if not (low >= -FLOAT_SLACK and high <= 1 + FLOAT_SLACK):  # not (…), so that NaN is refused
        hint = "; divide by 255, or give uint8" if 1 < high <= 255 and low >= 0 else ""
        raise InputError(
            f"a picture of {array.dtype} must hold numbers from 0 to 1, not {low:g} to {high:g}{hint}"
        )
    rounded: NDArray[np.uint8] = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return rounded


def _hint(array: NDArray[Any]) -> str:
    if array.dtype == np.bool_:
        return "; a mask becomes a picture with mask.astype('uint8') * 255"
    if array.dtype.kind in "iu" and array.size and int(array.min()) >= 0 and int(array.max()) <= 255:
        return "; its numbers fit array.astype('uint8')"
    return ""


def over(rgba: NDArray[np.uint8], background: Colour) -> Image:
    """Lay uint8 ``(H, W, 4)`` RGBA (straight alpha) over a colour, rounded to the nearest level."""
    colour, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    behind = (255 - alpha) * np.array(background, dtype=np.uint16)
    mixed: Image = ((colour * alpha + behind + 127) // 255).astype(np.uint8)  # at most 255·255 + 127 < 2^16
    return mixed


def channels_of(sample: Sample) -> NDArray[np.uint8]:
    """Return a sample's picture with its alpha as a last channel if it is transparent, as a copy.

    Returns
    -------
    numpy.ndarray
        uint8 ``(H, W)`` or ``(H, W, 3)``; ``(H, W, 2)`` or ``(H, W, 4)`` if transparent. Where nothing
        has set an alpha, everything is opaque.
    """
    image = np.array(sample.image, order="C")
    if not sample.transparent:
        return image
    alpha = np.full(image.shape[:2], 255, np.uint8) if sample.alpha is None else sample.alpha
    return np.dstack([image, alpha])


def in_dtype(pixels: NDArray[np.uint8], dtype: DTypeLike) -> NDArray[Any]:
    """Return uint8 numbers as another kind: uint16 over its full range, floats from 0 to 1.

    Raises
    ------
    InputError
        If the dtype is not one of those accepted.
    """
    dtype = np.dtype(dtype)
    kind = dtype.kind, dtype.itemsize
    if kind == ("u", 1):
        return pixels
    if kind == ("u", 2):
        return (pixels.astype(np.uint16) * 257).astype(dtype)  # 255 · 257 = 65535
    if kind in {("f", 2), ("f", 4), ("f", 8)}:
        return (pixels.astype(dtype) / 255).astype(dtype)
    raise InputError(f"a picture's numbers must be {ACCEPTED_DTYPES}, not {dtype}")


def upright(image: Image, orientation: int) -> Image:
    """Turn a picture by its EXIF orientation, 1 to 8; 1 leaves it as it is."""
    transposed, flip_x, flip_y = ORIENTATIONS[orientation]
    turned = cv2.transpose(image) if transposed else image
    if flip_x or flip_y:
        turned = cv2.flip(turned, -1 if flip_x and flip_y else int(flip_x))
    return np.asarray(turned, dtype=np.uint8)


# EXIF 2.32, tag 0x0112: what to do, in this order: transpose, mirror left to right, mirror top to bottom.
ORIENTATIONS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
