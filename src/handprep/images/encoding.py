"""From samples to image files: PNG, JPEG and WebP."""

import io
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image

from handprep.configurable import check_whole
from handprep.errors import InputError
from handprep.files import atomic_write
from handprep.images import arrays
from handprep.sample import Sample
from handprep.text import printable

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}  # by the endings of names
# zlib's run-length strategy after Paeth's filter: OpenCV takes a seventh of the time of Pillow's defaults for
# files of about the same size. Pillow has the strategy, too, but tries all filters on every row.
_FAST_PNG: list[int] = []
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # OpenCV 4.12 and later
    _FAST_PNG += [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    _FAST_PNG += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]
_OPTIONS: dict[str, dict[str, Any]] = {  # Pillow's
    "PNG": {"compress_level": 1, "compress_type": 3},
    "JPEG": {},
    "WEBP": {"exact": True},  # keep the colours under transparent pixels, as PNG does
}


def encode(sample: Sample, format: str, *, quality: int = 95) -> bytes:
    """Encode a sample's image; the same image always becomes the same bytes.

    Parameters
    ----------
    sample
        The sample; a transparent one keeps its alpha.
    format
        ``"png"``, ``"jpeg"`` (or ``"jpg"``) or ``"webp"``, in any case.
    quality
        1 to 100, for JPEG and WebP. PNG is lossless.

    Raises
    ------
    InputError
        If the format is unknown, cannot be transparent or cannot be that large, or the quality is none.
    """
    known = FORMATS.get(format.lower())
    if known is None:
        raise InputError(f"unknown format {format!r}; known: png, jpeg, webp")
    check_whole("quality", quality, 1, 100)
    if known == "JPEG" and sample.transparent:
        raise InputError("JPEG cannot be transparent: use PNG or WebP, or another background")
    pixels, buffer = arrays.channels_of(sample), io.BytesIO()
    is_grey_with_alpha = pixels.shape[2:] == (2,)  # which OpenCV cannot write
    if known == "PNG" and _FAST_PNG and not is_grey_with_alpha:
        code = {(3,): cv2.COLOR_RGB2BGR, (4,): cv2.COLOR_RGBA2BGRA}.get(pixels.shape[2:])
        pixels = pixels if code is None else np.asarray(cv2.cvtColor(pixels, code), np.uint8)
        return cv2.imencode(".png", pixels, _FAST_PNG)[1].tobytes()
    try:
        PIL.Image.fromarray(pixels).save(buffer, known, **{"quality": int(quality), **_OPTIONS[known]})
    except (OSError, ValueError) as error:
        size = " x ".join(map(str, sample.size))
        raise InputError(f"a {known} of {size} pixels cannot be made ({error}): use PNG") from error
    return buffer.getvalue()


def write(
    sample: Sample, path: str | os.PathLike[str], format: str | None = None, *, quality: int = 95
) -> None:
    """Write a sample's image to a file: either all of it, or nothing.

    The file is written under a temporary name, ``.handprep-*.tmp``, in the same folder, and renamed once it
    is complete. An older file of that name is replaced.

    Parameters
    ----------
    sample, format, quality
        As for `encode`; without a format, the ending of the path decides.
    path
        Where to; its folder must exist.

    Raises
    ------
    InputError
        As for `encode`, or if the path's ending says no known format.
    OutputError
        If the file cannot be written: no such folder, no permission, disk full.
    """
    atomic_write(Path(path), encode(sample, format or format_of(path), quality=quality))


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format that a path's ending names, or raise InputError if it names none."""
    format = FORMATS.get(Path(path).suffix.lower().removeprefix("."))
    if format is None:
        known = ", ".join(f".{ending}" for ending in FORMATS)
        raise InputError(f"{printable(str(path))} ends in none of {known}: name it so, or give the format")
    return format
