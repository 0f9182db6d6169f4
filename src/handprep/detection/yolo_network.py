"""A YOLO network in an ONNX file: opened, checked, and run on pictures."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.detection.letterbox import letterboxed, stretched
from handprep.detection.yolo_heads import (
    LAYOUTS,
    Anchors,
    Candidates,
    Facts,
    Layout,
    anchors_problem,
    recognised,
)
from handprep.errors import ModelError
from handprep.models.runtime import LONGEST_INPUT, failures, first_line, opened, outputs
from handprep.sample import Image

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
TASKS = (None, "detect", "pose", "segment")  # Ultralytics' name of what a network is for; boxes come of these
USUAL_SIZE, USUAL_STRIDE = 640, 32  # pixels, where neither the file nor the user says another
HOW_TO_CONVERT = {
    ".pt": "it is a PyTorch checkpoint, which its own package exports: yolo export model={file} format=onnx",
    ".weights": "it is a Darknet network, to be converted first: see handprep's how-to on YOLO",
    ".cfg": "it describes a Darknet network, to be converted first: see handprep's how-to on YOLO",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the user wants a network to be read where its file leaves it open.

    Attributes
    ----------
    size
        Width and height of the input, for dynamic shapes; None for what the file says.
    layout
        A key of `LAYOUTS`; None for what the outputs' shapes say.
    anchors
        For raw maps of Darknet's.
    threads
        Threads within the network.
    """

    size: tuple[int, int] | None = None
    layout: str | None = None
    anchors: Anchors | None = None
    threads: int = 1


