"""MediaPipe's classic graph around its palm and landmark networks, whatever these run on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.configurable import Configurable, check_range, check_whole
from handprep.detection import palm
from handprep.detection.base import Proposal
from handprep.detection.duplicates import without_duplicates
from handprep.detection.region import Cutter, Region
from handprep.images.arrays import check_rgb, shrunk
from handprep.runtime import per_thread
from handprep.sample import LANDMARKS, Hand, Image

LANDMARK_SIZE = 224  # pixels on a side of the landmark network's input
LONGEST_SIDE = 2048  # pixels; a larger image is averaged down to it first
NORMALIZE_Z = 0.4  # TensorsToLandmarksCalculator divides z by it: hand_landmark_cpu.pbtxt

Outputs: TypeAlias = list[NDArray[np.float32]]
# Gives a network's outputs, without their batch axis, for RGB pixels (1, size, size, 3) from 0 to 1.
Network: TypeAlias = Callable[[NDArray[np.float32]], Outputs]
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
        """Return the hands in a uint8 ``(H, W, 3)`` RGB image, the best palm's first.

        Raises
        ------
        InputError
            If the image is no such array; the message says how to convert it.
        """
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
        raw, logits = self._see("palm_detection_full", palm.SIZE, cv2.BORDER_CONSTANT, image, letterbox)
        least = self.confidence if confidence is None else confidence
        palms = palm.suppress(*palm.decode(raw, logits[:, 0], least))
        return tuple(palm.proposal(score, points, letterbox) for score, points in palms)

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
