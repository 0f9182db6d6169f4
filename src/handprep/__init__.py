"""Turn photos of hands into clean, uniform training images.

Find the hand, crop to it, remove the background, resize and pad, make it grey: each a transform that takes
an image of any kind and gives the same kind back, or carries a `Sample` with all that is known of it.
"""

from handprep.missing import check_opencv

check_opencv()  # before anything imports it, so that a container without its libraries is told what helps

from handprep.detection import DETECTORS
from handprep.detection.base import HandDetector, LandmarkDetector
from handprep.detection.litert import LiteRTDetector
from handprep.detection.mediapipe import MediaPipeDetector
from handprep.detection.openvino import OpenVINODetector
from handprep.detection.search import SearchingDetector
from handprep.detection.views import View
from handprep.detection.yolo import YoloDetector
from handprep.drawing import draw
from handprep.errors import (
    HandNotFoundError,
    HandprepError,
    ImageError,
    InputError,
    MissingExtraError,
    ModelError,
    OutputError,
    SampleSkipped,
)
from handprep.pipeline import Pipeline, study_pipeline
from handprep.prepared import RunResult, export, prepare, read
from handprep.prepared.splitting import Split, split
from handprep.sample import Hand, Sample, Step
from handprep.segmentation.base import Segmenter
from handprep.segmentation.matte import HandMatte
from handprep.segmentation.rembg import RembgSegmenter
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.greyscale import Greyscale as Grayscale
from handprep.transforms.resize import ResizePad
from handprep.transforms.skeleton import Skeleton

__version__ = "0.1.0"

__all__ = [
    "DETECTORS",
    "BackgroundRemover",
    "Grayscale",
    "Greyscale",
    "Hand",
    "HandCropper",
    "HandDetector",
    "HandMatte",
    "HandNotFoundError",
    "HandprepError",
    "ImageError",
    "InputError",
    "LandmarkDetector",
    "LiteRTDetector",
    "MediaPipeDetector",
    "MissingExtraError",
    "ModelError",
    "OpenVINODetector",
    "OutputError",
    "Pipeline",
    "RembgSegmenter",
    "ResizePad",
    "RunResult",
    "Sample",
    "SampleSkipped",
    "SearchingDetector",
    "Segmenter",
    "Skeleton",
    "Split",
    "Step",
    "Transform",
    "View",
    "YoloDetector",
    "draw",
    "export",
    "prepare",
    "read",
    "split",
    "study_pipeline",
]
