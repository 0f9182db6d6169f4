"""A YOLO network in an ONNX file: opened, checked, and run on images."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.detection.letterbox import letterbox
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
from handprep.models.onnx import LONGEST_INPUT, failures, first_line, open_session, outputs
from handprep.sample import Image

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
TASKS = (None, "detect", "pose", "segment")  # Ultralytics' name of what a network is for; boxes come of these
USUAL_SIZE, USUAL_STRIDE = 640, 32  # pixels, where neither the file nor the user says another
HOW_TO_CONVERT = {
    ".pt": "it is a PyTorch checkpoint, which its own package exports: yolo export model={file} format=onnx",
    ".weights": "it is a Darknet network, to be converted first: see handprep's how-to on YOLO",
    ".cfg": "it describes a Darknet network, to be converted first: see handprep's how-to on YOLO",
}


class YoloNetwork:
    """An opened network, for one thread; a file that is no network of boxes from one image is a ModelError.

    The parameters are those of `YoloDetector`, but that `size` is width and height.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int] | None = None,
        layout: str | None = None,
        anchors: Anchors | None = None,
        threads: int = 1,
    ) -> None:
        self._path = path
        try:
            self._session = open_session(path, threads)
        except failures() as error:
            hint = HOW_TO_CONVERT.get(path.suffix.lower(), "it may be damaged, or not an ONNX file at all")
            raise ModelError(
                f"ONNX Runtime cannot open the YOLO model {path}: {hint.format(file=path)} "
                f"({first_line(error)})"
            ) from error
        says = self._metadata()
        self.names = _names(says["names"])
        self._input, self._dtype, fixed = self._only_input()
        self._stride = None  # that of an input whose sides are free
        if fixed == (None, None):
            self._stride = says["stride"] if _is_size(says["stride"]) else USUAL_STRIDE
        options = says["args"] if isinstance(says["args"], dict) else {}
        self._facts = Facts(
            size=self._size_of_input(fixed, size, says["imgsz"]),
            classes=len(self.names) if self.names else None,
            suppressed=options.get("nms") is True or says["end2end"] is True,
            anchors=anchors,
        )
        self._layout = self._layout_of(layout)

    def __call__(self, image: Image, fit: str, confidence: float) -> Candidates:
        """Return the boxes from a confidence on, in pixels of the image, not yet suppressed."""
        filled, to_image = letterbox(image, self._facts.size, stretch=fit == "stretch", stride=self._stride)
        height, width = filled.shape[:2]
        answers = self._run(filled)
        with np.errstate(over="ignore", invalid="ignore"):  # by boxes that score nothing
            found = self._layout.decode(answers, self._facts._replace(size=(width, height)))
        found = found.where(found.scores >= confidence)
        if not np.isfinite(found.boxes).all():
            raise self._error("a box that it gave is not finite; export it in full precision")
        corners = geometry.apply(to_image, found.boxes.reshape(-1, 2, 2))
        return replace(found, boxes=corners.reshape(-1, 4).astype(np.float32))

    def _metadata(self) -> dict[str, Any]:
        """Return what Ultralytics wrote as Python's text into the file; None for what is not there."""
        try:
            says = self._session.get_modelmeta().custom_metadata_map
        except failures() as error:
            raise self._error(f"what it says of itself cannot be read: {first_line(error)}") from error
        if (task := says.get("task")) not in TASKS:
            raise self._error(f"it is a network for {task!r}, which gives no boxes of hands")
        return {key: _literal(says.get(key, "")) for key in ("names", "stride", "imgsz", "args", "end2end")}

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
                f"it must have {wanted}; it has {seen}: export it for one image, channels first"
            )
        return inputs[0].name, INPUT_TYPES[inputs[0].type], (width, height)

    def _size_of_input(
        self, fixed: tuple[int | None, int | None], wanted: tuple[int, int] | None, says: Any
    ) -> tuple[int, int]:
        """Return width and height: those of the file, the wanted ones, or those it was exported with."""
        usual = [says, says] if isinstance(says, int) else says  # one side, or height and width
        if not isinstance(usual, list | tuple) or len(usual) != 2 or not all(map(_is_size, usual)):
            usual = USUAL_SIZE, USUAL_SIZE
        stride = self._stride or 1
        width, height = (
            f or -(-u // stride) * stride for f, u in zip(fixed, wanted or usual[::-1], strict=True)
        )
        if wanted is not None and self._stride is None and wanted != (width, height):
            raise self._error(
                f"its input is fixed at {height} rows and {width} columns, so that size cannot be "
                f"{wanted[1], wanted[0]}; leave it out"
            )
        if max(width, height) > LONGEST_INPUT:
            raise self._error(f"its input is {width} x {height}, and {LONGEST_INPUT} is the most on a side")
        return width, height

    def _layout_of(self, wanted: str | None) -> Layout:
        """Return the layout of what the network says to a grey image."""
        answers = self._run(np.full((*self._facts.size[::-1], 3), 114, np.uint8))
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

    def _run(self, image: Image) -> list[NDArray[np.float32]]:
        tensor = image.transpose(2, 0, 1)[None].astype(self._dtype, order="C")
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


def _literal(text: str) -> Any:
    """Return the value that a Python literal stands for, or None if the text is none."""
    try:
        return ast.literal_eval(text) if len(text) <= 100_000 else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None  # another program's entry of the same name


def _names(value: Any) -> dict[int, str]:
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not all(isinstance(number, int) for number in value):
        return {}
    return {number: str(name) for number, name in value.items()}


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and value > 0
