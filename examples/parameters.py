"""Make the strips of the page "Choose parameters by looking": rendered hands, a tile for each value.

    python examples/parameters.py [FOLDER]

Without a folder it replaces those in ``docs/assets/parameters``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from handprep import (
    BackgroundRemover,
    Greyscale,
    HandCropper,
    Pipeline,
    ResizePad,
    Sample,
    SearchingDetector,
    Skeleton,
    Transform,
    drawing,
    images,
)
from handprep.detection import LiteRTDetector, View
from handprep.drawing import Tile, side_by_side, stack
from handprep.explain import looks
from handprep.sample import Image

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "examples" / "rendered-hands" / "photos"
SIDE = 160  # pixels of a tile


def photo(name: str) -> Image:
    return images.read(PHOTOS / name.split("-", maxsplit=1)[0] / f"{name}.jpg").image


def tile(given: Image, caption: str, *transforms: Transform) -> Tile:
    """Return what transforms make of an image, below it what they are."""
    made = Pipeline(transforms).run(given)
    plain = replace(made, hands=(), alpha=made.alpha if made.transparent or "keep" in caption else None)
    return drawing.thumbnail(plain, SIDE, SIDE), caption


def found(image: Image, caption: str) -> Tile:
    """Return an image with what is found in it."""
    hands = HandCropper().finder().detect(image)
    told = ", ".join(hand.caption for hand in hands) or "no hand found"
    return drawing.thumbnail(Sample(image=image, hands=hands), SIDE, SIDE), f"{caption}\n{told}"


def margin() -> list[Tile]:
    return [tile(photo("paper-001"), f"margin={n}", HandCropper(margin=n)) for n in (0.0, 0.1, 0.2, 0.4, 0.8)]


def square() -> list[Tile]:
    given = photo("scissors-020")
    crops = [HandCropper(square=value) for value in (False, True)]
    return [
        *(tile(given, f"square={crop.square}", crop) for crop in crops),
        *(tile(given, f"square={crop.square}\nResizePad(64)", crop, ResizePad(64)) for crop in crops),
    ]


def upright() -> list[Tile]:
    given = photo("paper-004")
    ways = {
        "as in the photo": HandCropper(),
        "upright=True": HandCropper(upright=True),
        'mirror="right"': HandCropper(mirror="right"),
        'upright=True, mirror="right"': HandCropper(upright=True, mirror="right"),
    }
    return [tile(given, caption, crop) for caption, crop in ways.items()]


def hand() -> list[Tile]:
    near, far = photo("paper-034"), photo("scissors-020")[:, ::-1]
    both = np.hstack([near, cv2.copyMakeBorder(far[60:300, :-60], 60, 60, 0, 0, cv2.BORDER_REPLICATE)])
    values = ("best", "largest", "right", "all")
    chosen = [tile(both, f'hand="{value}"', HandCropper(hand=value)) for value in values]
    return [found(both, "a photo of two hands"), *chosen]


def background() -> list[Tile]:
    given = photo("paper-013")
    return [
        tile(given, f"background=\n{value!r}", HandCropper(), BackgroundRemover(background=value))
        for value in (0, (0, 177, 64), "blur", "transparent", "keep")
    ]


def missing() -> list[Tile]:
    nothing = photo("rock-012")[:200, 200:]
    return [found(nothing, "the photo")] + [
        tile(nothing, f'on_missing="{value}"', HandCropper(on_missing=value)) for value in ("keep", "center")
    ]


def size() -> list[Tile]:
    given, crop = photo("scissors-008"), HandCropper()
    sizes = [tile(given, f"ResizePad({n})", crop, ResizePad(n)) for n in (16, 32, 64, 128)]
    grey = tile(given, "ResizePad(64)\nGreyscale()", crop, ResizePad(64), Greyscale())
    return [*sizes, grey, tile(given, "ResizePad((64, 96), fill=200)", crop, ResizePad((64, 96), fill=200))]


def skeleton() -> list[Tile]:
    given = photo("scissors-002")
    ways = {
        'view="image"': Skeleton(view="image"),
        'view="upright"': Skeleton(view="upright"),
        'view="palm"': Skeleton(view="palm"),
        'colours="fingers"': Skeleton(colours="fingers", size=160),
        'background="keep"': Skeleton(view="image", size=None, background="keep"),
    }
    crop = HandCropper()
    return [tile(given, "the photo"), *(tile(given, text, crop, way) for text, way in ways.items())]


def views() -> list[Tile]:
    """Return what kinds of views show of a hand that the first look misses."""
    lights = ("smoothed", "balanced", "brightened", "equalised", "swapped", "skin-toned")
    kinds = [View(pad=0.4), View(pad=1.0), View(turn=90), View(turn=45)]
    detector = SearchingDetector(
        LiteRTDetector(), views=(*kinds, *(View(light=light) for light in lights)), further=()
    )
    return [look.tile() for look in looks(detector, photo("rock-000"))]


def limits() -> list[Tile]:
    """Return hands that are missed, or taken for what they are not."""
    small = cv2.resize(photo("paper-001"), None, fx=0.12, fy=0.12, interpolation=cv2.INTER_AREA)
    border = [(480 - small.shape[1]) // 2, (360 - small.shape[0]) // 2]
    far = cv2.copyMakeBorder(small, border[1], border[1], border[0], border[0], cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(0).normal(0, 2, photo("rock-021").shape)
    dim = (photo("rock-021") * 0.02 + noise).clip(0, 255).astype(np.uint8)
    return [
        found(dim, "a fiftieth of the light"),
        found(cv2.blur(photo("rock-018"), (25, 1)), "the camera moves"),
        found(far, "small in the photo"),
        found(np.ascontiguousarray(photo("scissors-005")[:, 380:]), "cut by the border"),
        found(photo("rock-006"), "a right fist"),
    ]


STRIPS: dict[str, Callable[[], list[Tile]]] = {
    make.__name__: make
    for make in (margin, square, upright, hand, background, missing, size, skeleton, limits, views)
}
COLUMNS = 6


def strip(name: str) -> Image:
    """Return a strip as one RGB image."""
    tiles = STRIPS[name]()
    rows = (tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS))
    return stack([side_by_side(row, side=SIDE) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "docs" / "assets" / "parameters")
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    for name in STRIPS:
        PIL.Image.fromarray(strip(name)).save(folder / f"{name}.jpg", optimize=True, quality=85)
        print(f"{folder / name}.jpg: {(folder / name).with_suffix('.jpg').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
