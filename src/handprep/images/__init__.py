"""Reading and giving back every kind of image: files, bytes, PIL images, arrays and tensors."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import Any, BinaryIO, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from handprep.annotations import moved_mask
from handprep.configurable import check_choice, check_colour, check_whole
from handprep.errors import ImageError, InputError
from handprep.images import arrays, decoding, tensors
from handprep.images.arrays import Colour, check_rgb
from handprep.images.encoding import encode, write
from handprep.images.limits import MAX_PIXELS
from handprep.sample import Alpha, Image, Sample
from handprep.text import printable

__all__ = ["MAX_PIXELS", "check_rgb", "encode", "read", "to_type_of", "write"]

VERSION = 1  # of how images are read: raise it when a file gives other pixels
WHITE: Colour = (255, 255, 255)
GIVEN_BYTES = "the given bytes"
KINDS = (
    "a path, bytes, a binary file, a PIL image, an (H, W, 3) RGB numpy array, a (3, H, W) torch tensor "
    "or a Sample"
)
NOT_ONE_PICTURE = {
    list: "; for many images, use Pipeline.map",
    tuple: "; for many images, use Pipeline.map",
    type(None): ", which is what cv2.imread returns for a file that it cannot read: check the path",
}


def read(
    picture: Any,
    *,
    at_least: int | None = None,
    background: int | Colour | str = WHITE,
    alpha: Literal["flatten", "keep"] = "flatten",
    order: Literal["rgb", "bgr"] = "rgb",
    max_pixels: int | None = MAX_PIXELS,
    name: str | None = None,
) -> Sample:
    """Read an image of any kind.

    Parameters
    ----------
    picture
        One of these:

        - a path (str or PathLike) of a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, HEIC (extra
          ``handprep[heic]``) or binary PPM file, whatever its name ends in; or its content as bytes, as a
          binary file or in a dict as Hugging Face has it (``{"bytes": …, "path": …}``). Of an animation,
          the first frame counts;
        - a PIL image of any mode;
        - a numpy array: ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA, ``(H, W)`` or ``(H, W, 1)`` grey; uint8,
          uint16, other whole numbers from 0 to 255, or float16, float32 or float64 from 0 to 1;
        - a torch tensor or ``tv_tensors.Image`` of any device: ``(3, H, W)`` or ``(1, H, W)``, of the
          same numbers;
        - a `Sample`, which is returned as it is.
    at_least
        If a longer side of this many pixels is enough, a JPEG file is decoded at 1/2, 1/4 or 1/8 of its
        size, whichever is the smallest that is still large enough. `Sample.to_source` holds the factor.
        None: always at full size.
    background
        What shows through where the image is transparent: one grey or ``(red, green, blue)``, 0 to 255, or
        a name such as ``"white"``.
    alpha
        ``"flatten"`` lays a transparent image over `background`. ``"keep"`` keeps its colours as they
        are and its alpha as `Sample.alpha`, so that it is given back and saved with that.
    order
        ``"bgr"`` if an array's channels are blue, green, red (and alpha), as ``cv2.imread`` gives them.
        `to_type_of` and transforms give RGB.
    max_pixels
        The largest width times height to decode, checked before decoding; None for no limit. Formats
        that need more memory or time for a pixel count it more than once.
    name
        What to call bytes or a binary file, in messages and as `Sample.source`.

    Returns
    -------
    Sample
        A uint8 ``(H, W, 3)`` RGB image of its own memory, turned upright by its EXIF orientation and
        converted to sRGB by its colour profile; ``(H, W)`` if a grey PIL image, array or tensor was
        given. Hands not looked for; `source` is the path if there is one, or the given name.

    Raises
    ------
    ImageError
        If a file is missing, no image, too large, truncated or damaged. (A program that sets Pillow's
        ``ImageFile.LOAD_TRUNCATED_IMAGES`` gets what Pillow makes of truncated files instead.)
    InputError
        If `picture` is of another kind, or an array or tensor of another shape, dtype or range.

    Notes
    -----
    Cameras store 10, 12 or 14 bits in 16: white is the largest number of the fewest bits (8, 10, 12, 14
    or 16) that hold the image's largest, or what a TIFF says, and a `Step` named ``read`` says so where
    these are not 16. Floats may lie a tenth outside of 0 to 1, as resampling leaves them, and are
    clipped. Floats in a file may also go to 255.

    Examples
    --------
    >>> import numpy as np
    >>> read(np.zeros((2, 4, 3), np.float32)).image.dtype
    dtype('uint8')
    """
    for option, value in (("at_least", at_least), ("max_pixels", max_pixels)):
        if value is not None:
            check_whole(option, value, 1, 10**12)
    check_choice("alpha", alpha, ("flatten", "keep"))
    check_choice("order", order, ("rgb", "bgr"))
    colour = check_colour("background", background)
    if isinstance(picture, Sample):
        return picture
    behind = None if alpha == "keep" else (colour, colour, colour) if isinstance(colour, int) else colour
    if isinstance(picture, np.ndarray):
        pixels, opacity = arrays.from_array(picture, behind)
        if order == "bgr" and pixels.ndim == 3:
            pixels = np.ascontiguousarray(pixels[..., ::-1])
        depth = arrays.depth_of(picture) if picture.dtype.kind == "u" and picture.itemsize == 2 else None
        return _sample(pixels, opacity, depth)
    if order != "rgb":
        raise InputError(f"order={order!r} is for numpy arrays, not {type(picture).__name__}")
    if tensors.is_tensor(picture):
        return Sample(image=tensors.from_tensor(picture))
    if isinstance(picture, PIL.Image.Image):
        path = os.fsdecode(getattr(picture, "filename", "") or "") or None
        name = printable(path) if path else "the given PIL image"
        decoded = decoding.flatten(picture, name, background=behind, max_pixels=max_pixels)
        return _sample(decoded.image, decoded.alpha, decoded.depth, source=path)
    picture, name = as_file(picture, name)
    called = printable(name) if name else GIVEN_BYTES
    with open_file(picture) if isinstance(picture, str) else io.BytesIO(picture) as stream:
        decoded = decoding.decode(stream, called, at_least=at_least, background=behind, max_pixels=max_pixels)
    return _sample(decoded.image, decoded.alpha, decoded.depth, source=name, to_source=decoded.to_full)


def _sample(image: Image, alpha: Alpha | None, depth: int | None, **known: Any) -> Sample:
    sample = Sample(image=image, alpha=alpha, transparent=alpha is not None, **known)
    return sample if depth in (None, 16) else sample.with_step("read", depth=depth)


def is_file(picture: Any) -> bool:
    """Tell whether something is an encoded image: a path, bytes, an open file, or a dict of these."""
    if isinstance(picture, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(picture, "read"):
        return True
    return isinstance(picture, dict) and set(picture) == {"bytes", "path"}  # as Hugging Face has it


def as_file(picture: Any, name: str | None = None) -> tuple[str | bytes, str | None]:
    """Return an encoded image as a path or bytes, which can be read again, and what it is called."""
    if isinstance(picture, dict) and is_file(picture):
        content, path = picture["bytes"], picture["path"]
        return as_file(path if content is None else content, name or path)
    if isinstance(picture, str | os.PathLike):
        return os.fsdecode(picture), name or os.fsdecode(picture)
    if hasattr(picture, "read"):
        try:
            picture = picture.read()
        except OSError as error:
            called = printable(name) if name else GIVEN_BYTES
            raise ImageError(f"{called} cannot be read: {_read_problem(error)}") from error
        if not isinstance(picture, bytes):
            given = type(picture).__name__
            raise InputError(f"a file must be opened in binary mode ('rb'): its read() gave {given}")
    if not isinstance(picture, bytes | bytearray | memoryview):
        hint = NOT_ONE_PICTURE.get(type(picture), "")
        raise InputError(f"an image must be {KINDS}, not {type(picture).__name__}{hint}")
    return bytes(picture), name


def to_type_of(sample: Sample, picture: Any) -> Any:
    """Give a sample's image back as the same kind that `picture` is.

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
        uint8 for files and bytes. Grey images are ``(H, W)`` (``(H, W, 1)`` where three dimensions were
        given) and ``(1, H, W)``. Transparent ones have their alpha as one more channel. Where a transform
        has only moved pixels (crop, mirror), the given numbers come back as they are; else there are 256
        levels. Arrays are writable and share no memory with anything. A PIL image has the given one's
        EXIF, but for its orientation, and the like in its ``info``.

    Raises
    ------
    InputError
        If `picture` is of another kind or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> given = np.ones((2, 4, 3), np.float16)
    >>> to_type_of(read(given), given).dtype
    dtype('float16')
    """
    if isinstance(picture, Sample):
        return sample
    pixels = arrays.channels_of(sample)
    if isinstance(picture, PIL.Image.Image):
        image = PIL.Image.fromarray(pixels)
        image.info.update(decoding.info_of(picture))
        return image
    if isinstance(picture, np.ndarray):
        same = _moved_exactly(sample, picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0))
        if same is not None:
            return same[0] if picture.ndim == 2 else np.ascontiguousarray(np.moveaxis(same, 0, 2))
        if pixels.ndim == 2 and picture.shape[2:] == (1,):
            pixels = pixels[..., None]
        return arrays.in_dtype(pixels, picture.dtype)
    if tensors.is_tensor(picture):
        same, planes = _moved_exactly(sample, tensors.planes_of(picture)), tensors.channels_first(pixels)
        return tensors.tensor_like(planes, picture) if same is None else tensors.wrap(same, picture)
    if is_file(picture):
        return pixels
    raise InputError(f"an image must be {KINDS}, not {type(picture).__name__}")


def _moved_exactly(sample: Sample, planes: NDArray[Any]) -> NDArray[Any] | None:
    """Return the given numbers, ``(C, H, W)``, where the sample shows just them, moved by whole pixels."""
    photo = sample.frames[0].size if sample.frames else sample.size
    by_whole_pixels = np.array_equal(np.abs(sample.to_source[:, :2]), np.eye(2))
    if planes.dtype == np.uint8 or not by_whole_pixels or planes.shape[:0:-1] != photo:
        return None
    depth = arrays.depth_of(planes) if planes.dtype.kind == "u" and planes.itemsize == 2 else None
    moved = moved_mask(sample, planes)
    shown = np.moveaxis(np.atleast_3d(sample.image), 2, 0)
    is_same = moved.shape == shown.shape and np.array_equal(arrays.eight_bits(moved, depth), shown)
    return moved if is_same and not sample.transparent else None


def as_view(picture: Any) -> Any:
    """Return a uint8 RGB array as a sample that shares its memory; anything else as it is.

    For calls that copy their result: `read` copies first, which takes longer than scaling 12 megapixels down.
    """
    if type(picture) is not np.ndarray or picture.dtype != np.uint8 or not picture.flags.c_contiguous:
        return picture
    is_rgb = picture.ndim == 3 and picture.shape[2] == 3 and picture.size > 0
    return Sample(image=picture) if is_rgb else picture


def open_file(path: str) -> BinaryIO:
    """Open a file to read, or raise ImageError: of a folder, a pipe, a URL, and where there is none."""
    name = printable(path) or "the empty path"
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - before opening: a pipe without a writer blocks
        if stat.S_ISREG(mode):
            return open(path, "rb")  # noqa: PTH123 - closed by read; Path("") would be the current folder
        problem = "neither a file nor a folder. Open it yourself and give the open file"
        if stat.S_ISDIR(mode):
            problem = "a folder. Give the path of an image in it, or the folder to `handprep run`"
        raise ImageError(f"{name} cannot be read: {problem}")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        problem = "a URL. Download it first, and give its bytes" if "://" in path else _read_problem(error)
        raise ImageError(f"{name} cannot be read: {problem}") from error


def _read_problem(error: OSError | ValueError) -> str:
    remedies = {
        errno.ENOENT: "there is no such file. Check the path; a relative one starts at the current folder",
        errno.EACCES: "no permission. Allow this user to read it, and to enter its folder",
        errno.ELOOP: "its symbolic links lead round in a circle. Remake the link",
    }
    return remedies.get(getattr(error, "errno", None) or 0, f"{getattr(error, 'strerror', None) or error}")
