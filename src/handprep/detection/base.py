"""What every hand detector is, and which of the hands that it reports are the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from handprep import geometry
from handprep.detection.region import Region
from handprep.landmarks import HandLandmark
from handprep.sample import Hand, Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A place in an image where there may be a hand."""

    score: float  # of the palm, 0 to 1
    palm: tuple[float, float]  # x, y of its centre in pixels
    region: Region  # the square in which the hand would lie, its fingers up


@runtime_checkable
class HandDetector(Protocol):
    """Anything that finds hands in an RGB image.

    A detector is an immutable value that pickles as its parameters; what it opens, it opens once a
    process and thread (`handprep.runtime.per_thread`).
    """

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands in a uint8 ``(H, W, 3)`` RGB image, the most certain first.

        Raises
        ------
        InputError
            If the image is no such array; the message says how to convert it.
        ModelError
            If a model file cannot be had or opened, or gives what are no hands.
        MissingExtraError
            If a package or a system library that the detector needs is not installed.
        """
        ...


@runtime_checkable
class LandmarkDetector(HandDetector, Protocol):
    """A detector in two steps, proposals and landmarks, whose second step can look anywhere."""

    @property
    def least_presence(self) -> float:
        """The presence from which this detector takes what it sees for a hand, 0 to 1."""
        ...

    def propose(self, image: Image, confidence: float | None = None) -> tuple[Proposal, ...]:
        """Return where hands may be, best first, from a score of `confidence` on, by default its own.

        The best proposal is among them however low its score, as that tells how hopeless a search is.
        """
        ...

    def hands_at(self, image: Image, proposals: Iterable[Proposal]) -> tuple[Hand, ...]:
        """Return the hands that `detect` finds at the proposals whose score its confidence allows."""
        ...

    def look(self, image: Image, region: Region) -> Hand:
        """Return the hand seen in a region, its fingers up, however little present it is."""
        ...


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
    """Return the hands in their order, without those that are the same as a known or a more certain one."""
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
