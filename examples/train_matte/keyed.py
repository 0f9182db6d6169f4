"""Hands photographed before one colour, keyed: python -m train_matte.keyed DATA OUT.

DATA holds folders of images: ``cgi`` (white), ``hands`` (green) and ``custom`` (a bare wall), each with
any folders below; those that are missing are left out. DATA.md says what they are. Landmarks are those
that handprep's detector finds; images without a hand, or with a mask that does not fit it, are left out.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from handprep import images
from handprep.detection import detector_named
from handprep.landmarks import HandLandmark
from handprep.sample import Hand
from train_matte import cutouts

SHARD = 250
RIM = 4  # pixels at each side of an image, which may be a frame around it
CORNER = 6  # pixels by which a forearm that leaves near a corner may touch the next side
SUFFIXES = {".jpg", ".jpeg", ".png"}

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SCREENS, default=list(SCREENS))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for name in options.sets:
        paths = sorted(p for p in (options.data / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        for number, some in enumerate(shards(paths)):
            target = options.out / f"{name}-{number:04d}.npz"
            if not target.exists() and (found := list(keyed(tqdm(some, desc=target.stem), name))):
                cutouts.save(target, found)


def shards(paths: list[Path]) -> Iterator[tuple[Path, ...]]:
    for start in range(0, len(paths), SHARD):
        yield tuple(paths[start : start + SHARD])


def keyed(paths: Iterator[Path], name: str) -> Iterator[cutouts.Cutout]:
    """Yield what is cut out of each image that can be keyed, and whose hand it is."""
    detector = detector_named("litert", confidence=0.3, search=True)
    for path in paths:
        image = images.read(path).image[RIM:-RIM, RIM:-RIM]
        for hand in detector.detect(image)[:1]:
            mask = SCREENS[name](image, hand)
            if fits(mask, hand) and leaves_once(mask) and (name.startswith("cgi") or bare(image, mask, hand)):
                alpha = softened(mask)
                pixels, landmarks = cutouts.cut(image, alpha, hand.landmarks)
                group = f"{name}/{identity(name, path)}"
                yield cutouts.Cutout(pixels=pixels, landmarks=landmarks, group=group)


def identity(name: str, path: Path) -> str:
    """Return whose hand an image shows, as far as its file's name tells; else a number from its name."""
    model = re.match(r"[a-z]+(\d\d)", path.stem)
    if name.startswith("cgi") and model:
        return model[1]
    return f"{sum(path.stem.encode()) % 10}"


def white(image: Image, hand: Hand) -> Mask:
    """Return what is not a white screen, nor a shadow on it."""
    least, most = image.min(2).astype(int), image.max(2).astype(int)
    return (least <= 232) & ~((least > 180) & (most - least < 10))


def green(image: Image, hand: Hand) -> Mask:
    """Return what is neither a green screen nor a blue sleeve."""
    red, green_, blue = (image[..., channel].astype(int) for channel in range(3))
    hue, saturation, _ = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    screen = (hue >= 35) & (hue <= 90) & (saturation > 70) | (green_ - np.maximum(red, blue) > 20)
    sleeve = cv2.medianBlur((blue - red > 10).astype(np.uint8), 5) > 0
    return ~(screen | sleeve)


def wall(image: Image, hand: Hand) -> Mask:
    """Return what differs from a wall, whose colour changes slowly over the image."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    height, width = lab.shape[:2]
    y, x = np.mgrid[:height, :width]
    x, y = x / width - 0.5, y / height - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)
    left, top, right, _ = hand.box
    clear = (x + 0.5 < left / width) | (x + 0.5 > right / width) | (y + 0.5 < top / height)
    for _ in range(4):  # each time without what the wall's colour explained worst
        model, *_ = np.linalg.lstsq(terms[clear][::7], lab[clear][::7], rcond=None)
        off = np.abs(lab - terms @ model) @ np.array([0.35, 1, 1], np.float32)  # shadows are but darker
        clear &= off < 2 * np.median(off[clear]) + 2
    return np.asarray(cv2.medianBlur((off > 9).astype(np.uint8), 3) > 0)


SCREENS: dict[str, Callable[[Image, Hand], Mask]] = {
    "cgi": white,
    "cgi-test": white,
    "hands": green,
    "custom": wall,
}


def fits(mask: Mask, hand: Hand) -> bool:
    """Tell whether the largest part of a mask, which replaces it, holds the hand's landmarks."""
    number, labels, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if number < 2:
        return False
    mask[:] = labels == 1 + sizes[1:, cv2.CC_STAT_AREA].argmax()
    x, y = hand.landmarks.T
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    on = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return bool(inside.mean() > 0.8 and on[y[inside].astype(int), x[inside].astype(int)].mean() > 0.9)


def leaves_once(mask: Mask) -> bool:
    """Tell whether a hand's mask reaches one side of the image at most, with its forearm."""
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return sum(int(side.sum()) > CORNER for side in sides) <= 1


def bare(image: Image, mask: Mask, hand: Hand) -> bool:
    """Tell whether what is below the wrist has the hand's colour: no sleeve."""
    wrist, knuckle = hand.landmarks[HandLandmark.WRIST], hand.landmarks[HandLandmark.MIDDLE_FINGER_MCP]
    length = np.hypot(*(knuckle - wrist))
    y, x = np.nonzero(mask)
    along = (np.stack([x, y], axis=-1) - wrist) @ ((wrist - knuckle) / max(length, 1.0))
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[y, x].astype(np.float32)
    arm, palm = colours[along > 0.3 * length], colours[(along < 0) & (along > -length)]
    if len(arm) < 50 or len(palm) < 50:
        return True
    lightness, *tint = np.abs(np.median(arm, axis=0) - np.median(palm, axis=0))
    return bool(lightness < 45 and max(tint) < 10)


def softened(mask: Mask) -> Image:
    """Return the alpha of a mask: small holes closed, the outermost pixel, lit by the screen, taken off."""
    solid = mask.astype(np.uint8)
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(1 - solid, connectivity=4)
    small = np.flatnonzero(sizes[:, cv2.CC_STAT_AREA] < 0.002 * solid.sum())
    solid[np.isin(labels, small[small > 0])] = 1
    return cv2.GaussianBlur(cv2.erode(solid * np.uint8(255), np.ones((3, 3), np.uint8)), (0, 0), 0.8)


if __name__ == "__main__":
    main()
