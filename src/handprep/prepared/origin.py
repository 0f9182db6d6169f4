"""Where a prepared image is from."""

import hashlib
import io
from dataclasses import dataclass, fields
from typing import Any

from PIL.JpegImagePlugin import JpegImageFile

from handprep import geometry
from handprep.sample import Sample

DIGEST = 16  # bytes of BLAKE2b


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a prepared image is from, with nothing of the machine or its user.

    Attributes
    ----------
    source
        The photo's path from the folder of photos, joined with ``/``; of a clip, the frame's name.
    folder
        That folder's own name: the origin of photos that lie in no other folder.
    output
        The prepared image's path from the folder of prepared images.
    size, digest
        Bytes of the photo's or clip's file, and their `digest_of`.
    photo
        Width and height of the photo in pixels, turned upright by its EXIF orientation.
    fingerprint
        Of the pipeline and of how the file is written: with the same one, the photo is finished.
    hand, hands
        Which of the photo's hands the image is of, counted from 1, or 0 without a hand; how many images the
        photo has.
    each_hand
        Whether each hand of a photo has an image of its own.
    message
        What is to be known of the photo, such as that only its first frame was taken.
    clip, frame
        The clip that the image is a frame of, and the frame's number; empty and None for a photo.
    images
        How many images the clip has, in the last one of them; 0 in the others.
    """

    source: str = ""
    folder: str = ""
    output: str = ""
    size: int = 0
    digest: str = ""
    photo: tuple[int, int] = (0, 0)
    fingerprint: str = ""
    hand: int = 0
    hands: int = 1
    each_hand: bool = False
    message: str = ""
    clip: str = ""
    frame: int | None = None
    images: int = 0


_TEXTS = [field.name for field in fields(Origin) if isinstance(field.default, str)]


def digest_of(content: bytes) -> str:
    """Return the digest by which handprep tells whether a file's content is the same, as hex digits."""
    return hashlib.blake2b(content, digest_size=DIGEST).hexdigest()


def checked(plain: dict[str, Any]) -> Origin:
    """Return the origin of JSON values that may be anything; raise TypeError or ValueError."""
    origin = Origin(**{**plain, "photo": tuple(plain["photo"])})
    width, height = origin.photo
    numbers = (width, height, origin.frame or 0, origin.size, origin.hand, origin.hands, origin.images)
    if not all(isinstance(getattr(origin, name), str) for name in _TEXTS):
        raise TypeError("an origin needs texts")
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise TypeError("an origin needs whole numbers")
    return origin


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
