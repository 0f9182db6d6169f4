"""MediaPipe's palm network in numbers: anchors, decoding, weighted non-maximum suppression.

Source: MediaPipe, ``modules/palm_detection/palm_detection_cpu.pbtxt`` and the calculators it names;
the network is described in Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking",
arXiv:2006.10214.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from handprep.detection.base import Proposal
from handprep.detection.region import Region

SIZE = 192  # pixels on a side of the network's input
KEYPOINTS = 7
GRIDS = ((24, 2), (12, 6))  # cells on a side, anchors a cell: stride 8 twice, stride 16 six times
# A palm's corners and key points, as shares of the input's side. Python's own numbers: right after a network
# ran, the caches are its own, and each call into numpy costs some ten microseconds.
Points: TypeAlias = list[tuple[float, float]]
OVERLAP = 0.3  # IoU from which two boxes are one palm


def _anchors() -> NDArray[np.float32]:
    centres = []
    for cells, repeats in GRIDS:
        y, x = (np.indices((cells, cells)) + 0.5) / cells
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(centres).astype(np.float32)


ANCHORS = _anchors()  # (2016, 2) centres
# What is added to a row of the network's output: the centre to its centre and key points, none to its size.
OFFSETS = np.tile(ANCHORS, 2 + KEYPOINTS) * np.repeat([1, 0, *[1] * KEYPOINTS], 2).astype(np.float32)


def decode(
    raw: NDArray[np.float32], logits: NDArray[np.float32], confidence: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the palms in the network's output, best first, before any suppression.

    The best is among them, however low its score: it tells how hopeless it is to search on. `raw` is
    ``(2016, 18)``: centre, size and seven key points, in network pixels about each anchor; `logits` is
    ``(2016,)``. The result is ``(N, 9, 2)``, both corners and the key points as shares of the input's side,
    and ``(N,)`` scores.
    """
    certain = math.copysign(math.inf, confidence - 0.5)
    logit = math.log(confidence / (1 - confidence)) if 0 < confidence < 1 else certain
    kept = np.flatnonzero(logits >= min(logit, float(logits.max())))
    negated = -logits[kept]
    order = negated.argsort(kind="stable")
    kept = kept[order]
    points: NDArray[np.float32] = (raw[kept] / np.float32(SIZE) + OFFSETS[kept]).reshape(-1, 2 + KEYPOINTS, 2)
    halves = points[:, 1] / 2
    points[:, 1] = points[:, 0] + halves
    points[:, 0] -= halves
    # MediaPipe clips to ±100 first, where the sigmoid has been 0 and 1 in float32 for long.
    scores: NDArray[np.float32] = np.reciprocal(1 + np.exp(negated[order]))
    return points, scores


def overlaps(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the IoU of one box ``(2, 2)``, its two corners, with each of ``(N, 2, 2)``."""
    shared_sides = np.maximum(np.minimum(box[1], boxes[:, 1]) - np.maximum(box[0], boxes[:, 0]), 0)
    own_sides, sides = box[1] - box[0], boxes[:, 1] - boxes[:, 0]
    shared = shared_sides[:, 0] * shared_sides[:, 1]
    united = own_sides[0] * own_sides[1] + sides[:, 0] * sides[:, 1] - shared
    ratio: NDArray[np.float32] = shared / np.maximum(united, 1e-12)
    return ratio


def suppress(points: NDArray[np.float32], scores: NDArray[np.float32]) -> list[tuple[float, Points]]:
    """Merge overlapping palms of `decode` into their mean, weighted by score; keep the best one's score."""
    palms = []
    while len(scores):
        same = overlaps(points[0, :2], points[:, :2]) > OVERLAP
        same[0] = True  # also where the box is empty
        weights = scores[same] / scores[same].sum()
        mean = weights @ points[same].reshape(len(weights), -1)
        palms.append((float(scores[0]), list(map(tuple, mean.reshape(-1, 2).tolist()))))
        points, scores = points[~same], scores[~same]
    return palms


def proposal(score: float, points: Points, letterbox: Region) -> Proposal:
    """Return the place of a palm's hand in the image, of which the network saw that unturned square."""
    side, left, top = letterbox.side, letterbox.x - letterbox.side / 2, letterbox.y - letterbox.side / 2
    (x0, y0), (x1, y1), wrist, _, middle_knuckle, *_ = points
    centre = left + side * (x0 + x1) / 2, top + side * (y0 + y1) / 2
    around = Region.upright(wrist, middle_knuckle, centre=centre, side=side * max(x1 - x0, y1 - y0))
    region = around.shifted(0, HAND_SHIFT * side * (y1 - y0)).scaled(HAND_SCALE)
    return Proposal(score=score, palm=centre, region=region)


HAND_SHIFT, HAND_SCALE = -0.5, 2.6  # RectTransformationCalculator, palm_detection_detection_to_roi.pbtxt