class YoloNetwork:
    """An opened network; one serves one thread.

    Parameters
    ----------
    path
        The ONNX file.
    reading
        What its file leaves open.

    Raises
    ------
    ModelError
        If the file cannot be opened, or is no network that gives boxes from one picture.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self._path = path
        self._session = _opened(path, reading.threads)
        try:
            says = self._session.get_modelmeta().custom_metadata_map
        except failures() as error:
            raise self._error(f"what it says of itself cannot be read: {first_line(error)}") from error
        if (task := says.get("task")) not in TASKS:
            raise self._error(f"it is a network for {task!r}, which gives no boxes of hands")
        self.names = _names(_literal(says, "names"))
        self._input, self._dtype, fixed = self._only_input()
        self._stride = _stride(_literal(says, "stride")) if fixed == (None, None) else None
        self._size = self._size_of_input(fixed, reading.size, _size(_literal(says, "imgsz")))
        self._facts = Facts(
            size=self._size,
            classes=len(self.names) if self.names else None,
            suppressed=_suppresses(says),
            anchors=reading.anchors,
        )
        self._layout = self._layout_of(reading.layout)

    def __call__(self, image: Image, fit: str, confidence: float) -> Candidates:
        """Return the boxes from a confidence on, in pixels of the picture, not yet suppressed.

        Parameters
        ----------
        image
            uint8 ``(H, W, 3)`` RGB.
        fit
            ``"letterbox"`` or ``"stretch"``.
        confidence
            Least score.
        """
        picture = image.shape[1], image.shape[0]
        if fit == "stretch":
            placement = stretched(picture, self._size)
        else:
            placement = letterboxed(picture, self._size, self._stride)
        answers = self._run(placement.fill(image))
        with np.errstate(over="ignore", invalid="ignore"):  # by boxes that score nothing
            found = self._layout.decode(answers, replace(self._facts, size=placement.whole))
        found = found.where(found.scores >= confidence)
        if not np.isfinite(found.boxes).all():
            raise self._error("a box that it gave is not finite; export it in full precision")
        corners = geometry.apply(placement.to_picture, found.boxes.reshape(-1, 2, 2))
        return replace(found, boxes=corners.reshape(-1, 4).astype(np.float32))

    def _error(self, problem: str) -> ModelError:
        return ModelError(f"the YOLO model {self._path} cannot be used: {problem}")

    def _only_input(self) -> tuple[str, type[Any], tuple[int | None, int | None]]:
        """Return the input's name, its type, and width and height where they are fixed."""
        inputs = self._session.get_inputs()
        seen = ", ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs)
        wanted = "one input of float32, float16 or uint8, shaped (1, 3, height, width)"
        if len(inputs) != 1 or inputs[0].type not in INPUT_TYPES or len(inputs[0].shape) != 4:
            raise self._error(f"it must have {wanted}; it has {seen or 'none'}")
        batch, channels, height, width = (
            n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape
        )
        if batch not in (None, 1) or channels not in (None, 3):
            raise self._error(
                f"it must have {wanted}; it has {seen}: export it for one picture, channels first"
            )
        return inputs[0].name, INPUT_TYPES[inputs[0].type], (width, height)

    def _size_of_input(
        self,
        fixed: tuple[int | None, int | None],
        wanted: tuple[int, int] | None,
        usual: tuple[int, int] | None,
    ) -> tuple[int, int]:
        free = wanted or usual or (USUAL_SIZE, USUAL_SIZE)
        stride = self._stride or 1
        width, height = (f or -(-u // stride) * stride for f, u in zip(fixed, free, strict=True))
        if wanted is not None and self._stride is None and wanted != (width, height):
            raise self._error(
                f"its input is fixed at {height} rows and {width} columns, so that size cannot be "
                f"{wanted[1], wanted[0]}; leave it out"
            )
        if max(width, height) > LONGEST_INPUT:
            raise self._error(f"its input is {width} x {height}, and {LONGEST_INPUT} is the most on a side")
        return width, height

    def _layout_of(self, wanted: str | None) -> Layout:
        """Return the layout of what the network says to a grey picture."""
        answers = self._run(np.full((self._size[1], self._size[0], 3), 114, np.uint8))
        shapes = [answer.shape for answer in answers]
        name = wanted or recognised(shapes, self._facts)
        batched = all(len(shape) > 1 and shape[0] == 1 for shape in shapes)
        if name is None or not batched or not LAYOUTS[name].possible(shapes):
            known = "; ".join(f"{name!r}: {layout.shapes}" for name, layout in LAYOUTS.items())
            asked = f" and not those of layout={wanted!r}" if wanted else ""
            raise self._error(
                f"its outputs have the shapes {', '.join(map(str, shapes))}{asked}. Known layouts are {known}"
            )
        if name == "darknet-maps" and (problem := anchors_problem(shapes, self._facts.anchors)):
            raise self._error(f"its outputs have the shapes {', '.join(map(str, shapes))}, but {problem}")
        return LAYOUTS[name]

    def _run(self, picture: Image) -> list[NDArray[np.float32]]:
        tensor = picture.transpose(2, 0, 1)[None].astype(self._dtype, order="C")
        if self._dtype is not np.uint8:  # networks that take bytes scale them on their own
            tensor /= 255
        try:
            answers = outputs(self._session, {self._input: tensor})
        except failures() as error:
            shape = f"{tensor.dtype} {tensor.shape}"
            raise self._error(f"ONNX Runtime failed on an input of {shape}: {first_line(error)}") from error
        arrays = [np.asarray(answer) for answer in answers]
        for output in arrays:
            if output.dtype.kind != "f":
                raise self._error(
                    f"it must give out floating-point numbers, not {output.dtype} {output.shape}"
                )
            if np.isnan(output).any():
                raise self._error(
                    "it gave what is no number (NaN): its weights are damaged, or too large for the half "
                    "precision that it was exported in"
                )
        return [output.astype(np.float32, copy=False) for output in arrays]


def _opened(path: Path, threads: int) -> Any:
    try:
        return opened(path, threads)
    except failures() as error:
        hint = HOW_TO_CONVERT.get(path.suffix.lower(), "it may be damaged, or not an ONNX file at all")
        raise ModelError(
            f"ONNX Runtime cannot open the YOLO model {path}: {hint.format(file=path)} ({first_line(error)})"
        ) from error


def _literal(says: Mapping[str, str], key: str) -> Any:
    """Return a value that Ultralytics wrote as Python's text into the file, or None if there is none."""
    text = says.get(key, "")
    if not 0 < len(text) <= 100_000:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None  # another program's entry of the same name


def _names(value: Any) -> dict[int, str]:
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not all(isinstance(number, int) for number in value):
        return {}
    return {number: str(name) for number, name in value.items()}


def _size(value: Any) -> tuple[int, int] | None:
    """Return width and height from ``imgsz``, which is one side, or height and width."""
    sides = [value, value] if isinstance(value, int) else value
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        return None
    height, width = (side if isinstance(side, int) and side > 0 else None for side in sides)
    return None if width is None or height is None else (width, height)


def _stride(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value <= 1024 else USUAL_STRIDE


def _suppresses(says: Mapping[str, str]) -> bool:
    options = _literal(says, "args")
    nms = isinstance(options, dict) and options.get("nms") is True
    return nms or _literal(says, "end2end") is True
