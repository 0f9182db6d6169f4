"""Where a prepared image is from."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields, replace
from typing import Any

from PIL.JpegImagePlugin import JpegImageFile

from handprep import geometry
from handprep.sample import Sample

DIGEST = 16  # bytes of BLAKE2b


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a prepared image is from, with nothing of the machine or its user."""

    source: str = ""  # the photo's path from the folder of photos, joined with /; of a clip, the frame's name
    folder: str = ""  # that folder's own name: the origin of photos that lie in no other folder
    output: str = ""  # the prepared image's path from the folder of prepared images
    size: int = 0  # bytes of the photo's or clip's file
    digest: str = ""  # of these bytes
    photo: tuple[int, int] = (0, 0)  # width and height in pixels, turned upright by the EXIF orientation
    fingerprint: str = ""  # of the pipeline and of how the file is written: with the same one it is finished
    hand: int = 0  # which of the photo's hands it shows, counted from 1; 0 where none was found
    hands: int = 1  # how many images the photo has
    each_hand: bool = False  # whether each hand of a photo has an image of its own
    message: str = ""  # what is to be known of the photo, such as that only its first frame was taken
    clip: str = ""  # the clip that the image is a frame of, named as a photo is; empty for a photo
    frame: int | None = None  # the frame's number
    images: int = 0  # how many images the clip has, in the last one of them; 0 in the others


_TEXTS = [field.name for field in fields(Origin) if isinstance(field.default, str)]


def digest_of(content: bytes) -> str:
    """Return the digest by which handprep tells whether a file's content is the same, as hex digits."""
    return hashlib.blake2b(content, digest_size=DIGEST).hexdigest()


def checked(plain: dict[str, Any]) -> Origin:
    """Return the origin of JSON values that may be anything; raise TypeError or ValueError."""
    origin = Origin(**plain)
    width, height = origin.photo
    numbers = [width, height, origin.frame or 0, origin.size, origin.hand, origin.hands, origin.images]
    if not all(isinstance(plain.get(name, ""), str) for name in _TEXTS):
        raise TypeError("an origin needs texts")
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise TypeError("an origin needs whole numbers")
    return replace(origin, photo=(width, height))


def photo_size(sample: Sample, content: bytes) -> tuple[int, int]:
    """Return width and height of the photo, upright, also where less of it was decoded."""
    size, to_source = sample.size, sample.to_source
    if sample.frames:
        size, to_source = sample.frames[0].size, sample.frames[0].to_source
    factor = round(geometry.scale_of(to_source))
    if factor == 1:
        return size
    with JpegImageFile(io.BytesIO(content)) as file:  # only JPEG is decoded at less than its size
        width, height = file.size
    reduced = -(-width // factor), -(-height // factor)
    return (width, height) if reduced == size else (height, width)
