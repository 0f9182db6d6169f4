"""MediaPipe's palm network in numbers: anchors, decoding, weighted non-maximum suppression.

Source: MediaPipe, ``modules/palm_detection/palm_detection_cpu.pbtxt`` and the calculators it names;
the network is described in Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking",
arXiv:2006.10214.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handprep.detection.region import Region

SIZE = 192  # pixels on a side of the network's input
KEYPOINTS = 7
WRIST, MIDDLE_KNUCKLE = 0, 2  # among the seven key points
GRIDS = ((24, 2), (12, 6))  # cells on a side, anchors a cell: stride 8 twice, stride 16 six times
OVERLAP = 0.3  # IoU from which two boxes are one palm
LOGIT_LIMIT = 100.0  # TensorsToDetectionsCalculator clips there before the sigmoid


@dataclass(frozen=True, slots=True)
class Palm:
    """A palm in the network's input, as shares of its side: 0 to 1."""

    box: NDArray[np.float32]  # (4,) x0, y0, x1, y1
    keypoints: NDArray[np.float32]  # (7, 2)
    score: float


def _anchors() -> NDArray[np.float32]:
    centres = []
    for cells, repeats in GRIDS:
        y, x = (np.indices((cells, cells)) + 0.5) / cells
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(centres).astype(np.float32)


ANCHORS = _anchors()  # (2016, 2) centres


def _logit(share: float) -> float:
    if share <= 0:
        return -math.inf
    return math.inf if share >= 1 else math.log(share / (1 - share))


def decode(raw: NDArray[np.float32], logits: NDArray[np.float32], confidence: float) -> list[Palm]:
    """Return the palms in the network's output, best first, before any suppression.

    Parameters
    ----------
    raw
        ``(2016, 18)``: centre, size and seven key points, in network pixels about each anchor.
    logits
        ``(2016,)``.
    confidence
        Least score, 0 to 1.
    """
    kept = np.flatnonzero(logits >= _logit(confidence))
    kept = kept[np.argsort(-logits[kept], kind="stable")]
    scores = 1 / (1 + np.exp(-np.clip(logits[kept], -LOGIT_LIMIT, LOGIT_LIMIT)))
    points = (raw[kept] / SIZE).reshape(-1, 2 + KEYPOINTS, 2)
    points[:, 0] += ANCHORS[kept]
    points[:, 2:] += ANCHORS[kept, None]
    centres, halves = points[:, 0], points[:, 1] / 2
    boxes = np.hstack([centres - halves, centres + halves])
    return [
        Palm(box, corners, float(score))
        for box, corners, score in zip(boxes, points[:, 2:], scores, strict=True)
    ]


def overlaps(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the IoU of one box ``(4,)`` with each of ``(N, 4)``."""
    corners = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(corners[1] - corners[0], 0, None), axis=1)
    united = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    ratio: NDArray[np.float32] = shared / np.maximum(united, 1e-12)
    return ratio


def suppress(palms: list[Palm]) -> list[Palm]:
    """Merge overlapping palms into their mean, weighted by score; keep the best one's score.

    Parameters
    ----------
    palms
        Best first, as `decode` returns them.
    """
    merged = []
    while palms:
        boxes = np.array([palm.box for palm in palms])
        same = overlaps(boxes[0], boxes) > OVERLAP
        same[0] = True  # also where the box is empty
        group = [palm for palm, is_same in zip(palms, same, strict=True) if is_same]
        weights = np.array([palm.score for palm in group], dtype=np.float32)
        weights /= weights.sum()
        merged.append(
            Palm(
                np.einsum("n,nk->k", weights, boxes[same]),
                np.einsum("n,nkd->kd", weights, np.array([palm.keypoints for palm in group])),
                group[0].score,
            )
        )
        palms = [palm for palm, is_same in zip(palms, same, strict=True) if not is_same]
    return merged


def hand_region(palm: Palm, letterbox: Region) -> Region:
    """Return the square of the picture that the hand of a palm lies in.

    Parameters
    ----------
    palm
        As shares of the network's input.
    letterbox
        The square of the picture that the network saw.
    """
    box = palm.box.reshape(2, 2)
    side = float((box[1] - box[0]).max()) * letterbox.side
    height = float(box[1, 1] - box[0, 1]) * letterbox.side
    wrist, knuckle = letterbox.points(palm.keypoints[[WRIST, MIDDLE_KNUCKLE]])
    region = Region.upright(wrist, knuckle, centre=letterbox.points(box.mean(0)), side=side)
    return region.shifted(0, HAND_SHIFT * height).scaled(HAND_SCALE)


HAND_SHIFT, HAND_SCALE = -0.5, 2.6  # RectTransformationCalculator, palm_detection_detection_to_roi.pbtxt
