"""Hand boxes by a YOLO network of one's own, in an ONNX file, on ONNX Runtime."""

import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import chain
from typing import Any, Literal

import cv2
import numpy as np

from handprep import geometry, models
from handprep.configurable import (
    Configurable,
    check_choice,
    check_flags,
    check_range,
    check_size,
    check_whole,
    is_whole,
)
from handprep.detection.litert import LiteRTDetector
from handprep.detection.refinement import landmarks_from_box
from handprep.detection.yolo_network import LAYOUTS, Rows, YoloNetwork
from handprep.errors import InputError
from handprep.geometry import Affine
from handprep.images import check_rgb
from handprep.runtime import per_thread
from handprep.sample import Hand, Image

LEAST_SIZE, MOST_SIZE = 32, 4096  # pixels on a side of a network's input
GREY = (114, 114, 114)  # what surrounds the image in Ultralytics' LetterBox
MOST = 30_000  # boxes that suppression looks at; Ultralytics' max_nms


@dataclass(frozen=True, slots=True)
class YoloDetector(Configurable):
    """Find hands with a YOLO network that you bring as an ONNX file.

    Images are prepared, and boxes chosen, as Ultralytics does it with the same file. It reads exports of
    Ultralytics (v5, v8, 11 and those alike, with or without their own suppression of overlapping boxes)
    and of YOLOv5 and v7, and Darknet networks (v3, v4) as converters write them. A network gives boxes;
    with `refine`, MediaPipe's landmark network looks into each for landmarks.

    Parameters
    ----------
    model
        Path of the ONNX file. Results depend on its content, so that it is part of a pipeline's fingerprint.
    confidence
        Least score, 0 to 1: objectness times class where the network tells both.
    iou
        IoU, 0 to 1, above which two boxes of a class are one hand. Of no effect where the network
        suppresses these itself.
    classes
        The classes that are hands: numbers, or names where the file knows them, as those of Ultralytics do.
        None takes all.
    size
        Pixels on a side of the input, or its height and width, for networks that leave it open; None for
        what the file says, or 640.
    fit
        ``"letterbox"`` keeps the aspect with grey around, as Ultralytics does; ``"stretch"`` fills the input,
        as OpenCV's and Darknet's own programs do.
    anchors
        For raw maps of a Darknet network: for each ``[yolo]`` section of its ``.cfg`` the widths and heights
        that its mask names, the coarsest map's first.
    layout
        How the outputs are to be read: a key of `handprep.detection.yolo_network.LAYOUTS`. None goes by their
        shapes.
    refine
        Whether each box gets landmarks (``"Left"`` or ``"Right"``, world landmarks) from MediaPipe's landmark
        network. Its presence then is the score, and the box's score the `palm_score`. Where it sees no clear
        hand in a box, the hand stays as it is, without landmarks.
    max_hands
        At most so many hands.
    threads
        Threads within a network. One is best for many images: use several callers instead.

    Raises
    ------
    InputError
        If a parameter is out of its range.
    ModelError
        If there is no such file. If it is none of the above, the first image says so.

    Examples
    --------
    >>> YoloDetector("hands.onnx", refine=True).detect(image)  # doctest: +SKIP
    (Hand(box=(61.0, 24.5, 188.9, 201.3), score=0.998, palm_score=0.87, ...),)
    """

    model: str
    _: KW_ONLY
    confidence: float = 0.25
    iou: float = 0.45
    classes: Sequence[int | str] | None = None
    size: int | Sequence[int] | None = None
    fit: Literal["letterbox", "stretch"] = "letterbox"
    anchors: Sequence[Sequence[float]] | None = None
    layout: str | None = None
    refine: bool = False
    max_hands: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.model, str | os.PathLike) or not os.fspath(self.model):
            raise InputError(f"model must be the path of an ONNX file, not {self.model!r}")
        object.__setattr__(self, "model", os.fspath(self.model))
        check_range("confidence", self.confidence, 0, 1)
        check_range("iou", self.iou, 0, 1)
        check_choice("fit", self.fit, ("letterbox", "stretch"))
        check_choice("layout", self.layout, (None, *LAYOUTS))
        check_flags(self, "refine")
        check_whole("max_hands", self.max_hands, 1, 1000)
        check_whole("threads", self.threads, 1, 1024)
        if self.size is not None:
            object.__setattr__(self, "size", check_size("size", self.size, LEAST_SIZE, MOST_SIZE))
        for name, check in (("classes", _classes), ("anchors", _anchors)):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, check(getattr(self, name)))
        models.fetch(
            models.own_file(self.model)
        )  # so that a missing file is refused here, not at the first image

    @property
    def model_files(self) -> frozenset[str]:
        """The ONNX file, with weights that lie beside it; MediaPipe's networks if they refine."""
        files = LiteRTDetector().model_files if self.refine else frozenset()
        beside = f"{self.model}.data"  # where exporters put weights that do not go into the file
        if os.path.isfile(beside):  # noqa: PTH113 - as for the file itself
            files |= {models.own_file(beside)}
        return files | {models.own_file(self.model)}

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands as `HandDetector.detect` does, the best box's first.

        A ModelError says what was seen in the file, and what helps.
        """
        check_rgb(image)
        network = self._network()
        stretch = self.fit == "stretch"
        filled, to_image = letterbox(image, network.size, stretch=stretch, stride=network.stride)
        rows = network(filled)
        rows = rows[rows[:, 4] >= self.confidence]
        if not np.isfinite(rows).all():
            raise network.error("a box that it gave is not finite; export it in full precision")
        rows[:, :4] = geometry.apply(to_image, rows[:, :4].reshape(-1, 2, 2)).reshape(-1, 4)
        if self.classes is not None:
            rows = rows[np.isin(rows[:, 5], self._numbers(network))]
        rows = suppress(rows, 1.0 if network.suppresses else self.iou)
        height, width = image.shape[:2]
        hands: list[Hand] = []
        for x0, y0, x1, y1, score, _ in rows.tolist():
            box = max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
            if box[0] < box[2] and box[1] < box[3] and len(hands) < self.max_hands:
                hands.append(Hand(box=box, score=score))
        if not self.refine:
            return tuple(hands)
        looker = LiteRTDetector(threads=self.threads)
        looks = [(hand, landmarks_from_box(looker, image, hand.box)) for hand in hands]
        return tuple(replace(seen, palm_score=hand.score) if seen else hand for hand, seen in looks)

    def _network(self) -> YoloNetwork:
        file = models.own_file(self.model)
        content = models.fingerprint(file)  # a file that was replaced is opened anew
        path = models.fetch(file).absolute()
        options: dict[str, Any] = {
            "size": self.size[::-1] if isinstance(self.size, tuple) else None,
            "layout": self.layout,
            "anchors": self.anchors,
            "threads": self.threads,
        }
        return per_thread(("yolo", path, content, *options.values()), lambda: YoloNetwork(path, **options))

    def _numbers(self, network: YoloNetwork) -> list[int]:
        """Return the numbers of the classes that were asked for."""
        numbers: dict[Any, int] = {name: number for number, name in network.names.items()}
        numbers.update({number: number for number in network.names})
        wanted = self.classes or ()
        if unknown := [c for c in wanted if c not in numbers and (numbers or isinstance(c, str))]:
            known = ", ".join(f"{number} {name!r}" for number, name in network.names.items())
            raise network.error(
                f"it has no class {', '.join(map(repr, unknown))}; "
                + (f"it has {known}" if known else "its file tells no names: say which by their numbers")
            )
        return [numbers[c] if numbers else int(c) for c in wanted]


def letterbox(
    image: Image, size: tuple[int, int], *, stretch: bool = False, stride: int | None = None
) -> tuple[Image, Affine]:
    """Return a network's input as Ultralytics' LetterBox makes it, and the map back to the image.

    `size` is width and height. To `stretch` is to fill the input without keeping the aspect, as Darknet's own
    programs do. With a `stride`, only as much grey is added as makes each side a multiple of it (LetterBox's
    ``auto``), which networks with dynamic shapes allow.
    """
    height, width = image.shape[:2]
    factor = min(size[0] / width, size[1] / height)
    scaled = size if stretch else (max(1, round(width * factor)), max(1, round(height * factor)))
    grey = size[0] - scaled[0], size[1] - scaled[1]
    if stride is not None:
        grey = grey[0] % stride, grey[1] % stride
    left, top = (round(pixels / 2 - 0.1) for pixels in grey)  # of an odd number, one more lies behind
    if scaled != (width, height):
        image = np.asarray(cv2.resize(image, scaled, interpolation=cv2.INTER_LINEAR), np.uint8)
    pads = top, grey[1] - top, left, grey[0] - left
    filled = cv2.copyMakeBorder(image, *pads, cv2.BORDER_CONSTANT, value=GREY)
    to_image = geometry.compose(
        geometry.translation(-left, -top),
        geometry.scaling(width / scaled[0], height / scaled[1]),  # each side was rounded to whole pixels
    )
    return np.asarray(filled, np.uint8), to_image


def suppress(rows: Rows, overlap: float) -> Rows:
    """Return the boxes, best first, without those that overlap a better one of their class by that IoU."""
    corner, sizes = rows[:, :2], np.maximum(rows[:, 2:4] - rows[:, :2], 0)
    boxes: Any = np.concatenate([corner, sizes], axis=1, dtype=np.float64)
    scores: Any = rows[:, 4].copy()
    classes: Any = rows[:, 5].astype(np.int32)
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, classes, 0.0, overlap, top_k=MOST)
    return rows[np.asarray(kept, np.int64)]


def _classes(value: Any) -> tuple[int | str, ...]:
    if isinstance(value, list | tuple) and value and all(isinstance(c, str) or is_whole(c) for c in value):
        return tuple(value)
    raise InputError(f"classes must be a tuple of numbers or names such as ('hand',), not {value!r}")


def _anchors(value: Any) -> tuple[tuple[float, ...], ...]:
    try:
        maps = tuple(tuple(numbers) for numbers in value)
    except TypeError:
        maps = ()
    if not maps or not all(len(numbers) > 0 and len(numbers) % 2 == 0 for numbers in maps):
        raise InputError(
            "anchors must be a tuple for each map, of widths and heights in turn, "
            f"such as ((81, 82, 135, 169, 344, 319), (23, 27, 37, 58, 81, 82)), not {value!r}"
        )
    for number in chain(*maps):
        check_range("anchors", number, 1e-3, 1e5)
    return maps
