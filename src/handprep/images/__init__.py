"""Reading and giving back every kind of image: files, bytes, PIL images, arrays and tensors."""

import errno
import io
import os
import stat
from dataclasses import replace
from typing import Any, BinaryIO, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from handprep.annotations import moved_mask
from handprep.configurable import check_choice, check_colour, check_whole
from handprep.errors import ImageError, InputError
from handprep.images import arrays, decoding, tensors
from handprep.images.arrays import Colour, check_rgb
from handprep.images.decoding import MAX_PIXELS
from handprep.images.encoding import encode, write
from handprep.sample import Sample
from handprep.text import printable

__all__ = ["MAX_PIXELS", "check_rgb", "encode", "read", "to_type_of", "write"]

VERSION = 1  # of how images are read: raise it when a file gives other pixels
WHITE: Colour = (255, 255, 255)
GIVEN_BYTES = "the given bytes"
KINDS = (
    "a path, bytes, a binary file, a PIL image, an (H, W, 3) RGB numpy array, a (3, H, W) torch tensor "
    "or a Sample"
)
NOT_ONE_IMAGE = {
    list: "; for many images, use Pipeline.map",
    tuple: "; for many images, use Pipeline.map",
    type(None): ", which is what cv2.imread returns for a file that it cannot read: check the path",
}


def read(
    image: Any,
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
    image
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
        If `image` is of another kind, or an array or tensor of another shape, dtype or range.

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
    if isinstance(image, Sample):
        return image
    behind = None if alpha == "keep" else (colour, colour, colour) if isinstance(colour, int) else colour
    if isinstance(image, np.ndarray):
        return arrays.from_array(image, behind, order)
    if order != "rgb":
        raise InputError(f"order={order!r} is for numpy arrays, not {type(image).__name__}")
    if tensors.is_tensor(image):
        return tensors.from_tensor(image)
    if isinstance(image, PIL.Image.Image):
        name = os.fsdecode(getattr(image, "filename", "") or "") or None
        called = printable(name) if name else "the given PIL image"
        sample = decoding.flatten(image, called, background=behind, max_pixels=max_pixels)
    else:
        content, name = as_file(image, name)
        called = printable(name) if name else GIVEN_BYTES
        with open_file(content) if isinstance(content, str) else io.BytesIO(content) as stream:
            sample = decoding.decode(
                stream, called, at_least=at_least, background=behind, max_pixels=max_pixels
            )
    return replace(sample, source=name)


def is_file(image: Any) -> bool:
    """Tell whether something is an encoded image: a path, bytes, an open file, or a dict of these."""
    if isinstance(image, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(image, "read"):
        return True
    return isinstance(image, dict) and set(image) == {"bytes", "path"}  # as Hugging Face has it


def as_file(image: Any, name: str | None = None) -> tuple[str | bytes, str | None]:
    """Return an encoded image as a path or bytes, which can be read again, and what it is called."""
    if isinstance(image, dict) and is_file(image):
        content, path = image["bytes"], image["path"]
        return as_file(path if content is None else content, name or path)
    if isinstance(image, str | os.PathLike):
        return os.fsdecode(image), name or os.fsdecode(image)
    if hasattr(image, "read"):
        try:
            image = image.read()
        except OSError as error:
            called = printable(name) if name else GIVEN_BYTES
            raise ImageError(f"{called} cannot be read: {_read_problem(error)}") from error
        if not isinstance(image, bytes):
            given = type(image).__name__
            raise InputError(f"a file must be opened in binary mode ('rb'): its read() gave {given}")
    if not isinstance(image, bytes | bytearray | memoryview):
        hint = NOT_ONE_IMAGE.get(type(image), "")
        raise InputError(f"an image must be {KINDS}, not {type(image).__name__}{hint}")
    return bytes(image), name


def to_type_of(sample: Sample, image: Any) -> Any:
    """Give a sample's image back as the same kind that `image` is.

    Parameters
    ----------
    sample
        The sample to give back.
    image
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
        If `image` is of another kind or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> given = np.ones((2, 4, 3), np.float16)
    >>> to_type_of(read(given), given).dtype
    dtype('float16')
    """
    if isinstance(image, Sample):
        return sample
    pixels = arrays.channels_of(sample)
    if isinstance(image, PIL.Image.Image):
        done = PIL.Image.fromarray(pixels)
        done.info.update(decoding.info_of(image))
        return done
    if is_file(image):
        return pixels
    if not isinstance(image, np.ndarray) and not tensors.is_tensor(image):
        raise InputError(f"an image must be {KINDS}, not {type(image).__name__}")
    if tensors.is_tensor(image):
        same = _moved_exactly(sample, tensors.planes_of(image))
        return tensors.tensor_like(tensors.channels_first(pixels) if same is None else same, image)
    same = _moved_exactly(sample, np.atleast_3d(image).transpose(2, 0, 1))
    if same is not None:
        return np.ascontiguousarray(same.transpose(1, 2, 0)).reshape(*same.shape[1:], *image.shape[2:])
    if pixels.ndim == 2 and image.shape[2:] == (1,):
        pixels = pixels[..., None]
    return arrays.in_dtype(pixels, image.dtype)


def _moved_exactly(sample: Sample, planes: NDArray[Any]) -> NDArray[Any] | None:
    """Return the given numbers, ``(C, H, W)``, where the sample shows just them, moved by whole pixels."""
    photo = sample.frames[0].size if sample.frames else sample.size
    by_whole_pixels = np.array_equal(np.abs(sample.to_source[:, :2]), np.eye(2))
    if planes.dtype == np.uint8 or not by_whole_pixels or planes.shape[:0:-1] != photo:
        return None
    moved = moved_mask(sample, planes)
    shown = np.moveaxis(np.atleast_3d(sample.image), 2, 0)
    depth = arrays.depth_of(planes)
    is_same = moved.shape == shown.shape and np.array_equal(arrays.eight_bits(moved, depth), shown)
    return moved if is_same and not sample.transparent else None


def as_view(image: Any) -> Any:
    """Return a uint8 RGB array as a sample that shares its memory; anything else as it is.

    For calls that copy their result: `read` copies first, which takes longer than scaling 12 megapixels down.
    """
    if type(image) is not np.ndarray or image.dtype != np.uint8 or not image.flags.c_contiguous:
        return image
    is_rgb = image.ndim == 3 and image.shape[2] == 3 and image.size > 0
    return Sample(image=image) if is_rgb else image


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
