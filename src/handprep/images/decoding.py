"""From encoded files and PIL images to upright RGB pixels; the size is checked before anything is decoded.

Pillow decodes every format. OpenCV reads a large JPEG somewhat faster, but writes the decoder's complaints
straight to the terminal, differs from version to version, and would give other pixels for a path than
for the PIL image opened from it.
"""

from __future__ import annotations

import importlib
import io
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import PIL.Image
from PIL import ExifTags

from handprep import geometry
from handprep.errors import ImageError, InputError
from handprep.geometry import Affine
from handprep.images import arrays
from handprep.images.arrays import Colour
from handprep.images.limits import check_pixels
from handprep.images.pixels import GREY, SIXTEEN, deepen, pixels_of, to_srgb
from handprep.sample import Alpha, Image
from handprep.text import printable

FORMATS = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, HEIC and binary PPM"
_SIGNATURES = {  # of TIFF, those with a plus are BigTIFF
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "PPM": tuple(b"P%d%c" % (kind, space) for kind in range(4, 7) for space in b" \t\r\n"),
}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")  # ISO/IEC 23008-12
_HEAD = 64  # bytes; the brands of AVIF and HEIC lie within them
_REDUCTIONS = (8, 4, 2)  # what the JPEG decoder can leave out, the largest first


class Decoded(NamedTuple):
    """The pixels of an image, upright."""

    image: Image  # uint8 (H, W, 3) RGB
    alpha: Alpha | None  # where the image is transparent and that was asked for
    to_full: Affine  # from pixels of `image` to those of the full-size upright one
    depth: int | None  # bits a channel that were used, where not 8


def decode(
    stream: BinaryIO, name: str, *, at_least: int | None, background: Colour | None, max_pixels: int | None
) -> Decoded:
    """Decode the first image of an encoded, seekable file; the options are those of `handprep.read`."""
    with _damage_as_image_error(name, odd=ImageError):
        picture = _open(stream)
        check_pixels(picture, max_pixels)
        full = picture.size
        factor = _reduce(picture, at_least)
        # Pillow joins what it reads to what is left over: block by block, that takes hours for a long row
        picture.decodermaxblock = max(picture.decodermaxblock, 4 * full[0])
        tiles = list(picture.tile)
        picture.load()
        orientation = _orientation(picture)  # after loading: a TIFF is turned and PNG finds its EXIF by then
        image, alpha, depth = pixels_of(picture, background)
        is_dark = picture.mode == "RGB" and SIXTEEN.search(repr(tiles)) and image.max() < 64
        del picture  # which holds its pixels, and what follows needs as much again
        if is_dark:
            stream.seek(0)
            depth = deepen(image, _open(stream))
        image = arrays.upright(image, orientation)
        alpha = None if alpha is None else arrays.upright(alpha, orientation)
        return Decoded(image, alpha, _to_full_size(image, full, factor, orientation), depth)


def pages(stream: BinaryIO, name: str, *, max_pixels: int) -> Iterator[tuple[Decoded, float | None]]:
    """Yield the images of an animation or a file of several pages, with their times, None for pages.

    Transparent pixels show white. All together may take as many pixels as `max_pixels`, and once more that
    for each 2 MB of the file: a few bytes can make a frame of any size. Errors are those of `decode`.
    """
    left = max_pixels * (1 + stream.seek(0, io.SEEK_END) / 2e6)
    stream.seek(0)
    with _damage_as_image_error(name, odd=ImageError):
        picture = _open(stream)
    seconds = 0.0
    for number in itertools.count():
        with _damage_as_image_error(f"{name}#{number:06d}", odd=ImageError):
            try:
                picture.seek(number)
            except EOFError:
                return
            left -= check_pixels(picture, max_pixels)
            if left < 0:
                raise ImageError("too many pixels in the frames for the size of the file")
            picture.load()
            decoded = _upright(picture, (255, 255, 255))
            duration = picture.info.get("duration")
        yield decoded, None if duration is None else seconds
        seconds += (duration or 0) / 1000


