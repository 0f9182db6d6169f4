"""Make the picture of the README: three rendered hands, each as a photo and after each step.

    python examples/readme_picture.py [OUT.png]

Without a name it replaces ``docs/assets/before-after.png``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from handprep import BackgroundRemover, Greyscale, HandCropper, Pipeline, ResizePad, images
from handprep.sample import Sample

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "examples" / "rendered-hands" / "photos"
SHOWN = ("rock/rock-021.jpg", "paper/paper-013.jpg", "scissors/scissors-008.jpg")
TITLES = ("photo", "cropped", "background removed", "64 x 64, grey")

TILE = 192  # pixels on a side: three times 64, so that the last step's pixels stay square
GAP = 8
HEAD = 28  # pixels for the titles
PAPER, INK = (255, 255, 255), (60, 60, 60)

CROP = HandCropper()
CUT_OUT = Pipeline([CROP, BackgroundRemover()])
FINAL = Pipeline([CROP, BackgroundRemover(), ResizePad(64), Greyscale()])


def steps(photo: Path) -> list[PIL.Image.Image]:
    """Return the photo and what the steps make of it, as tiles."""
    pictures = [images.read(photo), CROP.run(photo), CUT_OUT.run(photo)]
    final = PIL.Image.fromarray(FINAL(photo)).resize((TILE, TILE), PIL.Image.Resampling.NEAREST)
    return [*map(tile, pictures), final.convert("RGB")]


def tile(sample: Sample) -> PIL.Image.Image:
    return PIL.Image.fromarray(ResizePad(TILE, fill=PAPER).apply(sample).image)


def sheet(rows: list[list[PIL.Image.Image]]) -> PIL.Image.Image:
    """Lay tiles out in rows below their titles."""
    width = len(TITLES) * (TILE + GAP) - GAP
    picture = PIL.Image.new("RGB", (width, HEAD + len(rows) * (TILE + GAP) - GAP), PAPER)
    draw, font = PIL.ImageDraw.Draw(picture), PIL.ImageFont.load_default(15)
    for column, title in enumerate(TITLES):
        x = column * (TILE + GAP)
        draw.text((x + TILE / 2, HEAD / 2), title, INK, font, anchor="mm")
        for row, tiles in enumerate(rows):
            picture.paste(tiles[column], (x, HEAD + row * (TILE + GAP)))
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "docs" / "assets" / "before-after.png")
    out = parser.parse_args().out
    picture = sheet([steps(PHOTOS / name) for name in SHOWN])
    picture.save(out, optimize=True)
    print(f"{out}: {np.prod(picture.size):,} pixels, {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
