"""MediaPipe Hands' own two networks on LiteRT, with MediaPipe's classic graph around them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry, models
from handprep.configurable import Configurable, check_range, check_whole
from handprep.detection import palm
from handprep.detection.region import Cutter, Region, shrunk
from handprep.opened import per_thread
from handprep.sample import LANDMARKS, Hand, Image

LANDMARK_SIZE = 224  # pixels on a side of the landmark network's input
LONGEST_SIDE = 2048  # pixels; a larger picture is averaged down to it first


class _Network:
    """A LiteRT network that looks at square regions of pictures; one serves one thread."""

    def __init__(self, path: Path, cutter: Cutter, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - heavy

        self._cut = cutter
        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        (self._input,) = [tensor["index"] for tensor in self._interpreter.get_input_details()]
        self._outputs = [tensor["index"] for tensor in self._interpreter.get_output_details()]

    def __call__(self, image: Image, region: Region) -> list[NDArray[np.float32]]:
        """Return the outputs, without their batch axis, for a region of a uint8 RGB picture."""
        tensor = self._interpreter.tensor(self._input)()
        np.copyto(tensor[0], self._cut(image, region))
        np.multiply(tensor, UNIT, out=tensor)
        del tensor  # the interpreter refuses to run while a view of its memory is held
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


UNIT = np.float32(1 / 255)  # both networks take pixels in [0, 1]


@dataclass(frozen=True, slots=True)
class LiteRTDetector(Configurable):
    """MediaPipe Hands' palm and landmark networks on LiteRT, joined as MediaPipe's classic API joins them.

    On 72 reference pictures the landmarks are those of ``mediapipe.solutions.hands`` (0.10.21) to a
    median of 0.004 px. Unlike MediaPipe's own package it needs no graphics libraries and lives well in
    threads and forked workers.

    Parameters
    ----------
    confidence
        Least palm score, 0 to 1.
    presence
        Least presence of a hand in the landmark network's view, 0 to 1; None means `confidence`.
    max_hands
        At most so many palms are looked at.
    threads
        Threads within a network. One is best for many pictures: use several callers instead.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    References
    ----------
    Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", arXiv:2006.10214.
    Model card "MediaPipe Hands (Lite/Full)", Google, 2021; Apache-2.0.

    Examples
    --------
    >>> import numpy as np
    >>> LiteRTDetector().detect(np.zeros((90, 120, 3), np.uint8))
    ()
    """

    confidence: float = 0.1
    presence: float | None = None
    max_hands: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, 0, 1)
        if self.presence is not None:
            check_range("presence", self.presence, 0, 1)
        check_whole("max_hands", self.max_hands, 1, 100)
        check_whole("threads", self.threads, 1, 1024)

    @property
    def model_files(self) -> frozenset[str]:
        """The palm and the landmark network."""
        return frozenset({"palm_detection_full", "hand_landmark_full"})

    @property
    def least_presence(self) -> float:
        """The presence from which something is taken for a hand, 0 to 1."""
        return self.confidence if self.presence is None else self.presence

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands in a uint8 ``(H, W, 3)`` RGB picture, the best palm's first."""
        given = image
        image, to_given = shrunk(given, LONGEST_SIDE)
        letterbox = Region.around(image)
        raw, logits = self._open("palm_detection_full", palm.SIZE, cv2.BORDER_CONSTANT)(image, letterbox)
        palms = palm.suppress(*palm.decode(raw, logits[:, 0], self.confidence))[: self.max_hands]
        hands = [self._hand(image, palm.hand_region(p, letterbox), p.score) for p in palms]
        found = tuple(hand for hand in hands if hand.score >= self.least_presence)
        return found if image is given else tuple(hand.moved(to_given) for hand in found)

    def look(self, image: Image, region: Region) -> Hand:
        """Return the hand that the landmark network sees in a region, however little present.

        Parameters
        ----------
        image
            uint8 ``(H, W, 3)`` RGB.
        region
            Where the hand would lie, its fingers up.
        """
        return self._hand(image, region, palm_score=0.0)

    def _open(self, name: str, size: int, border: int) -> _Network:
        return per_thread(
            (name, self.threads),
            lambda: _Network(models.fetch(name), Cutter(size, border), self.threads),
        )

    def _hand(self, image: Image, region: Region, palm_score: float) -> Hand:
        network = self._open("hand_landmark_full", LANDMARK_SIZE, cv2.BORDER_REPLICATE)
        flat, presence, right, world = network(image, region)
        landmarks = region.points(flat.reshape(LANDMARKS, 3)[:, :2] * (1 / LANDMARK_SIZE))
        return Hand(
            landmarks=landmarks.astype(np.float32),
            box=geometry.enclosing_box(landmarks),
            score=float(presence[0]),
            palm_score=palm_score,
            handedness="Right" if right[0] > 0.5 else "Left",
            world=world.reshape(LANDMARKS, 3),
        )
