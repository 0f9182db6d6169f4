"""From encoded files and PIL images to upright RGB pixels; the size is checked before anything is decoded.

Pillow decodes every format. OpenCV reads a large JPEG somewhat faster, but writes the decoder's complaints
straight to the terminal, differs from version to version, and would give other pixels for a path than
for the PIL image opened from it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
from PIL import ExifTags

from handprep import geometry
from handprep.errors import ImageError, InputError
from handprep.geometry import Affine
from handprep.images import arrays
from handprep.images.arrays import Colour
from handprep.names import printable
from handprep.sample import Image

MAX_PIXELS = 178_956_970  # where Pillow, too, refuses: 512 MiB of RGB

FORMATS = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF and PPM"
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    *((b"P%d%c" % (kind, space), "PPM") for kind in range(1, 7) for space in b" \t\r\n"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")  # ISO/IEC 23008-12
_HEAD = 64  # bytes; the brands of AVIF and HEIC lie within them
_REDUCTIONS = (8, 4, 2)  # what the JPEG decoder can leave out, the largest first
_STRIPE = 1 << 19  # pixels copied at a time: small enough for the processor's cache


def decode(
    stream: BinaryIO, name: str, *, at_least: int | None, background: Colour, max_pixels: int | None
) -> tuple[Image, Affine]:
    """Decode the first picture of an encoded file.

    Parameters
    ----------
    stream
        The file, seekable.
    name
        What to call it in messages.
    at_least
        A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as its longer side keeps this many
        pixels. None: at full size.
    background
        What shows through where the picture is transparent.
    max_pixels
        The largest width times height that is decoded; None for no limit.

    Returns
    -------
    image : Image
        uint8 ``(H, W, 3)`` RGB, upright.
    to_source : Affine
        ``(2, 3)`` map from its pixels to those of the full-size upright picture.

    Raises
    ------
    ImageError
        If it is no picture, of an unknown format, too large, truncated or damaged.
    """
    with _damage_as_image_error(name, odd=ImageError), _quiet():
        picture = _open(stream, name)
        _check_size(picture, name, max_pixels)
        full = picture.size
        factor = _reduce(picture, at_least)
        picture.load()
        orientation = _orientation(picture)  # after loading: a TIFF is turned and PNG finds its EXIF by then
        image = arrays.upright(_rgb(picture, background), orientation)
        return image, _to_full_size(image, full, factor, orientation)


def flatten(picture: PIL.Image.Image, name: str, *, background: Colour, max_pixels: int | None) -> Image:
    """Return the pixels of a PIL image of any mode, upright; the image itself stays as it is.

    The parameters and errors are those of `decode`; an image of another mode or range than can be
    understood is an `InputError`.
    """
    with _damage_as_image_error(name, odd=InputError), _quiet():
        _check_size(picture, name, max_pixels)
        picture.load()
        return arrays.upright(_rgb(picture, background), _orientation(picture))


@contextmanager
def _damage_as_image_error(name: str, *, odd: type[ImageError | InputError]) -> Iterator[None]:
    """Turn what goes wrong into errors that name the picture; one of odd mode or range into `odd`."""
    try:
        yield
    except ImageError:
        raise
    except InputError as error:
        raise odd(f"{name} cannot be read: {error}") from error
    except PIL.Image.DecompressionBombError as error:  # Pillow's own check, before a canvas is allocated
        raise ImageError(
            f"{name} cannot be read: too many pixels ({error}). "
            "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS as well as max_pixels"
        ) from error
    except MemoryError as error:
        raise ImageError(f"{name} cannot be read: not enough memory. Make it smaller first") from error
    except Exception as error:  # Pillow meets hostile bytes here, and names no exceptions it keeps to
        detail = printable(str(error) or type(error).__name__)[:200]
        raise ImageError(
            f"{name} cannot be read: truncated or damaged ({detail}). Copy or export it again"
        ) from error


def _open(stream: BinaryIO, name: str) -> PIL.Image.Image:
    """Read the header, by the plugin that the file's first bytes ask for.

    `PIL.Image.open` does the same, but also tries some forty other formats, and refuses by a limit that
    belongs to the whole process.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    kind = _format_of(head, name)
    if kind not in PIL.Image.OPEN:
        PIL.Image.preinit()
    if kind not in PIL.Image.OPEN:
        PIL.Image.init()
    if kind == "HEIF" and kind not in PIL.Image.OPEN:
        raise ImageError(
            f"{name} cannot be read: an HEIC photo. Export it as JPEG, or pip install pillow-heif and call "
            "pillow_heif.register_heif_opener() first"
        )
    if kind not in PIL.Image.OPEN:
        raise ImageError(f"{name} cannot be read: this Pillow has no decoder for {kind}. Upgrade Pillow")
    factory, _ = PIL.Image.OPEN[kind]
    return factory(stream, "")


