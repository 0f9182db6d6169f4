"""One hand reported twice: which of several hands are the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from handprep import geometry
from handprep.landmarks import HandLandmark
from handprep.sample import Hand

# HandLandmarksDeduplicationCalculator of MediaPipe's Tasks: so many landmarks no further apart than that
# share of the palm, and boxes that overlap by this IoU.
COMMON, APART, TOUCHING = 10, 0.2, 0.2
# MediaPipe's classic API drops what overlaps by this IoU (AssociationNormRectCalculator). It also holds
# where a right hand was once taken for a left one, its landmarks in other places.
OVERLAPPING = 0.5

WRIST, INDEX, PINKY = HandLandmark.WRIST, HandLandmark.INDEX_FINGER_MCP, HandLandmark.PINKY_MCP


def are_same(hand: Hand, other: Hand) -> bool:
    """Tell whether two reported hands are one."""
    overlap = geometry.iou(hand.box, other.box)
    if overlap <= TOUCHING or hand.landmarks is None or other.landmarks is None:
        return overlap > OVERLAPPING
    reach = APART * max(_palm_length(hand), _palm_length(other))
    apart = np.hypot(*(hand.landmarks - other.landmarks).T)
    return overlap > OVERLAPPING or int((apart < reach).sum()) >= COMMON


def without_duplicates(hands: Iterable[Hand], known: tuple[Hand, ...] = ()) -> tuple[Hand, ...]:
    """Return the hands in their order; of those that are the same, only the one with the highest score.

    None that is the same as a `known` hand of the image is returned.
    """
    hands = tuple(hands)
    kept: list[Hand] = []
    for hand in sorted(hands, key=lambda hand: -hand.score):
        if not any(are_same(hand, other) for other in (*known, *kept)):
            kept.append(hand)
    return tuple(hand for hand in hands if any(hand is one for one in kept))


def _palm_length(hand: Hand) -> float:
    assert hand.landmarks is not None
    wrist, index, pinky = hand.landmarks[[WRIST, INDEX, PINKY]]
    return max(float(np.hypot(*side)) for side in (wrist - index, index - pinky, pinky - wrist))
