"""Pixels in numpy arrays: to 8-bit RGB, and back to the kind of numbers that were given."""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.geometry import Affine
from handprep.sample import Alpha, Image, Sample

Colour: TypeAlias = tuple[int, int, int]  # red, green, blue, each 0 to 255

FLOAT_SLACK = 0.1  # how far a float may lie outside [0, 1] and is clipped: as resampling or noise leaves it
ACCEPTED_DTYPES = "uint8, uint16, whole numbers from 0 to 255, or floats from 0 to 1"
FLOATS = {("f", 2), ("f", 4), ("f", 8)}  # kinds and bytes of their dtypes
DEPTHS = (8, 10, 12, 14, 16)  # bits, of what cameras and scanners store in 16


def from_array(array: NDArray[Any], background: Colour | None, order: str) -> Sample:
    """Turn an array of pixels into a sample of its own memory, with alpha where no background is given."""
    _check_shape(array.shape)
    depth = depth_of(array)
    pixels = eight_bits(array, depth)
    alpha = np.array(pixels[..., 3]) if pixels.shape[2:] == (4,) else None
    if pixels.shape[2:] == (1,):
        pixels = pixels[..., 0]
    elif pixels.ndim == 3:
        pixels = pixels[..., 2::-1] if order == "bgr" else pixels[..., :3]
    if alpha is not None and background is not None:
        pixels, alpha = over(pixels, alpha, background), None
    return sample_of(np.array(pixels, order="C"), alpha, depth)


def sample_of(
    image: Image, alpha: Alpha | None, depth: int | None, orientation: int = 1, **known: Any
) -> Sample:
    """Return decoded pixels as a sample, upright, with their depth in bits on record where it is odd."""
    alpha = None if alpha is None else upright(alpha, orientation)
    sample = Sample(image=upright(image, orientation), alpha=alpha, transparent=alpha is not None, **known)
    return sample if depth in (None, 16) else sample.with_step("read", depth=depth)


def check_rgb(array: Any) -> None:
    """Raise InputError unless this is what detectors take: a uint8 ``(H, W, 3)`` RGB array.

    It need not be contiguous. The message says what was given and how to convert it.

    Examples
    --------
    >>> check_rgb(np.zeros((2, 4), np.float32))
    Traceback (most recent call last):
    handprep.errors.InputError: expected a uint8 (H, W, 3) RGB array, not float32 (2, 4); \
convert it with handprep.images.read(array).rgb
    """
    given = type(array).__name__
    if isinstance(array, np.ndarray):
        _check_shape(array.shape)
        if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
            return
        given = f"{array.dtype} {array.shape}"
    remedy = "convert it with handprep.images.read(array).rgb"
    raise InputError(f"expected a uint8 (H, W, 3) RGB array, not {given}; {remedy}")


