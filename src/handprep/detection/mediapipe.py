"""Google's own ``mediapipe`` package as a detector."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from handprep import geometry, models
from handprep.detection.graph import HandModel
from handprep.errors import ModelError
from handprep.images import check_rgb
from handprep.optional import missing_extra
from handprep.runtime import per_thread
from handprep.sample import Hand, Image

NETWORKS = {  # and their names in a bundle
    "palm_detection_full": "hand_detector.tflite",
    "hand_landmark_full": "hand_landmarks_detector.tflite",
}
INSTEAD = 'detector="litert" finds hands with the same two networks.'


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPipeDetector(HandModel):
    """The hand landmarker of Google's ``mediapipe`` package, for the extra ``handprep[mediapipe]``.

    `LiteRTDetector` runs the same two networks in less time, needs no graphics libraries, and gives the
    landmarks of MediaPipe's classic API, from which those of the Tasks API differ by some pixels. This
    one is for comparing with it, and with what Google changes in it.

    Parameters
    ----------
    confidence, presence, max_hands
        As for `LiteRTDetector`.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Notes
    -----
    The Tasks API tells neither palm score nor presence, only that they reach what was asked for. So
    `Hand.score` is how sure it is whether the hand is a left or a right one, 0.5 to 1, and `Hand.palm_score`
    is 0. To be stricter about what a hand is, raise `presence`. mediapipe's C++ code writes warnings to
    standard error, against which it has no setting.

    Examples
    --------
    >>> import numpy as np
    >>> MediaPipeDetector().detect(np.zeros((90, 120, 3), np.uint8))  # doctest: +SKIP
    ()
    """

    @property
    def model_files(self) -> frozenset[str]:
        """The palm and the landmark network."""
        return frozenset(NETWORKS)

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands as `HandDetector.detect` does, the best palm's first.

        ModelError, too, is raised where the program is ending.
        """
        check_rgb(image)
        found = per_thread(self, lambda: _opened(self))(image)
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


def _opened(detector: MediaPipeDetector) -> Callable[[Image], Any]:
    """Return what gives mediapipe's ``HandLandmarkerResult`` for an image; one serves one thread."""
    try:
        import mediapipe  # noqa: PLC0415 - heavy, and optional
        from mediapipe.tasks import python as tasks  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise missing_extra("mediapipe", "mediapipe", error, instead=INSTEAD) from error

    class QuietAtExit(tasks.vision.HandLandmarker):  # type: ignore[misc]  # mypy does not follow mediapipe
        def __del__(self) -> None:  # up to 1.2.3, its own prints a traceback where the program is ending
            with suppress(RuntimeError, TypeError):
                self.close()

    networks = {member: models.fetch(name).read_bytes() for name, member in NETWORKS.items()}
    options = tasks.vision.HandLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=bundle(networks)),
        num_hands=detector.max_hands,
        min_hand_detection_confidence=detector.confidence,
        min_hand_presence_confidence=detector.least_presence,
    )
    try:
        landmarker = tasks.vision.HandLandmarker.create_from_options(options)
        landmarker.__class__ = QuietAtExit  # which create_from_options knows nothing of
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        raise ModelError(f"mediapipe could not open its networks: {error}") from error
    except OSError as error:  # its own library, which it loads only now
        raise missing_extra("mediapipe", "mediapipe", error, instead=INSTEAD) from error

    def detect(image: Image) -> Any:
        data = np.ascontiguousarray(image)
        try:
            return landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=data))
        except RuntimeError as error:  # it works in a thread of its own, which ends with the main thread
            raise ModelError(f"mediapipe failed: {error}") from error

    return detect


ALIGNMENT = 4  # bytes, of each member's first byte (mediapipe's model_asset_bundle_utils)
LOCAL_HEADER = 30  # bytes before the name, in APPNOTE 4.3.7
ALIGNMENT_FIELD = 0xD935  # APPNOTE 4.6.1: "Data Stream Alignment"
FIELD_HEADER = struct.Struct("<HHH")  # id, bytes that follow, alignment


def bundle(members: Mapping[str, bytes]) -> bytes:
    """Return a ``.task`` file, as mediapipe wants it: a zip of networks that lie aligned in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            padding = -(archive.start_dir + LOCAL_HEADER + len(name.encode()) + FIELD_HEADER.size) % ALIGNMENT
            # a whole field: mediapipe's reader refuses bare zero bytes, which zipfile lets pass
            info.extra = FIELD_HEADER.pack(ALIGNMENT_FIELD, 2 + padding, ALIGNMENT) + bytes(padding)
            archive.writestr(info, content)
    return file.getvalue()
