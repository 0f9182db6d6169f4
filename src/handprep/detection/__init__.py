"""What detects hands."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from handprep.configurable import check_choice
from handprep.detection.base import HandDetector, LandmarkDetector
from handprep.detection.litert import LiteRTDetector
from handprep.detection.mediapipe import MediaPipeDetector
from handprep.detection.openvino import OpenVINODetector
from handprep.detection.search import SearchingDetector
from handprep.detection.views import View
from handprep.detection.yolo import YoloDetector
from handprep.errors import InputError

__all__ = [
    "CONFIDENCE",
    "DETECTORS",
    "HandDetector",
    "LandmarkDetector",
    "LiteRTDetector",
    "MediaPipeDetector",
    "OpenVINODetector",
    "SearchingDetector",
    "View",
    "YoloDetector",
    "detector_named",
]

CONFIDENCE = 0.1  # of a detector given by name, where nothing else is asked for
DETECTORS: dict[str, Callable[..., HandDetector]] = {
    "litert": LiteRTDetector,
    "openvino-f32": partial(OpenVINODetector, precision="f32"),
    "openvino-bf16": partial(OpenVINODetector, precision="bf16"),
    "mediapipe": MediaPipeDetector,
}


def detector_named(
    detector: str | HandDetector,
    *,
    confidence: float = CONFIDENCE,
    search: bool = True,
    max_hands: int = 2,
    beside: bool | None = None,
    refine: bool = False,
) -> HandDetector:
    """Return a detector by its name, or the given one, as a `SearchingDetector` if it shall search.

    A given detector keeps its own `confidence` and `max_hands`. InputError: there is none of that name.
    """
    if isinstance(detector, str):
        check_choice("detector", detector, tuple(DETECTORS))
        detector = DETECTORS[detector](confidence=confidence, max_hands=max_hands)
    elif not isinstance(detector, HandDetector):
        raise InputError(f"detector must be a name or have a detect method, not {detector!r}")
    if isinstance(detector, SearchingDetector):
        return replace(detector, refine=True) if refine else detector
    return SearchingDetector(detector, beside=beside, refine=refine) if search else detector
