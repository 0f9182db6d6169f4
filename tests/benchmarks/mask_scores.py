"""How well a mask fits: overlap, border, gaps between fingers, and whose skin it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray[Any, Any]

TOLERANCE = 0.0075  # of the picture's diagonal: as far off as a border may be, as in the DAVIS benchmark
TONES = {"light": 41.0, "medium": 10.0, "dark": -90.0}  # least individual typology angle, degrees
LEAST_GAP = 0.01  # of the hand's area: smaller gaps are a matter of a pixel


def iou(alpha: Array, truth: Array | None) -> float:
    """Return the intersection over union of two alphas, each cut at one half."""
    assert truth is not None
    found, wanted = alpha > 127, truth > 127
    return float((found & wanted).sum() / max(1, (found | wanted).sum()))


def border_score(alpha: Array, truth: Array) -> float:
    """Return the F-score of the mask's border: the harmonic mean of precision and recall.

    References
    ----------
    Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation",
    CVPR 2016.
    """
    reach = max(1.0, TOLERANCE * float(np.hypot(*truth.shape)))
    found, wanted = _border(alpha), _border(truth)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision = float((_distance_to(wanted)[found] <= reach).mean())
    recall = float((_distance_to(found)[wanted] <= reach).mean())
    return 2 * precision * recall / max(1e-9, precision + recall)


def border_distances(wanted: Array, found: Array, counts: Array) -> tuple[Array, Array]:
    """Return how far off, in pixels, each pixel of the found outline is, and each of the wanted one.

    Parameters
    ----------
    wanted, found
        bool ``(H, W)`` masks.
    counts
        bool ``(H, W)``: where outlines are looked at; they may lie close to others anywhere.
    """
    true_border, border = (_border(np.where(mask, 255, 0)) for mask in (wanted, found))
    far = np.full(wanted.shape, np.inf)
    to_true = _distance_to(true_border) if true_border.any() else far
    to_found = _distance_to(border) if border.any() else far
    return to_true[border & counts], to_found[true_border & counts]


def gap_iou(alpha: Array, truth: Array) -> float | None:
    """Return the intersection over union of the background within the hand's convex hull.

    This is what lies between fingers, mostly. None for hands that have next to none of it.
    """
    wanted = (truth > 127).astype(np.uint8)
    hull = np.zeros_like(wanted)
    points = cv2.findNonZero(wanted)
    if points is None:
        return None
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    gaps, found = (hull > wanted), (hull > 0) & (alpha <= 127)
    if gaps.sum() < LEAST_GAP * wanted.sum():
        return None
    return float((gaps & found).sum() / (gaps | found).sum())


def has_holes(found: Array, wanted: Array) -> bool:
    """Tell whether a mask has holes most of which is hand."""
    number, labels = cv2.connectedComponents((~found).astype(np.uint8), connectivity=4)
    border = set(np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])).tolist())
    return any(wanted[labels == hole].mean() > 0.5 for hole in range(1, number) if hole not in border)


def tone(image: Array, truth: Array) -> str:
    """Return ``"light"``, ``"medium"`` or ``"dark"``: the hand's skin as it looks in the picture."""
    skin = image[truth > 250]
    if not len(skin):
        return "dark"
    return tone_of(np.median(skin, axis=0), TONES)


def tone_of(colour: ArrayLike, tones: Mapping[str, float]) -> str:
    """Return the name of an 8-bit RGB skin colour among tones and their least angles, lightest first.

    References
    ----------
    Chardon, Cretois and Hourseau, "Skin colour typology and suntanning pathways", International Journal
    of Cosmetic Science 13 (4), 1991: the individual typology angle, and where its classes end.
    """
    lab = cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness, _, yellow = lab[0, 0]
    angle = np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1e-3)))
    return next(name for name, least in tones.items() if angle >= least)


def _border(alpha: Array) -> Array:
    mask = (alpha > 127).astype(np.uint8)
    return (mask > cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=1)) & (mask > 0)


def _distance_to(mask: Array) -> Array:
    return cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
