"""Reading and giving back every kind of picture: files, bytes, PIL images, arrays and tensors."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image

from handprep.errors import ImageError, InputError
from handprep.images import arrays, decoding, tensors
from handprep.images.arrays import Colour, check_rgb
from handprep.images.decoding import MAX_PIXELS
from handprep.images.encoding import encode, write
from handprep.names import printable
from handprep.sample import Sample

__all__ = ["MAX_PIXELS", "check_rgb", "encode", "like", "read", "write"]

VERSION = 1  # of how images are read: raise it when a file gives other pixels
WHITE: Colour = (255, 255, 255)
GIVEN_BYTES = "the given bytes"
KINDS = (
    "a path, bytes, a binary file, a PIL image, an (H, W, 3) RGB numpy array, a (3, H, W) torch tensor "
    "or a Sample"
)


def read(
    picture: Any,
    *,
    at_least: int | None = None,
    background: Colour = WHITE,
    max_pixels: int | None = MAX_PIXELS,
    name: str | None = None,
) -> Sample:
    """Read a picture of any kind.

    Parameters
    ----------
    picture
        One of these:

        - a path (str or PathLike) of a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or PPM file (HEIC, too, once
          pillow-heif is registered), whatever its name ends in; or its content as bytes or as a binary
          file. Of an animation, the first frame counts;
        - a PIL image of any mode;
        - a numpy array: ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA, ``(H, W)`` or ``(H, W, 1)`` grey; uint8,
          uint16 over its full range, or float16, float32 or float64 from 0 to 1;
        - a torch tensor or ``tv_tensors.Image`` of any device: ``(3, H, W)`` or ``(1, H, W)``, uint8 or
          a float from 0 to 1;
        - a `Sample`, which is returned as it is.
    at_least
        If a longer side of this many pixels is enough, a JPEG file is decoded at 1/2, 1/4 or 1/8 of its
        size, whichever is the smallest that is still large enough. `Sample.to_source` holds the factor.
        None: always at full size.
    background
        Red, green and blue (0 to 255) of what shows through where the picture is transparent.
    max_pixels
        The largest width times height to decode, checked before decoding; None for no limit.
    name
        What to call bytes or a binary file, in messages and as `Sample.source`.

    Returns
    -------
    Sample
        A uint8 ``(H, W, 3)`` RGB image of its own memory, turned upright by its EXIF orientation;
        hands not looked for; `source` is the path if there is one, or the given name. Colour profiles are
        not applied.

    Raises
    ------
    ImageError
        If a file is missing, no picture, too large, truncated or damaged. (A program that sets Pillow's
        ``ImageFile.LOAD_TRUNCATED_IMAGES`` gets what Pillow makes of truncated files instead.)
    InputError
        If `picture` is of another kind, or an array or tensor of another shape, dtype or range.

    Examples
    --------
    >>> import numpy as np
    >>> read(np.zeros((2, 4), np.float32)).image.shape
    (2, 4, 3)
    """
    _check_options(at_least, background, max_pixels)
    if isinstance(picture, Sample):
        return picture
    if isinstance(picture, str | os.PathLike):
        return _read_file(picture, at_least, background, max_pixels)
    if isinstance(picture, PIL.Image.Image):
        path = os.fsdecode(getattr(picture, "filename", "") or "") or None
        name = printable(path) if path else "the given PIL image"
        image = decoding.flatten(picture, name, background=background, max_pixels=max_pixels)
        return Sample(image=image, source=path)
    if isinstance(picture, np.ndarray):
        return Sample(image=arrays.rgb_from_array(picture, background))
    if tensors.is_tensor(picture):
        return Sample(image=tensors.rgb_from_tensor(picture))
    called = printable(name) if name else GIVEN_BYTES
    image, to_source = decoding.decode(
        io.BytesIO(_content(picture, called)),
        called,
        at_least=at_least,
        background=background,
        max_pixels=max_pixels,
    )
    return Sample(image=image, to_source=to_source, source=name)


def like(sample: Sample, picture: Any) -> Any:
    """Give a sample's picture back as the same kind that `picture` is.

    Parameters
    ----------
    sample
        The sample to give back.
    picture
        What was read; only its kind, dtype and device matter.

    Returns
    -------
    object
        A `Sample` for a sample; a PIL image for a PIL image (L, RGB, LA or RGBA); a CHW tensor of the same
        class, dtype and device for a tensor; else a numpy array, of the same dtype for an array and of
        uint8 for files and bytes. Grey pictures are ``(H, W)`` and ``(1, H, W)``. Transparent ones have
        their alpha as one more channel. Arrays are writable and share no memory with anything.

    Raises
    ------
    InputError
        If `picture` is of another kind or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> given = np.ones((2, 4, 3), np.float16)
    >>> like(read(given), given).dtype
    dtype('float16')
    """
    if isinstance(picture, Sample):
        return sample
    pixels = arrays.channels_of(sample)
    if isinstance(picture, PIL.Image.Image):
        return PIL.Image.fromarray(pixels)
    if isinstance(picture, np.ndarray):
        return arrays.in_dtype(pixels, picture.dtype)
    if tensors.is_tensor(picture):
        return tensors.tensor_like(pixels, picture)
    if isinstance(picture, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(picture, "read"):
        return pixels
    raise InputError(f"a picture must be {KINDS}, not {type(picture).__name__}")


def lent(picture: Any) -> Any:
    """Return a uint8 RGB array as a sample that shares its memory; anything else as it is.

    For a call whose result is copied before it returns: `read` would copy the array first, which for
    12 megapixels takes longer than scaling them down.
    """
    if type(picture) is not np.ndarray or picture.dtype != np.uint8 or not picture.flags.c_contiguous:
        return picture
    is_rgb = picture.ndim == 3 and picture.shape[2] == 3 and picture.size > 0
    return Sample(image=picture) if is_rgb else picture


def is_batch(picture: Any) -> bool:
    """Tell whether something is a batch of pictures: an ``(N, C, H, W)`` tensor."""
    return tensors.is_batch(picture)


def split(batch: Any) -> list[Any]:
    """Return the pictures of a batch, each as `read` takes it."""
    return tensors.split(batch)


def like_batch(samples: Sequence[Sample], batch: Any) -> Any:
    """Give samples' pictures back as one tensor of a batch's class, dtype and device.

    Parameters
    ----------
    samples
        The samples, all of one size and number of channels.
    batch
        What they were read from.

    Returns
    -------
    torch.Tensor
        ``(N, C, H, W)``.

    Raises
    ------
    InputError
        If the samples' pictures are not of one shape.
    """
    return tensors.batch_like([arrays.channels_of(sample) for sample in samples], batch)


def _check_options(at_least: int | None, background: Colour, max_pixels: int | None) -> None:
    for name, value in (("at_least", at_least), ("max_pixels", max_pixels)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
        ):
            raise InputError(f"{name} must be a number of pixels, 1 or more, or None, not {value!r}")
    levels = tuple(background) if isinstance(background, tuple | list) else ()
    if len(levels) != 3 or not all(
        isinstance(level, int | np.integer) and 0 <= level <= 255 for level in levels
    ):
        raise InputError(f"background must be three whole numbers from 0 to 255, not {background!r}")


def _read_file(
    picture: str | os.PathLike[str], at_least: int | None, background: Colour, max_pixels: int | None
) -> Sample:
    path = os.fsdecode(picture)
    name = printable(path) or "the empty path"
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - before opening: a pipe without a writer blocks
        if not stat.S_ISREG(mode):
            raise ImageError(f"{name} cannot be read: {_kind_of_file(mode)}")
        stream = open(path, "rb")  # noqa: PTH123, SIM115 - closed below; Path("") would be the current folder
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(f"{name} cannot be read: {_read_problem(error)}") from error
    with stream:
        image, to_source = decoding.decode(
            stream, name, at_least=at_least, background=background, max_pixels=max_pixels
        )
    return Sample(image=image, to_source=to_source, source=path)


def _content(picture: Any, called: str) -> bytes:
    if hasattr(picture, "read"):
        try:
            picture = picture.read()
        except OSError as error:
            raise ImageError(f"{called} cannot be read: {_read_problem(error)}") from error
        if not isinstance(picture, bytes):
            raise InputError(
                f"a file must be opened in binary mode ('rb'): its read() gave {type(picture).__name__}"
            )
    if not isinstance(picture, bytes | bytearray | memoryview):
        raise InputError(f"a picture must be {KINDS}, not {type(picture).__name__}")
    return bytes(picture)


def _kind_of_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder. Give the path of a picture in it"
    return "neither a file nor a folder. Open it yourself and give the open file"


def _read_problem(error: OSError | ValueError) -> str:
    remedies = {
        errno.ENOENT: "there is no such file. Check the path; a relative one starts at the current folder",
        errno.EACCES: "no permission. Allow this user to read it, and to enter its folder",
        errno.ELOOP: "its symbolic links lead round in a circle. Remake the link",
    }
    return remedies.get(getattr(error, "errno", None) or 0, f"{getattr(error, 'strerror', None) or error}")
