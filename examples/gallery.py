"""Make the images of README and docs: rendered hands, each as a photo and as pipelines make it.

    python examples/gallery.py [FOLDER]

Without a folder it replaces those in ``docs/assets``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from handprep import BackgroundRemover, Greyscale, HandCropper, Pipeline, ResizePad, images

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "examples" / "rendered-hands" / "photos"

TILE = 192  # pixels on a side: three times 64, so that the pixels of small images stay square
GAP = 8
HEAD = 28  # pixels for the titles
PAPER, INK = (255, 255, 255), (60, 60, 60)

CROP = HandCropper()
UPRIGHT = HandCropper(upright=True, mirror="right")
CUT_OUT = Pipeline([CROP, BackgroundRemover()])
FINAL = [BackgroundRemover(), ResizePad(64), Greyscale()]

STEPS = {
    "photo": Pipeline([]),
    "cropped": Pipeline([CROP]),
    "background removed": CUT_OUT,
    "64 x 64, grey": Pipeline([CROP, *FINAL]),
}
WAYS = {
    "photo": Pipeline([]),
    "cropped": Pipeline([CROP]),
    "upright, right": Pipeline([UPRIGHT]),
    "before black": CUT_OUT,
    "before green": Pipeline([CROP, BackgroundRemover(background=(0, 177, 64))]),
    "before its blur": Pipeline([CROP, BackgroundRemover(background="blur")]),
    "64 x 64, all of it": Pipeline([UPRIGHT, *FINAL]),
}
SHEETS: dict[str, tuple[Sequence[str], Mapping[str, Pipeline]]] = {
    "before-after.png": (("rock/rock-021.jpg", "paper/paper-013.jpg", "scissors/scissors-008.jpg"), STEPS),
    "gallery.jpg": (
        (
            *("rock/rock-003.jpg", "paper/paper-001.jpg", "scissors/scissors-002.jpg", "rock/rock-012.jpg"),
            *("paper/paper-022.jpg", "scissors/scissors-020.jpg", "paper/paper-034.jpg", "rock/rock-030.jpg"),
        ),
        WAYS,
    ),
}


def sheet(names: Sequence[str], columns: Mapping[str, Pipeline]) -> PIL.Image.Image:
    """Lay out what each pipeline makes of each photo, a row for each photo, below the pipelines' titles."""
    width = len(columns) * (TILE + GAP) - GAP
    picture = PIL.Image.new("RGB", (width, HEAD + len(names) * (TILE + GAP) - GAP), PAPER)
    draw, font = PIL.ImageDraw.Draw(picture), PIL.ImageFont.load_default(15)
    for column, (title, pipeline) in enumerate(columns.items()):
        x = column * (TILE + GAP)
        draw.text((x + TILE / 2, HEAD / 2), title, INK, font, anchor="mm")
        for row, name in enumerate(names):
            picture.paste(tile(pipeline, PHOTOS / name), (x, HEAD + row * (TILE + GAP)))
    return picture


def tile(pipeline: Pipeline, photo: Path) -> PIL.Image.Image:
    """Return what a pipeline makes of a photo, as large as a tile."""
    made = pipeline.run(images.read(photo))
    if made.size == (64, 64):
        return PIL.Image.fromarray(made.rgb).resize((TILE, TILE), PIL.Image.Resampling.NEAREST)
    return PIL.Image.fromarray(ResizePad(TILE, fill=PAPER).apply(made).rgb)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "docs" / "assets")
    folder = parser.parse_args().folder
    for name, (photos, columns) in SHEETS.items():
        picture = sheet(photos, columns)
        picture.save(folder / name, optimize=True, quality=85)
        size = (folder / name).stat().st_size / 1000
        print(f"{folder / name}: {np.prod(picture.size):,} pixels, {size:.0f} kB")


if __name__ == "__main__":
    main()
