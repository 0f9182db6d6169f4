"""MediaPipe's classic graph around its palm and landmark networks, whatever these run on.

Source: MediaPipe, ``modules/palm_detection/palm_detection_cpu.pbtxt``, ``modules/hand_landmark`` and the
calculators they name; Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", arXiv:2006.10214.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.configurable import Configurable, check_range, check_whole
from handprep.detection.base import Proposal, without_duplicates
from handprep.detection.region import Cutter, Region
from handprep.images.arrays import check_rgb, shrunk
from handprep.runtime import per_thread
from handprep.sample import LANDMARKS, Hand, Image

PALM_SIZE, LANDMARK_SIZE = 192, 224  # pixels on a side of the networks' inputs
LONGEST_SIDE = 2048  # pixels; a larger image is averaged down to it first
NORMALIZE_Z = 0.4  # TensorsToLandmarksCalculator divides z by it: hand_landmark_cpu.pbtxt
KEYPOINTS = 7  # of a palm
OVERLAP = 0.3  # IoU from which two boxes are one palm
HAND_SHIFT, HAND_SCALE = -0.5, 2.6  # RectTransformationCalculator, palm_detection_detection_to_roi.pbtxt

# A palm's corners and key points, as shares of the input's side. Python's own numbers: right after a network
# ran, the caches are its own, and each call into numpy costs some ten microseconds.
Palm: TypeAlias = list[tuple[float, float]]
Array: TypeAlias = NDArray[np.float32]
Outputs: TypeAlias = list[Array]
# Gives a network's outputs, without their batch axis, for RGB pixels (1, size, size, 3) from 0 to 1.
Network: TypeAlias = Callable[[Array], Outputs]
# What opens a network for one thread, and what it takes after the name of the model file.
Opening: TypeAlias = tuple[Callable[..., Network], *tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandModel(Configurable):
    """Base of the detectors that run MediaPipe's networks; `LiteRTDetector` describes the parameters."""

    confidence: float = 0.1
    presence: float | None = None
    max_hands: int = 2

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, 0, 1)
        if self.presence is not None:
            check_range("presence", self.presence, 0, 1)
        check_whole("max_hands", self.max_hands, 1, 100)

    @property
    def least_presence(self) -> float:
        """The presence from which something is taken for a hand, 0 to 1."""
        return self.confidence if self.presence is None else self.presence


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPipeHands(HandModel, ABC):
    """The graph of both networks; a subclass says on what they run."""

    threads: int = 1

    def __post_init__(self) -> None:
        HandModel.__post_init__(self)
        check_whole("threads", self.threads, 1, 1024)

    @property
    @abstractmethod
    def _runtime(self) -> Opening:
        """What opens the networks on a runtime."""

    @property
    def model_files(self) -> frozenset[str]:
        """The palm and the landmark network."""
        return frozenset({"palm_detection_full", "hand_landmark_full"})

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands as `HandDetector.detect` does, the best palm's first."""
        check_rgb(image)
        shown, to_given = shrunk(image, LONGEST_SIDE)
        found = self.hands_at(shown, self.propose(shown))
        return found if shown is image else tuple(hand.transformed(to_given) for hand in found)

    def propose(self, image: Image, confidence: float | None = None) -> tuple[Proposal, ...]:
        """Return where the palm network sees palms, best first, and the best one however low its score.

        The image is uint8 ``(H, W, 3)`` RGB of at most 32,767 pixels on a side. `confidence` is the least
        score of the others, by default the detector's own.
        """
        letterbox = Region.around(image)
        raw, logits = self._see("palm_detection_full", PALM_SIZE, cv2.BORDER_CONSTANT, image, letterbox)
        palms = suppress(*decode(raw, logits[:, 0], self.confidence if confidence is None else confidence))
        return tuple(proposal(score, points, letterbox) for score, points in palms)

    def hands_at(self, image: Image, proposals: Iterable[Proposal]) -> tuple[Hand, ...]:
        """Return the hands at the best `max_hands` proposals of a score that `confidence` allows."""
        allowed = [place for place in proposals if place.score >= self.confidence][: self.max_hands]
        hands = [self._hand(image, place.region, place.score) for place in allowed]
        return without_duplicates(hand for hand in hands if hand.score >= self.least_presence)

    def look(self, image: Image, region: Region) -> Hand:
        """Return the hand that the landmark network sees in a region, however little present."""
        return self._hand(image, region, palm_score=0.0)

    def _hand(self, image: Image, region: Region, palm_score: float) -> Hand:
        outputs = self._see("hand_landmark_full", LANDMARK_SIZE, cv2.BORDER_REPLICATE, image, region)
        flat, presence, right, world = outputs
        seen = flat.reshape(LANDMARKS, 3) * np.float32(1 / LANDMARK_SIZE)
        landmarks = region.points(seen[:, :2])
        metres = world.reshape(LANDMARKS, 3)
        metres[:, :2] = metres[:, :2] @ geometry.rotation(region.angle)[:, :2].T.astype(np.float32)
        return Hand(
            landmarks=landmarks.astype(np.float32),
            depth=seen[:, 2] * np.float32(region.side / NORMALIZE_Z),
            box=geometry.enclosing_box(landmarks),
            score=float(presence[0]),
            palm_score=palm_score,
            handedness="Right" if right[0] > 0.5 else "Left",
            handedness_score=float(max(right[0], 1 - right[0])),
            world=metres,  # turned to the image's axes: WorldLandmarkProjectionCalculator
        )

    def _see(self, name: str, size: int, border: int, image: Image, region: Region) -> Outputs:
        """Return what this thread's network of a model file says to a region of a uint8 RGB image."""
        opener, *options = self._runtime

        def opened() -> Callable[[Image, Region], Outputs]:
            network, cut = opener(name, *options), Cutter(size, border)
            pixels = np.empty((1, size, size, 3), np.float32)

            def see(image: Image, region: Region) -> Outputs:
                np.copyto(pixels[0], cut(image, region))  # before scaling: twice as fast as in one step
                return network(np.multiply(pixels, np.float32(1 / 255), out=pixels))

            return see

        return per_thread((name, opener, *options), opened)(image, region)


