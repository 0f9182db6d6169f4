"""Turn photos of hands into clean, uniform training images.

Find the hand, crop to it, remove the background, resize and pad, make it grey: each a transform that takes
an image of any kind and gives the same kind back, or carries a `Sample` with all that is known of it.
"""

import warnings
from importlib import import_module
from typing import Any

from handprep.optional import check_opencv

check_opencv()  # before anything imports it, so that a container without its libraries is told what helps

from handprep.detection import SearchingDetector, YoloDetector
from handprep.drawing import draw
from handprep.errors import (
    HandNotFoundError,
    HandprepError,
    ImageError,
    InputError,
    ModelError,
    SampleSkipped,
)
from handprep.pipeline import Pipeline, study_pipeline
from handprep.prepared import export, prepare, read
from handprep.prepared.splitting import split
from handprep.sample import Hand, Sample
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.greyscale import Greyscale as Grayscale
from handprep.transforms.resize import ResizePad
from handprep.transforms.skeleton import Skeleton

__version__ = "0.1.0"

__all__ = [
    "BackgroundRemover",
    "Grayscale",
    "Greyscale",
    "Hand",
    "HandCropper",
    "HandNotFoundError",
    "HandprepError",
    "ImageError",
    "InputError",
    "ModelError",
    "Pipeline",
    "ResizePad",
    "Sample",
    "SampleSkipped",
    "SearchingDetector",
    "Skeleton",
    "Transform",
    "YoloDetector",
    "draw",
    "export",
    "prepare",
    "read",
    "split",
    "study_pipeline",
]

_MOVED = {  # names of 0.1.0, and where they are now
    **dict.fromkeys(("HandMatte", "RembgSegmenter", "Segmenter"), "segmentation"),
    **dict.fromkeys(("DETECTORS", "HandDetector", "LandmarkDetector", "LiteRTDetector"), "detection"),
    **dict.fromkeys(("MediaPipeDetector", "OpenVINODetector", "View"), "detection"),
    **dict.fromkeys(("MissingExtraError", "OutputError"), "errors"),
    **{"RunResult": "prepared", "Step": "sample"},
}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module 'handprep' has no attribute {name!r}")
    warnings.warn(f"import {name} from handprep.{_MOVED[name]}", DeprecationWarning, stacklevel=2)
    return getattr(import_module(f"handprep.{_MOVED[name]}"), name)