def _format_of(head: bytes, name: str) -> str:
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if any(brand in brands for brand in _HEIC_BRANDS):
            return "HEIF"
    if not head:
        raise ImageError(f"{name} cannot be read: empty, 0 bytes. Copy or export it again")
    raise ImageError(
        f"{name} cannot be read: no known kind of picture, it begins with {head[:12]!r}. "
        f"Known formats are {FORMATS}; the ending of the name does not count"
    )


def _check_size(picture: PIL.Image.Image, name: str, max_pixels: int | None) -> None:
    width, height = picture.size
    if width <= 0 or height <= 0:
        raise ImageError(
            f"{name} cannot be read: {width} x {height} pixels, and a picture needs at least one"
        )
    if max_pixels is not None and width * height > max_pixels:
        raise ImageError(
            f"{name} cannot be read: {width} x {height} pixels are more than the limit of {max_pixels}, "
            "which keeps hostile files from filling the memory. If you trust it, raise max_pixels"
        )


def _reduce(picture: PIL.Image.Image, at_least: int | None) -> int:
    """Tell the JPEG decoder to decode a part of the frequencies; return the factor."""
    if at_least is None or picture.format not in ("JPEG", "MPO"):
        return 1
    width, height = picture.size
    for factor in _REDUCTIONS:
        reduced = -(-width // factor), -(-height // factor)
        if max(reduced) >= at_least and min(width, height) >= factor:
            picture.draft(None, (width // factor, height // factor))
            return factor if picture.size == reduced else 1
    return 1


def _to_full_size(image: Image, full: tuple[int, int], factor: int, orientation: int) -> Affine:
    """Return the map from a picture that was decoded reduced, then turned, to the full size, turned.

    A pixel stands for exactly factor x factor pixels, the last of a row or column for what is left of
    them. Where a side is mirrored, that last one comes first and sticks out at the front.
    """
    if factor == 1:
        return geometry.identity()
    transposed, flip_x, flip_y = arrays.ORIENTATIONS[orientation]
    width, height = full[::-1] if transposed else full
    x = width - factor * image.shape[1] if flip_x else 0
    y = height - factor * image.shape[0] if flip_y else 0
    return geometry.compose(geometry.scaling(factor, factor), geometry.translation(x, y))


def _orientation(picture: PIL.Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8. What EXIF cannot be read or means nothing is no orientation."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - hostile bytes again, but a photo is whole without its EXIF
        return 1
    return value if isinstance(value, int) and value in arrays.ORIENTATIONS else 1


def _rgb(picture: PIL.Image.Image, background: Colour) -> Image:
    mode = picture.mode
    if mode.startswith("I;16") or mode in ("I", "F"):
        return arrays.rgb_from_array(_grey_levels(picture), background)
    if picture.has_transparency_data:
        straight = picture.convert("LA") if mode == "La" else picture
        return arrays.over(_pixels(straight.convert("RGBA")), background)
    if mode == "LAB":
        raise InputError("pictures of mode LAB are not understood: convert to RGB first, with PIL.ImageCms")
    return _pixels(picture if mode == "RGB" else picture.convert("RGB"))


def _grey_levels(picture: PIL.Image.Image) -> np.ndarray:
    levels = np.asarray(picture)
    if picture.mode != "I":
        return levels
    low, high = int(levels.min()), int(levels.max())  # mode I: how older Pillows give 16-bit grey
    if low < 0 or high > 65535:
        raise InputError(f"a picture of mode I must hold numbers from 0 to 65535, not {low} to {high}")
    return levels.astype(np.uint16)


def _pixels(picture: PIL.Image.Image) -> np.ndarray:
    """Copy the pixels of an RGB or RGBA image, stripe by stripe.

    All at once, PIL makes two more copies of the whole, which costs as much as decoding a JPEG.
    """
    width, height = picture.size
    rows = max(1, _STRIPE // width)
    if rows >= height:
        return np.asarray(picture)
    pixels = np.empty((height, width, len(picture.mode)), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, width, bottom)))
    return pixels


class _WhileDecoding(threading.local):
    """A pattern for the warning filter that matches, in a thread that decodes, every message."""

    depth = 0

    def match(self, message: str) -> bool:
        return self.depth > 0


_decoding = _WhileDecoding()
_FILTER = ("ignore", _decoding, Warning, None, 0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings about odd files from being printed or, under ``-W error``, raised.

    `warnings.catch_warnings` swaps the filters of the whole process, which goes wrong when threads do it
    at the same time. This filter stays, and holds only for a thread inside this block.
    """
    filters: list[Any] = warnings.filters  # type: ignore[assignment]
    if not filters or filters[0] is not _FILTER:
        with suppress(ValueError):  # not in the list, or another thread was faster
            filters.remove(_FILTER)
        filters.insert(0, _FILTER)
    _decoding.depth += 1
    try:
        yield
    finally:
        _decoding.depth -= 1