def _check_shape(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise InputError(f"an image needs at least one pixel, but this array has shape {shape}")
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        return
    hint = ""
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        hint = ". Channels first? Transpose it with array.transpose(1, 2, 0), or give a torch tensor"
    elif len(shape) == 4:
        hint = ". A batch? Give one image at a time"
    raise InputError(f"an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {shape}{hint}")


def depth_of(array: NDArray[Any]) -> int | None:
    """Return how many bits of uint16 numbers are used; None for numbers of other kinds."""
    return bits_for(int(array.max())) if (array.dtype.kind, array.dtype.itemsize) == ("u", 2) else None


def bits_for(largest: int) -> int:
    """Return the fewest of `DEPTHS` that hold a number."""
    return next(bits for bits in DEPTHS if largest < 1 << bits)


def eight_bits(array: NDArray[Any], depth: int | None) -> NDArray[np.uint8]:
    """Return numbers of `ACCEPTED_DTYPES` as uint8 of the same shape, or raise InputError.

    Of uint16, the upper 8 of `depth` bits are kept. Floats are rounded.
    """
    kind, size = array.dtype.kind, array.dtype.itemsize
    if (kind, size) == ("u", 1):
        return array
    if depth is not None:
        return (array >> depth - 8).astype(np.uint8)
    if kind not in "iu" and (kind, size) not in FLOATS:
        hint = "; a mask becomes an image with mask.astype('uint8') * 255" if kind == "b" else ""
        raise InputError(f"an image's numbers must be {ACCEPTED_DTYPES}, not {array.dtype}{hint}")
    low, high = float(array.min()), float(array.max())
    held = f"not {low:g} to {high:g}"
    if kind in "iu":
        if low < 0 or high > 255:
            raise InputError(f"an image of {array.dtype} must hold numbers from 0 to 255, {held}")
        return array.astype(np.uint8)
    if not (low >= -FLOAT_SLACK and high <= 1 + FLOAT_SLACK):  # not (…), so that NaN is refused
        hint = ""
        if low < -FLOAT_SLACK:
            hint = "; normalised? Put handprep before Normalize, or undo that first"
        elif 2 < high <= 255:
            hint = "; divide by 255, or give uint8"
        raise InputError(f"an image of {array.dtype} must hold numbers from 0 to 1, {held}{hint}")
    return np.asarray(np.rint(np.clip(array, 0, 1) * 255), np.uint8)


def over(colours: Image, alpha: Alpha, background: Colour) -> Image:
    """Lay uint8 ``(H, W, 3)`` colours, not multiplied by alpha, over one colour, to the nearest level."""
    alpha = np.repeat(alpha[..., None], 3, axis=2)  # numpy multiplies equal shapes twice as fast
    mixed = np.multiply(colours, alpha, dtype=np.uint16)
    mixed += np.multiply(~alpha, np.array(background, np.uint16), dtype=np.uint16)
    mixed += 127  # at most 255·255 + 127 < 2^16
    mixed //= 255
    return mixed.astype(np.uint8)


def channels_of(sample: Sample) -> NDArray[np.uint8]:
    """Return a copy of a sample's image with its alpha as a last channel if it is transparent."""
    image = np.array(sample.image, order="C")
    if not sample.transparent:
        return image
    alpha = np.full(image.shape[:2], 255, np.uint8) if sample.alpha is None else sample.alpha
    return np.dstack([image, alpha])


def in_dtype(pixels: NDArray[np.uint8], dtype: DTypeLike) -> NDArray[Any]:
    """Return uint8 numbers as another accepted kind: uint16 over its full range, floats from 0 to 1."""
    dtype = np.dtype(dtype)
    if (dtype.kind, dtype.itemsize) == ("u", 2):
        return (pixels.astype(np.uint16) * 257).astype(dtype)  # 255 · 257 = 65535
    if (dtype.kind, dtype.itemsize) in FLOATS:
        return np.divide(pixels, 255, dtype=np.promote_types(dtype, np.float32)).astype(dtype, copy=False)
    if dtype.kind not in "iu":
        raise InputError(f"an image's numbers must be {ACCEPTED_DTYPES}, not {dtype}")
    return pixels.astype(dtype, copy=False)


def resized(array: NDArray[Any], size: tuple[int, int], how: int | None = None) -> NDArray[Any]:
    """Scale to width and height, `how` OpenCV's flag says; None averages to shrink, else it is bilinear."""
    if array.shape[1::-1] == size:
        return array
    if how is None:  # bilinear sampling would skip pixels where the image shrinks
        shrinks = size[0] * size[1] < array.shape[0] * array.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(array, size, interpolation=how))


def shrunk(image: NDArray[Any], longest_side: int) -> tuple[NDArray[Any], Affine]:
    """Average an image down to a longest side, and return the map back to its pixels.

    An image that is no longer comes back as it is.
    """
    height, width = image.shape[:2]
    factor = max(height, width) / longest_side
    if factor <= 1:
        return image, geometry.identity()
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return resized(image, size), geometry.scaling(width / size[0], height / size[1])


# EXIF 2.32, tag 0x0112: what to do, in this order: transpose, mirror left to right, mirror top to bottom.
ORIENTATIONS = {n: (n > 4, n in (2, 3, 6, 7), n in (3, 4, 7, 8)) for n in range(1, 9)}


def upright(image: Image, orientation: int) -> Image:
    """Turn an image by its EXIF orientation, 1 to 8; 1 leaves it as it is."""
    transposed, flip_x, flip_y = ORIENTATIONS[orientation]
    turned = cv2.transpose(image) if transposed else image
    if flip_x or flip_y:
        turned = cv2.flip(turned, -1 if flip_x and flip_y else int(flip_x))
    return np.asarray(turned, np.uint8)