def _anchors() -> Array:
    """Return the ``(2016, 2)`` centres of the palm network's anchors, as shares of its input's side."""
    centres = []
    for cells, repeats in ((24, 2), (12, 6)):  # cells on a side, anchors a cell: strides 8 and 16
        y, x = (np.indices((cells, cells)) + 0.5) / cells
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(centres).astype(np.float32)


ANCHORS = _anchors()
# What is added to a row of the network's output: the centre to its centre and key points, none to its size.
OFFSETS = np.tile(ANCHORS, 2 + KEYPOINTS) * np.repeat([1, 0, *[1] * KEYPOINTS], 2).astype(np.float32)


def decode(raw: Array, logits: Array, confidence: float) -> tuple[Array, Array]:
    """Return the palms in the network's output, best first, before any suppression.

    The best is among them, however low its score: it tells how hopeless it is to search on. `raw` is
    ``(2016, 18)``: centre, size and seven key points, in network pixels about each anchor; `logits` is
    ``(2016,)``. The result is ``(N, 9, 2)``, both corners and the key points as shares of the input's side,
    and ``(N,)`` scores.
    """
    certain = math.copysign(math.inf, confidence - 0.5)
    logit = math.log(confidence / (1 - confidence)) if 0 < confidence < 1 else certain
    kept = np.flatnonzero(logits >= min(logit, float(logits.max())))
    kept = kept[(-logits[kept]).argsort(kind="stable")]
    points: Array = (raw[kept] / np.float32(PALM_SIZE) + OFFSETS[kept]).reshape(-1, 2 + KEYPOINTS, 2)
    halves = points[:, 1] / 2
    points[:, 1] = points[:, 0] + halves
    points[:, 0] -= halves
    # MediaPipe clips to ±100 first, where the sigmoid has been 0 and 1 in float32 for long.
    return points, np.reciprocal(1 + np.exp(-logits[kept]))


def overlaps(box: Array, boxes: Array) -> Array:
    """Return the IoU of one box ``(2, 2)``, its two corners, with each of ``(N, 2, 2)``."""
    shared_sides = np.maximum(np.minimum(box[1], boxes[:, 1]) - np.maximum(box[0], boxes[:, 0]), 0)
    own_sides, sides = box[1] - box[0], boxes[:, 1] - boxes[:, 0]
    shared = shared_sides[:, 0] * shared_sides[:, 1]
    united = own_sides[0] * own_sides[1] + sides[:, 0] * sides[:, 1] - shared
    return np.asarray(shared / np.maximum(united, 1e-12))


def suppress(points: Array, scores: Array) -> list[tuple[float, Palm]]:
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


def proposal(score: float, points: Palm, letterbox: Region) -> Proposal:
    """Return the place of a palm's hand in the image, of which the network saw that unturned square."""
    side, left, top = letterbox.side, letterbox.x - letterbox.side / 2, letterbox.y - letterbox.side / 2
    (x0, y0), (x1, y1), wrist, _, middle_knuckle, *_ = points
    centre = left + side * (x0 + x1) / 2, top + side * (y0 + y1) / 2
    around = Region.upright(wrist, middle_knuckle, centre=centre, side=side * max(x1 - x0, y1 - y0))
    region = around.shifted(0, HAND_SHIFT * side * (y1 - y0)).scaled(HAND_SCALE)
    return Proposal(score=score, palm=centre, region=region)
