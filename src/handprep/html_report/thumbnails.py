"""Small copies of pictures, each within a number of bytes, as text for a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import PIL.Image

from handprep import images
from handprep.errors import HandprepError
from handprep.names import printable
from handprep.progress import reporting
from handprep.sample import Image
from handprep.threads import ordered_map

QUALITY = 60  # of WebP: at 50 skin turns blotchy, 70 takes a fifth more
LOWEST_QUALITY = 20  # for noise, which hardly shrinks
# Pixels on the long side, and the bytes of the WebP that a photo of a hand then takes on average
# (measured over 40 photos of 20 sources, quality 60)
SIDES = {480: 4400, 320: 3000, 224: 1750, 160: 1150, 128: 850, 96: 620, 64: 390, 48: 250}
MOST_BYTES_EACH = 40_000  # of text: enough for any photo of 480 pixels
NOTATION = 24  # bytes of text that go with a thumbnail: quotes, commas and where it belongs


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A thumbnail, or why there is none.

    Attributes
    ----------
    data
        A WebP as base64; empty if there is none.
    problem
        Why there is none; else empty.
    """

    data: str = ""
    problem: str = ""


def thumbnails(
    files: Sequence[Path], each: int, *, workers: int | None = None, progress: bool = False
) -> tuple[Thumbnail, ...]:
    """Return a thumbnail of each file.

    Parameters
    ----------
    files
        Pictures. Those that cannot be read are no error: their thumbnail says why.
    each
        Bytes of text that a thumbnail may take, with what goes with it; at least 300.
    workers
        Threads; None for one a core.
    progress
        Whether to draw a progress bar on standard error.
    """
    made = ordered_map(partial(thumbnail, each=each), files, workers=workers)
    done: list[Thumbnail] = []
    with reporting(progress, 0, len(files), unit="thumbnail") as report, closing(made) as results:
        for each_made in results:
            done.append(each_made)
            report(len(done), len(files))
    return tuple(done)


def thumbnail(file: Path, *, each: int) -> Thumbnail:
    """Return a thumbnail of a file, of at most `each` bytes of text."""
    room = (each - NOTATION) // 4 * 3
    sides = [side for side, usual in SIDES.items() if usual <= room] or [min(SIDES)]
    try:
        content = _shrunk(images.read(file, at_least=sides[0]).image, sides, room)
    except (HandprepError, OSError, MemoryError) as error:  # this picture's own fault: the page says it
        return Thumbnail(problem=_tail(printable(str(error) or type(error).__name__), each // 6))
    if content is None:
        return Thumbnail(problem="too full of detail for a thumbnail within this page's size")
    return Thumbnail(data=base64.b64encode(content).decode("ascii"))


def _shrunk(image: Image, sides: Sequence[int], room: int) -> bytes | None:
    """Return the largest WebP that fits; None where none does."""
    picture = PIL.Image.fromarray(image)
    for side, quality in [*((side, QUALITY) for side in sides), (sides[-1], LOWEST_QUALITY)]:
        picture.thumbnail((side, side))  # never larger than it was
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality)
        if buffer.tell() <= room:
            return buffer.getvalue()
    return None


def _tail(message: str, length: int) -> str:
    """Shorten a message at its front, where its file's name is; what is wrong comes last."""
    return message if len(message) <= length else f"…{message[-length:]}"