def flatten(
    picture: PIL.Image.Image, name: str, *, background: Colour | None, max_pixels: int | None
) -> Decoded:
    """Return the pixels of a PIL image of any mode, upright and grey if it is; the image stays as it is."""
    with _damage_as_image_error(name, odd=InputError):
        check_pixels(picture, max_pixels)
        picture.load()
        decoded = _upright(picture, background)
        if picture.mode.partition(";")[0] in GREY and not picture.has_transparency_data:
            return decoded._replace(image=np.ascontiguousarray(decoded.image[..., 0]))
        return decoded


def _upright(picture: PIL.Image.Image, background: Colour | None) -> Decoded:
    orientation = _orientation(picture)
    image, alpha, depth = pixels_of(picture, background)
    alpha = None if alpha is None else arrays.upright(alpha, orientation)
    return Decoded(arrays.upright(image, orientation), alpha, geometry.identity(), depth)


def info_of(picture: PIL.Image.Image) -> dict[str, Any]:
    """Return what belongs to an image's ``info`` after a transform: EXIF and the like, but no orientation."""
    given = picture.info
    info: dict[str, Any] = {key: given[key] for key in ("dpi", "comment", "xmp") if key in given}
    with suppress(Exception):  # as for the orientation: odd EXIF is no EXIF
        exif = PIL.Image.Exif()
        exif.load(picture.getexif().tobytes())  # a copy: the other is the image's own
        exif.pop(ExifTags.Base.Orientation, None)
        if exif:
            info["exif"] = exif.tobytes()
    if "icc_profile" in given and to_srgb(picture, "RGB") is None:  # `flatten` did not convert by it
        info["icc_profile"] = given["icc_profile"]
    return info


@contextmanager
def _damage_as_image_error(name: str, *, odd: type[ImageError | InputError]) -> Iterator[None]:
    """Turn what goes wrong into errors that name the image; one of odd mode or range into `odd`."""
    try:
        yield
    except Exception as error:  # Pillow meets hostile bytes here, and names no exceptions it keeps to
        problem = str(error)
        if isinstance(error, PIL.Image.DecompressionBombError):  # Pillow's own check, of animations
            remedy = "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS as well as max_pixels"
            problem = f"too many pixels ({error}). {remedy}"
        elif isinstance(error, MemoryError):
            problem = "not enough memory. Make it smaller first"
        elif not isinstance(error, ImageError | InputError):
            detail = printable(str(error) or type(error).__name__)[:200]
            problem = f"truncated or damaged ({detail}). Copy or export it again"
        kind = odd if isinstance(error, InputError) else ImageError
        raise kind(f"{name} cannot be read: {problem}") from error


def _open(stream: BinaryIO) -> Any:
    """Read the header by the plugin that its first bytes ask for; `PIL.Image.open` tries forty others."""
    head = stream.read(_HEAD)
    stream.seek(0)
    kind = _format_of(head)
    for load_plugins in (PIL.Image.preinit, PIL.Image.init):  # the common formats first
        if kind not in PIL.Image.OPEN:
            load_plugins()
    for package in ("pillow_heif", "pi_heif"):
        if kind == "HEIF" and kind not in PIL.Image.OPEN:
            with suppress(ImportError):
                importlib.import_module(package).register_heif_opener()
    if kind not in PIL.Image.OPEN:
        heic = 'an HEIC photo. pip install "handprep[heic]", or export it as JPEG'
        raise ImageError(heic if kind == "HEIF" else f"this Pillow has no decoder for {kind}. Upgrade Pillow")
    factory, _ = PIL.Image.OPEN[kind]
    return factory(stream, "")


def _format_of(head: bytes) -> str:
    for kind, signatures in _SIGNATURES.items():
        if head.startswith(signatures):
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
        raise ImageError("empty, 0 bytes. Copy or export it again")
    if head[4:8] == b"ftyp" or head.startswith(b"\x1a\x45\xdf\xa3") or head[8:12] == b"AVI ":
        raise ImageError("a video. Use handprep.video.frames, or run its folder")
    if re.match(rb"P[123]\s", head):
        raise ImageError("a PPM in text, which is slow. Save it as binary PPM or PNG")
    known = f"Known formats are {FORMATS}; the ending of the name does not count"
    raise ImageError(f"no known kind of image, it begins with {head[:12]!r}. {known}")


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
    """Return the map from an image that was decoded reduced, then turned, to the full size, turned.

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
