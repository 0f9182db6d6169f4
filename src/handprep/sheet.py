"""Images in rows with their captions, as one image."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from handprep.sample import Image

Tile = tuple[Image, str]  # uint8 (H, W, 3), and lines of text for below it

PAPER, INK = (255, 255, 255), (50, 50, 50)
GAP, LETTERS, LINE, LETTER = 10, 13, 16, 7  # pixels: between tiles, font, its lines, the width of a letter


def sheet(rows: Sequence[Sequence[Tile]], *, side: int = 240) -> Image:
    """Lay out rows of images, each at most `side` pixels wide, with their captions, as one RGB image."""
    texts = [[_wrapped(caption, side) for _, caption in row] for row in rows]
    heights = [
        2 * GAP + max(tile[0].shape[0] + LINE * len(lines) for tile, lines in zip(row, below, strict=True))
        for row, below in zip(rows, texts, strict=True)
    ]
    paper = PIL.Image.new("RGB", (max(map(len, rows)) * (side + GAP) + GAP, sum(heights)), PAPER)
    pen, font = PIL.ImageDraw.Draw(paper), PIL.ImageFont.load_default(LETTERS)
    for row, below, top in zip(rows, texts, np.cumsum([0, *heights]).tolist()[:-1], strict=True):
        for column, ((image, _), lines) in enumerate(zip(row, below, strict=True)):
            left = GAP + column * (side + GAP)
            paper.paste(PIL.Image.fromarray(image), (left, top + GAP))
            for number, line in enumerate(lines):
                pen.text((left, top + GAP + image.shape[0] + 3 + LINE * number), line, INK, font)
    return np.asarray(paper)


def stack(images: Sequence[Image]) -> Image:
    """Put RGB images of any width below each other."""
    width = max(image.shape[1] for image in images)
    right = [((0, 0), (0, width - image.shape[1]), (0, 0)) for image in images]
    return np.vstack([np.pad(*pair, constant_values=255) for pair in zip(images, right, strict=True)])


def _wrapped(caption: str, side: int) -> list[str]:
    return [part for line in caption.splitlines() for part in textwrap.wrap(line, int(side / LETTER))]
