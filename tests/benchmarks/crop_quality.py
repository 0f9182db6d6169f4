"""How much of each hand its crop holds, on photos before a green background (masks by keying).

    python -m tests.benchmarks.crop_quality PHOTOS [--margin 0.15] [--every N]

Counted are the hand's pixels beyond the wrist line: on the fingers' side of the line through the wrist
landmark, square to the hand's axis (wrist to middle knuckle). The rest of the mask is forearm.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from handprep import geometry, images
from handprep.landmarks import HandLandmark
from handprep.threads import ordered_map
from handprep.transforms.crop import HandCropper


def keyed(image: np.ndarray) -> np.ndarray:
    """Return the mask, bool (H, W), of what stands before a green background: its largest component."""
    hue, saturation, _ = np.moveaxis(cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(int), -1, 0)
    red, green, blue = np.moveaxis(image.astype(int), -1, 0)
    screen = ((hue >= 35) & (hue <= 90) & (saturation > 70)) | ((green > red + 20) & (green > blue + 20))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~screen).astype(np.uint8))
    if count < 2:
        return np.zeros(image.shape[:2], bool)
    return labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()


def share_inside(path: Path, cropper: HandCropper) -> float | None:
    """Return the share of the hand's pixels that the crop holds, or None where no hand was found."""
    image = images.read(path).image
    done = cropper.run(image)
    if done.hand is None or done.hand.landmarks is None:
        return None
    wrist, knuckle = geometry.apply(
        done.to_source, done.hand.landmarks[[HandLandmark.WRIST, HandLandmark.MIDDLE_FINGER_MCP]]
    )
    rows, columns = np.nonzero(keyed(image))
    centres = np.stack([columns, rows], axis=1) + 0.5
    hand = centres[(centres - wrist) @ (knuckle - wrist) > 0]
    x0, y0, x1, y1 = geometry.apply_to_box(done.to_source, (0, 0, *done.size))
    inside = (hand > (x0, y0)).all(1) & (hand < (x1, y1)).all(1)
    return float(inside.mean())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--margin", type=float, nargs="+", default=[HandCropper().margin])
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    paths = sorted(options.photos.rglob("*.jpg")) + sorted(options.photos.rglob("*.png"))
    for margin in options.margin:
        cropper = HandCropper(margin=margin)
        shares = list(ordered_map(lambda path, c=cropper: share_inside(path, c), paths[:: options.every]))
        found = np.array([share for share in shares if share is not None])
        quantiles = np.quantile(found, [0, 0.001, 0.005, 0.01, 0.05, 0.5])
        print(
            f"margin {margin}: {len(found)} of {len(shares)} found; ≥ 99 % of the hand in "
            f"{100 * (found >= 0.99).mean():.2f} %, all of it in {100 * (found == 1).mean():.2f} %; "
            f"quantiles 0, 0.1, 0.5, 1, 5, 50 %: {np.round(quantiles, 4).tolist()}"
        )


if __name__ == "__main__":
    main()
