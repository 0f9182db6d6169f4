"""The largest images that are decoded: a budget of pixels, by what a format takes for each of them."""

from __future__ import annotations

import os
import re
from typing import Any

import PIL.Image

from handprep.errors import ImageError, InputError
from handprep.images.pixels import SIXTEEN

LIMIT_VARIABLE = "HANDPREP_MAX_PIXELS"
USUAL_LIMIT = 120_000_000  # with 7 bytes for RGB 840 MB; phones' photos of 108 megapixels pass
# How many times the memory or time of a plain RGB image a decoder takes for a pixel (tests/fuzz/bombs.py).
_WEBP, _AVIF, _HEIF, _RUN_LENGTHS = 2.2, 2.4, 2.4, 10.0
_RGB_BYTES = 7  # a pixel: 4 of Pillow's and 3 of ours
_MOST_SCANS = 50  # of a JPEG; programs that write progressive ones make about ten
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")  # but for those without a length in a scan
_LONGEST, _NARROWEST = 65_535, 64  # beyond that, rows cost more than the pixels in them


_given = os.environ.get(LIMIT_VARIABLE) or str(USUAL_LIMIT)
if not _given.isdecimal() or int(_given) < 1:
    raise InputError(f"{LIMIT_VARIABLE} must be a number of pixels, 1 or more, not {_given!r}")
MAX_PIXELS = int(_given)


def check_pixels(picture: PIL.Image.Image, max_pixels: int | None) -> float:
    """Return how many pixels of a plain RGB image cost as much; raise ImageError if these are too many."""
    width, height = picture.size
    if width <= 0 or height <= 0:
        raise ImageError(f"{width} x {height} pixels, and an image needs at least one")
    if max_pixels is None:
        return width * height
    weight, why = _weight(picture)
    if width * height * weight > max_pixels:
        counted = f", each of which counts {weight:.1f} times as {why}," if weight > 1 else ""
        raise ImageError(
            f"{width} x {height} pixels{counted} are more than the limit of {max_pixels}, which keeps "
            "hostile files from filling the memory. If you trust it, raise max_pixels, or for all images the "
            f"environment variable {LIMIT_VARIABLE}"
        )
    return width * height * weight


def _weight(picture: PIL.Image.Image) -> tuple[float, str]:
    """Return how many times the cost of an RGB image's pixel a pixel of this one may take, and why."""
    kind = str(picture.format)
    weights = {f"{kind} takes more memory": {"WEBP": _WEBP, "AVIF": _AVIF, "HEIF": _HEIF}.get(kind, 1.0)}
    tiles = getattr(picture, "tile", ())
    if tiles and tiles[0][0] == "bmp_rle":
        weights["run lengths take more time"] = _RUN_LENGTHS
    if SIXTEEN.search(repr(tiles)) and picture.mode == "RGB":
        weights["its 16 bits may be decoded twice"] = 2.0
    if kind == "TIFF":  # Pillow's pixels, and a strip of the file's, which may be all
        bits = picture.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        weights[f"{bits} bits take more memory"] = (4 + sum(bits) / 8) / _RGB_BYTES
    if kind in ("JPEG", "MPO") and tiles:
        scans, channels = _scans(picture), len(picture.getbands())
        if scans > 1:  # then libjpeg keeps the coefficients of them all
            weights["its scans take more memory"] = (4 + 2 * channels) / _RGB_BYTES
            weights[f"{scans} scans take more time"] = scans / _MOST_SCANS
    if max(picture.size) > _LONGEST:
        weights["it is so narrow"] = _NARROWEST / min(picture.size)
    why = max(weights, key=weights.__getitem__)
    return max(1.0, weights[why]), why


def _scans(picture: Any) -> int:
    """Return how many scans a JPEG file that was just opened has, or 1 where there can be no more."""
    stream = picture.fp
    place = stream.tell()  # behind the marker of the first scan: then come its length and channels
    first = stream.read(3)
    channels = first[2] if len(first) == 3 else 0
    has_more = picture.info.get("progressive") or channels < len(picture.getbands())
    content = stream.read() if has_more else b""
    stream.seek(place)
    scans, position = 1, 0
    while marker := _MARKER.search(content, position):  # past what lies in segments or behind the end
        position, kind = marker.end(), marker[1]
        if kind == b"\xd9":
            break
        scans += kind == b"\xda"
        position += int.from_bytes(content[position : position + 2], "big")
    return scans
