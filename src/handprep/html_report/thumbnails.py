"""Small copies of images, each within a number of bytes, as text for a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import PIL.Image

from handprep import images
from handprep.errors import HandprepError
from handprep.text import printable

QUALITY = 60  # of WebP: at 50 skin turns blotchy, 70 takes a fifth more
LOWEST_QUALITY = 20  # for noise, which hardly shrinks
# Pixels on the long side, and the bytes of the WebP that a photo of a hand then takes on average
# (measured over 40 photos of 20 sources, quality 60)
SIDES = {480: 4400, 320: 3000, 224: 1750, 160: 1150, 128: 850, 96: 620, 64: 390, 48: 250}
MOST_BYTES_EACH = 40_000  # of text: enough for any photo of 480 pixels
NOTATION = 24  # bytes of text that go with a thumbnail: quotes, commas and where it belongs


class Thumbnail(NamedTuple):
    """A WebP as base64, or why there is none."""

    data: str = ""
    problem: str = ""


def thumbnail(file: Path, *, each: int) -> Thumbnail:
    """Return a thumbnail of a file, of at most `each` bytes of text, at least 300."""
    room = (each - NOTATION) // 4 * 3
    sides = [side for side, usual in SIDES.items() if usual <= room] or [min(SIDES)]
    try:
        image = PIL.Image.fromarray(images.read(file, at_least=sides[0]).image)
    except (HandprepError, OSError, MemoryError) as error:  # this image's own fault: the page says it
        message, length = printable(str(error) or type(error).__name__), each // 6
        # shortened at its front, where its file's name is; what is wrong comes last
        return Thumbnail(problem=message if len(message) <= length else f"…{message[-length:]}")
    content = _shrunk(image, sides, room)
    if content is None:
        return Thumbnail(problem="too full of detail for a thumbnail within this page's size")
    return Thumbnail(data=base64.b64encode(content).decode("ascii"))


def _shrunk(image: PIL.Image.Image, sides: Sequence[int], room: int) -> bytes | None:
    """Return the largest WebP that fits; None where none does."""
    for side, quality in [*((side, QUALITY) for side in sides), (sides[-1], LOWEST_QUALITY)]:
        image.thumbnail((side, side))  # never larger than it was
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality)
        if buffer.tell() <= room:
            return buffer.getvalue()
    return None
