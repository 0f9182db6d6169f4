"""Small copies of the images that the report shows, the most important first, as text for a page."""

import base64
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import PIL.Image

from handprep import geometry, images
from handprep.errors import HandprepError
from handprep.prepared.container import DamagedError
from handprep.prepared.manifest import Row
from handprep.prepared.record import Record, read_file
from handprep.text import printable

Item = TypeVar("Item")
Shown: TypeAlias = tuple[int, str]  # of which row, and which image of it: "photo" or "prepared"

LOWEST_SCORES = 500  # so many of the photos with a hand have an image in the list
# Pixels on the long side, and the bytes of text that a photo of a hand then takes on average, its hand's
# outline included (measured over 40 photos of 20 sources)
SIDES = {480: 6200, 320: 4300, 224: 2650, 160: 1850, 128: 1450}
LEAST_BYTES = 1300  # of a thumbnail in the page: with less room for each, fewer get one
QUALITY = 60  # of WebP: at 50 skin turns blotchy, 70 takes a fifth more
LONGEST = 200  # characters of a problem


def wanted(rows: Sequence[Row], sheets: Sequence[Mapping[str, Any]], most: int) -> list[Shown]:
    """Return which images to show, at most so many.

    Those of the contact sheets come first, then photos without a found hand, evenly from all, the lowest
    scores, hands found only by search, and last the photos of the prepared images.
    """
    missed: list[Shown] = [  # a clip's frame has no photo that could be shown
        (index, "prepared" if row.clip else "photo")
        for index, row in enumerate(rows)
        if row.status != "done" and (row.output or not row.clip)
    ]
    # a row without a score, where hands were not looked for, comes after those that have one
    done = [index for index, row in enumerate(rows) if row.status == "done" and row.output]
    done.sort(key=lambda index: (rows[index].score is None, rows[index].score or 0.0, index))
    searched = [index for index in done[LOWEST_SCORES:] if rows[index].view not in ("", "as-is")]
    chosen: list[Shown] = [(index, "prepared") for sheet in sheets for index in sheet["rows"]]
    chosen += evenly(missed, max(0, most - len(chosen)))
    chosen += [(index, "prepared") for index in (*done[:LOWEST_SCORES], *searched[:LOWEST_SCORES])]
    photos = (
        (index, "photo") for index, kind in chosen[:most] if kind == "prepared" and not rows[index].clip
    )
    return list(dict.fromkeys((*chosen, *photos)))[:most]


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return some of the items, in order, from the middles of parts of the same length."""
    count = min(count, len(items))
    return [items[(2 * part + 1) * len(items) // (2 * count)] for part in range(count)]


def side_for(count: int, room: int) -> int:
    """Return how many pixels long thumbnails can be for so many of them to fit into that many bytes."""
    return next((side for side, usual in SIDES.items() if usual * count <= room), min(SIDES))


def thumbnail(rows: Sequence[Row], photos: Path, outputs: Path, side: int, shown: Shown) -> dict[str, Any]:
    """Return an image as a WebP in base64, a photo with its `outline`; or why there is none."""
    index, kind = shown
    row = rows[index]
    output = outputs / row.output
    file = output if kind == "prepared" else photos / row.source
    try:
        image = PIL.Image.fromarray(images.read(file, at_least=side).image)
    except (HandprepError, OSError, MemoryError) as error:  # this image's own fault: the page says it
        message = printable(str(error) or type(error).__name__)
        # shortened at its front, where its file's name is; what is wrong comes last
        return {"problem": message if len(message) <= LONGEST else f"…{message[-LONGEST:]}"}
    image.thumbnail((side, side))  # never larger than it was
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    made = {"webp": base64.b64encode(buffer.getvalue()).decode("ascii")}
    return made | (outline(row, output) if kind == "photo" else {})


def outline(row: Row, output: Path) -> dict[str, Any]:
    """Return a photo's height and its hand's landmarks or else box, in thousandths of the photo's width."""
    if row.photo is None or row.box is None:
        return {}
    points: Any = np.reshape(row.box, (2, 2))
    with suppress(DamagedError):
        record = Record.read(read_file(str(output)) or b"")
        if (hands := record.hands) and hands[0].landmarks is not None:
            points = geometry.apply(record.to_source, hands[0].landmarks)
    thousandths = np.rint(points * 1000 / row.photo[0]).astype(int).ravel().tolist()
    return {"height": max(1, round(1000 * row.photo[1] / row.photo[0])), "points": thousandths}
