"""Google's own ``mediapipe`` package as a detector."""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from handprep import geometry, models
from handprep.configurable import Configurable, check_range, check_whole
from handprep.errors import ModelError
from handprep.images import check_rgb
from handprep.missing import unusable
from handprep.opened import per_thread
from handprep.sample import Hand, Image


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPipeDetector(Configurable):
    """The hand landmarker of Google's ``mediapipe`` package, for the extra ``handprep[mediapipe]``.

    `LiteRTDetector` runs the same two networks in less time, needs no graphics libraries, and gives the
    landmarks of MediaPipe's classic API, from which those of the Tasks API differ by some pixels. This
    one is for comparing with it, and with what Google changes in it.

    Parameters
    ----------
    confidence
        Least palm score, 0 to 1.
    presence
        Least presence of a hand in the landmark network's view, 0 to 1; None means `confidence`.
    max_hands
        At most so many hands are returned.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Notes
    -----
    The Tasks API tells neither palm score nor presence, only that they reach what was asked for. So
    `Hand.score` is the one number that it gives, how sure it is whether the hand is a left or a right one,
    0.5 to 1, and `Hand.palm_score` is 0. To be stricter about what a hand is, raise `presence`.

    Its labels, unlike the classic API's, name the hand that an unmirrored picture shows, as
    `Hand.handedness` does.

    mediapipe writes warnings of its C++ code to the standard error of the process. It has no setting
    against that, and handprep leaves the process's streams alone.

    Examples
    --------
    >>> import numpy as np
    >>> MediaPipeDetector().detect(np.zeros((90, 120, 3), np.uint8))  # doctest: +SKIP
    ()
    """

    confidence: float = 0.1
    presence: float | None = None
    max_hands: int = 2

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, 0, 1)
        if self.presence is not None:
            check_range("presence", self.presence, 0, 1)
        check_whole("max_hands", self.max_hands, 1, 100)

    @property
    def model_files(self) -> frozenset[str]:
        """The bundle of both networks."""
        return frozenset({"hand_landmarker"})

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands in a uint8 ``(H, W, 3)`` RGB picture, in mediapipe's order: the best palm's first.

        Raises
        ------
        InputError
            If the image is no such array; the message says how to convert it.
        MissingExtraError
            If mediapipe or a system library that it needs is not installed.
        ModelError
            If the model file cannot be had or opened, or the program is ending.
        """
        check_rgb(image)
        found = per_thread(self, lambda: _Landmarker(self)).detect(image)
        hands = zip(found.hand_landmarks, found.hand_world_landmarks, found.handedness, strict=True)
        return tuple(_hand(*hand, image) for hand in hands)


def _hand(landmarks: Any, world: Any, categories: Any, image: Image) -> Hand:
    height, width = image.shape[:2]
    points = np.array([(point.x * width, point.y * height) for point in landmarks])
    return Hand(
        landmarks=points.astype(np.float32),
        depth=np.array([point.z * width for point in landmarks], dtype=np.float32),
        box=geometry.enclosing_box(points),
        score=categories[0].score,
        handedness=categories[0].category_name,
        handedness_score=categories[0].score,
        world=np.array([(point.x, point.y, point.z) for point in world], dtype=np.float32),
    )


class _Landmarker:
    """An open landmarker of mediapipe's; one serves one thread of one process."""

    def __init__(self, detector: MediaPipeDetector) -> None:
        mediapipe, tasks = _imported()
        self._image, self._format = mediapipe.Image, mediapipe.ImageFormat.SRGB
        self._landmarker: Any = _opened(tasks, models.fetch("hand_landmarker"), detector)
        self._process = os.getpid()
        self._busy = threading.Lock()  # it is used in its own thread, but closed in the main one
        _LANDMARKERS.add(self)
        _close_before_exit()

    def detect(self, image: Image) -> Any:
        """Return mediapipe's ``HandLandmarkerResult``."""
        picture = self._image(image_format=self._format, data=np.ascontiguousarray(image))
        with self._busy:
            if self._landmarker is None:
                raise ModelError("mediapipe cannot be used in other threads once the main thread has ended")
            return self._landmarker.detect(picture)

    def close(self) -> None:
        """Close the landmarker, unless this process has it only from the one that it was forked from."""
        if self._process != os.getpid():
            return
        with self._busy:
            if self._landmarker is not None:
                self._landmarker.close()
            self._landmarker = None


_LANDMARKERS: weakref.WeakSet[_Landmarker] = weakref.WeakSet()


@cache
def _close_before_exit() -> None:
    """Have all landmarkers closed when the main thread ends.

    mediapipe calls its library in a `ThreadPoolExecutor` of each landmarker's own. These refuse work
    from the end of the main thread on, which is before the functions of `atexit` are called, so that
    closing by then, or in ``__del__``, prints a traceback. The hook by which executors themselves are
    shut down comes in time: the last function registered there runs first, and the executors' own is
    registered before a landmarker can exist.
    """
    threading._register_atexit(_close_all)  # type: ignore[attr-defined]


def _close_all() -> None:
    for landmarker in list(_LANDMARKERS):
        landmarker.close()


def _imported() -> tuple[Any, Any]:
    try:
        import mediapipe  # noqa: PLC0415 - heavy, and optional
        from mediapipe.tasks import python as tasks  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise unusable("mediapipe", error) from error
    return mediapipe, tasks


def _opened(tasks: Any, path: Path, detector: MediaPipeDetector) -> Any:
    least_presence = detector.confidence if detector.presence is None else detector.presence
    try:
        return tasks.vision.HandLandmarker.create_from_options(
            tasks.vision.HandLandmarkerOptions(
                base_options=tasks.BaseOptions(model_asset_buffer=path.read_bytes()),
                num_hands=detector.max_hands,
                min_hand_detection_confidence=detector.confidence,
                min_hand_presence_confidence=least_presence,
            )
        )
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        raise ModelError(f"mediapipe could not open {path}: {error}") from error
    except OSError as error:  # its own library, which it loads only now
        raise unusable("mediapipe", error) from error
