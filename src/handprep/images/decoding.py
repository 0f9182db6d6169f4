"""From encoded files and PIL images to upright RGB pixels; the size is checked before anything is decoded.

Pillow decodes every format. OpenCV reads a large JPEG somewhat faster, but writes the decoder's complaints
straight to the terminal, differs from version to version, and would give other pixels for a path than
for the PIL image opened from it.
"""

import importlib
import io
import itertools
import os
import re
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
from handprep.images.pixels import GREY, SIXTEEN, deepen, pixels_of, to_srgb
from handprep.sample import Sample
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

LIMIT_VARIABLE = "HANDPREP_MAX_PIXELS"
USUAL_LIMIT = 120_000_000  # with 7 bytes for RGB 840 MB; phones' photos of 108 megapixels pass
# How many times the memory or time of a plain RGB image a decoder takes for a pixel (tests/fuzz/bombs.py).
_OF_FORMAT, _OF_RUN_LENGTHS = {"WEBP": 2.2, "AVIF": 2.4, "HEIF": 2.4}, 10.0
_RGB_BYTES = 7  # a pixel: 4 of Pillow's and 3 of ours
_MOST_SCANS = 50  # of a JPEG; programs that write progressive ones make about ten
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")  # but for those without a length in a scan
_LONGEST, _NARROWEST = 65_535, 64  # beyond that, rows cost more than the pixels in them

_given = os.environ.get(LIMIT_VARIABLE) or str(USUAL_LIMIT)
if not _given.isdecimal() or int(_given) < 1:
    raise InputError(f"{LIMIT_VARIABLE} must be a number of pixels, 1 or more, not {_given!r}")
MAX_PIXELS = int(_given)


def decode(
    stream: BinaryIO, name: str, *, at_least: int | None, background: Colour | None, max_pixels: int | None
) -> Sample:
    """Decode the first image of an encoded, seekable file; the options are those of `handprep.read`."""
    with _damage_as_image_error(name, odd=ImageError):
        picture = _open(stream)
        _check_pixels(picture, max_pixels)
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
        to_full = _to_full_size(image.shape[1::-1], full, factor, orientation)
        return arrays.sample_of(image, alpha, depth, orientation, to_source=to_full)


def pages(stream: BinaryIO, name: str, *, max_pixels: int) -> Iterator[tuple[Sample, float | None]]:
    """Yield the images of an animation, with their times, or the pages of a file, with None; over white.

    All together may take as many pixels as `max_pixels`, and once more that for each 2 MB of the file: a few
    bytes can make a frame of any size.
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
            left -= _check_pixels(picture, max_pixels)
            if left < 0:
                raise ImageError("too many pixels in the frames for the size of the file")
            picture.load()
            sample = arrays.sample_of(*pixels_of(picture, (255, 255, 255)), _orientation(picture))
            duration = picture.info.get("duration")
        yield sample, None if duration is None else seconds
        seconds += (duration or 0) / 1000


def flatten(
    picture: PIL.Image.Image, name: str, *, background: Colour | None, max_pixels: int | None
) -> Sample:
    """Return the pixels of a PIL image of any mode, upright and grey if it is; the image stays as it is."""
    with _damage_as_image_error(name, odd=InputError):
        _check_pixels(picture, max_pixels)
        picture.load()
        image, alpha, depth = pixels_of(picture, background)
        if picture.mode.partition(";")[0] in GREY and not picture.has_transparency_data:
            image = np.ascontiguousarray(image[..., 0])
        return arrays.sample_of(image, alpha, depth, _orientation(picture))


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


def _check_pixels(picture: PIL.Image.Image, max_pixels: int | None) -> float:
    """Return how many pixels of a plain RGB image cost as much; raise ImageError if these are too many."""
    width, height = picture.size
    if width <= 0 or height <= 0:
        raise ImageError(f"{width} x {height} pixels, and an image needs at least one")
    if max_pixels is None:
        return width * height
    weight, why = max(_weights(picture))
    if width * height * weight > max_pixels:
        counted = f", each of which counts {weight:.1f} times as {why}," if weight > 1 else ""
        raise ImageError(
            f"{width} x {height} pixels{counted} are more than the limit of {max_pixels}, which keeps "
            "hostile files from filling the memory. If you trust it, raise max_pixels, or for all images the "
            f"environment variable {LIMIT_VARIABLE}"
        )
    return width * height * weight


def _weights(picture: PIL.Image.Image) -> Iterator[tuple[float, str]]:
    """Yield how many times the cost of an RGB image's pixel a pixel of this one may take, and why."""
    kind, tiles = str(picture.format), getattr(picture, "tile", ())
    yield _OF_FORMAT.get(kind, 1.0), f"{kind} takes more memory"
    if tiles and tiles[0][0] == "bmp_rle":
        yield _OF_RUN_LENGTHS, "run lengths take more time"
    if SIXTEEN.search(repr(tiles)) and picture.mode == "RGB":
        yield 2.0, "its 16 bits may be decoded twice"
    if kind == "TIFF":  # Pillow's pixels, and a strip of the file's, which may be all
        bits = picture.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        yield (4 + sum(bits) / 8) / _RGB_BYTES, f"{bits} bits take more memory"
    if kind in ("JPEG", "MPO") and tiles and (scans := _scans(picture)) > 1:
        # then libjpeg keeps the coefficients of them all
        yield (4 + 2 * len(picture.getbands())) / _RGB_BYTES, "its scans take more memory"
        yield scans / _MOST_SCANS, f"{scans} scans take more time"
    if max(picture.size) > _LONGEST:
        yield _NARROWEST / min(picture.size), "it is so narrow"


def _scans(picture: Any) -> int:
    """Return how many scans a JPEG file that was just opened has, or 1 where there can be no more."""
    stream = picture.fp
    place = stream.tell()  # behind the marker of the first scan: then come its length and channels
    first = stream.read(3)
    is_only = first[2:] >= bytes([len(picture.getbands())]) and not picture.info.get("progressive")
    content = b"" if is_only else stream.read()
    stream.seek(place)
    scans, position = 1, 0
    while marker := _MARKER.search(content, position):  # past what lies in segments or behind the end
        position, kind = marker.end(), marker[1]
        if kind == b"\xd9":
            break
        scans += kind == b"\xda"
        position += int.from_bytes(content[position : position + 2], "big")
    return scans


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


def _to_full_size(reduced: tuple[int, ...], full: tuple[int, int], factor: int, orientation: int) -> Affine:
    """Return the map from an image that was decoded reduced, then turned, to the full size, turned.

    A pixel stands for factor x factor pixels, the last of a row or column for what is left of them. Where a
    side is mirrored, that last one comes first and sticks out at the front.
    """
    if factor == 1:
        return geometry.identity()  # of most images: the numpy below takes a twentieth of reading a small one
    transposed, *mirrored = arrays.ORIENTATIONS[orientation]
    outside = np.subtract(full, np.multiply(reduced, factor))[:: -1 if transposed else 1]
    return geometry.compose(geometry.scaling(factor, factor), geometry.translation(*(outside * mirrored)))


def _orientation(picture: PIL.Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8. What EXIF cannot be read or means nothing is no orientation."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - hostile bytes again, but a photo is whole without its EXIF
        return 1
    return value if isinstance(value, int) and value in arrays.ORIENTATIONS else 1
