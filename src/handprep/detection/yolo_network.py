"""A YOLO network in an ONNX file: opened, checked, run on images, its numbers read as boxes.

Sources: the exporters of Ultralytics and YOLOv5, Darknet's ``yolo_layer.c``, and what converters from
Darknet write. Each layout of outputs is one row of `LAYOUTS` and one small decoder.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handprep.errors import ModelError
from handprep.models.onnx import LONGEST_INPUT, failures, first_line, open_session, outputs
from handprep.sample import Image

Array: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = Array  # (N, 6): a box's x0, y0, x1, y1 in pixels of the input, its score and its class
Shapes: TypeAlias = Sequence[tuple[int, ...]]
Anchors: TypeAlias = tuple[tuple[float, ...], ...]  # one tuple a map: width, height, width, height, …

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
INPUT = "one input of float32, float16 or uint8, shaped (1, 3, height, width)"
TASKS = (None, "detect", "pose", "segment")  # Ultralytics' name of what a network is for; boxes come of these
USUAL_SIZE, USUAL_STRIDE = 640, 32  # pixels, where neither the file nor the user says another
MOST_LEFT = 1000  # rows of a table of boxes left after suppression; cells are more, from 160 pixels a side on
HOW_TO_CONVERT = {
    ".pt": "it is a PyTorch checkpoint, which its own package exports: yolo export model={file} format=onnx",
    ".weights": "it is a Darknet network, to be converted first: see handprep's how-to on YOLO",
    ".cfg": "it describes a Darknet network, to be converted first: see handprep's how-to on YOLO",
}


class Facts(NamedTuple):
    """What is known of a network when its outputs are read."""

    size: tuple[int, int]  # width and height of the input, in pixels
    classes: int | None = None  # how many it tells apart, if its file says
    suppressed: bool = False  # whether its file says that it removes overlapping boxes itself
    anchors: Anchors | None = None


class Layout(NamedTuple):
    """One way in which networks give out boxes."""

    shapes: str  # of the outputs, in words
    possible: Callable[[Shapes], bool]  # whether outputs of these shapes can be read so
    decode: Callable[[Sequence[Array], Facts], Rows]


class YoloNetwork:
    """An opened network, for one thread; a file that is no network of boxes from one image is a ModelError.

    The parameters are those of `YoloDetector`, but that `size` is width and height: those of the input, or
    the largest where its sides are free. These then are multiples of `stride`, which else is None.
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
            entries = self._session.get_modelmeta().custom_metadata_map
        except failures() as error:
            hint = HOW_TO_CONVERT.get(path.suffix.lower(), "it may be damaged, or not an ONNX file at all")
            raise ModelError(
                f"ONNX Runtime cannot open the YOLO model {path}: {hint.format(file=path)} "
                f"({first_line(error)})"
            ) from error
        if (task := entries.get("task")) not in TASKS:
            raise self.error(f"it is a network for {task!r}, which gives no boxes of hands")
        # What Ultralytics wrote as Python's text into the file; None for what is not there.
        says = {k: _literal(entries.get(k, "")) for k in ("names", "stride", "imgsz", "args", "end2end")}
        self.names = _names(says["names"])
        self._input, self._dtype, fixed = self._only_input()
        self.stride = None
        if fixed == (None, None):
            self.stride = says["stride"] if _is_size(says["stride"]) else USUAL_STRIDE
        self.size = self._size(fixed, size, says["imgsz"])
        options = says["args"] if isinstance(says["args"], dict) else {}
        suppresses = options.get("nms") is True or says["end2end"] is True
        self._facts = Facts(self.size, len(self.names) or None, suppresses, anchors)
        self._layout = self._known_layout(layout)
        self.suppresses = self._layout == "nms"  # overlapping boxes, itself

    def __call__(self, image: Image) -> Rows:
        """Return the boxes in a uint8 ``(H, W, 3)`` RGB image that fits the input, in no order."""
        facts = self._facts._replace(size=(image.shape[1], image.shape[0]))
        with np.errstate(over="ignore", invalid="ignore"):  # by boxes that score nothing
            return LAYOUTS[self._layout].decode(self._run(image), facts)

    def error(self, problem: str) -> ModelError:
        """Return the error that names the file."""
        return ModelError(f"the YOLO model {self._path} cannot be used: {problem}")

    def _only_input(self) -> tuple[str, type[Any], tuple[int | None, int | None]]:
        """Return the input's name, its type, and width and height where they are fixed."""
        inputs = self._session.get_inputs()
        if len(inputs) == 1 and inputs[0].type in INPUT_TYPES and len(inputs[0].shape) == 4:
            batch, channels, height, width = (n if _is_size(n) else None for n in inputs[0].shape)
            if batch in (None, 1) and channels in (None, 3):
                return inputs[0].name, INPUT_TYPES[inputs[0].type], (width, height)
        seen = ", ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs) or "none"
        raise self.error(f"it must have {INPUT}; it has {seen}: export it for one image, channels first")

    def _size(
        self, fixed: tuple[int | None, int | None], wanted: tuple[int, int] | None, says: Any
    ) -> tuple[int, int]:
        """Return width and height: those of the file, the wanted ones, or those it was exported with."""
        usual = [says, says] if isinstance(says, int) else says  # one side, or height and width
        if not isinstance(usual, list | tuple) or len(usual) != 2 or not all(map(_is_size, usual)):
            usual = USUAL_SIZE, USUAL_SIZE
        step = self.stride or 1
        width, height = (f or -(-u // step) * step for f, u in zip(fixed, wanted or usual[::-1], strict=True))
        if wanted is not None and self.stride is None and wanted != (width, height):
            raise self.error(
                f"its input is fixed at {height} rows and {width} columns, so that size cannot be "
                f"{wanted[1], wanted[0]}; leave it out"
            )
        if max(width, height) > LONGEST_INPUT:
            raise self.error(f"its input is {width} x {height}, and {LONGEST_INPUT} is the most on a side")
        return width, height

    def _known_layout(self, wanted: str | None) -> str:
        """Return the layout of what the network says to a grey image."""
        answers = self._run(np.full((*self.size[::-1], 3), 114, np.uint8))
        shapes = [answer.shape for answer in answers]
        listed = f"its outputs have the shapes {', '.join(map(str, shapes))}"
        name = wanted or recognised(shapes, self._facts)
        batched = all(len(shape) > 1 and shape[0] == 1 for shape in shapes)
        if name is None or not batched or not LAYOUTS[name].possible(shapes):
            known = "; ".join(f"{name!r}: {layout.shapes}" for name, layout in LAYOUTS.items())
            asked = f" and not those of layout={wanted!r}" if wanted else ""
            raise self.error(f"{listed}{asked}. Known layouts are {known}")
        if name == "darknet-maps" and (problem := anchors_problem(shapes, self._facts.anchors)):
            raise self.error(f"{listed}, but {problem}")
        return name

    def _run(self, image: Image) -> list[Array]:
        tensor = image.transpose(2, 0, 1)[None].astype(self._dtype, order="C")
        if self._dtype is not np.uint8:  # networks that take bytes scale them on their own
            tensor /= 255
        try:
            answers = [np.asarray(answer) for answer in outputs(self._session, {self._input: tensor})]
        except failures() as error:
            given = f"{tensor.dtype} {tensor.shape}"
            raise self.error(f"ONNX Runtime failed on an input of {given}: {first_line(error)}") from error
        for answer in answers:
            if answer.dtype.kind != "f":
                raise self.error(f"it must give floating-point numbers, not {answer.dtype} {answer.shape}")
            if np.isnan(answer).any():
                raise self.error(
                    "it gave what is no number (NaN): its weights are damaged, or too large for the half "
                    "precision that it was exported in"
                )
        return [answer.astype(np.float32, copy=False) for answer in answers]


def recognised(shapes: Shapes, facts: Facts) -> str | None:
    """Return the name of the layout that outputs of the given shapes have, or None.

    Shapes alone are ambiguous: ``(1, 300, 6)`` may be 300 boxes that are left of many, or each cell's box
    with an objectness and one class. The user's layout= helps where these rules are wrong.
    """
    for name in ("darknet-boxes", "darknet-maps"):
        if LAYOUTS[name].possible(shapes):
            return name
    tables = [shape for shape in shapes if len(shape) == 3]
    if not tables:
        return None
    rows, columns = sum(shape[1] for shape in tables), tables[0][2]
    if facts.suppressed or (columns == 6 and rows <= MOST_LEFT):
        name = "nms"
    else:
        name = "v8" if rows < columns or rows == 4 + (facts.classes or rows) else "v5"
    return name if LAYOUTS[name].possible(shapes) else None


def _around(table: Array) -> Array:
    """Return the boxes of rows that begin with a centre and a size."""
    centres, halves = table[:, :2], table[:, 2:4] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _rows(boxes: Array, scores: Array, objectness: Array | float = 1) -> Rows:
    """Return boxes with the best of their scores ``(N, classes)``."""
    rows = np.empty((len(boxes), 6), np.float32)
    classes = scores.argmax(axis=1)
    rows[:, :4], rows[:, 5] = boxes, classes
    rows[:, 4] = scores[np.arange(len(scores)), classes] * objectness
    return rows


def _anchor_free(outputs: Sequence[Array], facts: Facts) -> Rows:
    table = outputs[0][0].T
    last = 4 + facts.classes if facts.classes else None  # masks or key points may follow the classes
    return _rows(_around(table), table[:, 4:last])


def _with_objectness(outputs: Sequence[Array], facts: Facts) -> Rows:
    # One table, or one for each scale. YOLOv5 may give its raw maps, which have five axes, beside it.
    table = np.concatenate([output[0] for output in outputs if output.ndim == 3])
    last = 5 + facts.classes if facts.classes else None
    boxes = _around(table)
    if len(table) and table[:, :2].max() <= 2:  # shares of the input, as Darknet has them, and no pixels
        boxes *= np.array(facts.size * 2, np.float32)
    return _rows(boxes, table[:, 5:last], table[:, 4])


def _boxes_and_scores(outputs: Sequence[Array], facts: Facts) -> Rows:
    return _rows(outputs[0][0, :, 0] * np.array(facts.size * 2, np.float32), outputs[1][0])


def _maps(outputs: Sequence[Array], facts: Facts) -> Rows:
    """Return the boxes of raw maps, one for each scale (Darknet, ``yolo_layer.c``)."""
    coarse_first = sorted(outputs, key=lambda output: output.shape[2])
    tables = []
    for output, numbers in zip(coarse_first, facts.anchors or (), strict=True):
        rows, columns = output.shape[2:]
        sizes = np.reshape(np.array(numbers, np.float32), (-1, 2))
        raw = np.clip(output.reshape(len(sizes), -1, rows, columns), -80, 80)
        y, x = np.indices((rows, columns), np.float32)
        table: Array = np.reciprocal(1 + np.exp(-raw))
        table[:, 0] = (table[:, 0] + x) * (facts.size[0] / columns)
        table[:, 1] = (table[:, 1] + y) * (facts.size[1] / rows)
        table[:, 2:4] = np.exp(raw[:, 2:4]) * sizes[:, :, None, None]
        tables.append(table.transpose(0, 2, 3, 1).reshape(1, -1, table.shape[1]))
    return _with_objectness(tables, facts)


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "v8": Layout(
            "(1, 4 + classes, boxes)", lambda shapes: len(shapes[0]) == 3 and shapes[0][1] >= 5, _anchor_free
        ),
        "v5": Layout(
            "(1, boxes, 5 + classes)",
            lambda shapes: [columns >= 6 for columns in {s[2] for s in shapes if len(s) == 3}] == [True],
            _with_objectness,
        ),
        "nms": Layout(
            "(1, boxes, 6)",
            lambda shapes: len(shapes[0]) == 3 and shapes[0][2] >= 6,
            lambda outputs, facts: outputs[0][0, :, :6],
        ),
        "darknet-boxes": Layout(
            "(1, boxes, 1, 4) with (1, boxes, classes)",
            lambda shapes: [len(s) for s in shapes] == [4, 3] and shapes[0][1:] == (shapes[1][1], 1, 4),
            _boxes_and_scores,
        ),
        "darknet-maps": Layout(
            "(1, anchors × (5 + classes), rows, columns) a scale",
            lambda shapes: all(len(s) == 4 and s[1] == shapes[0][1] >= 6 for s in shapes),
            _maps,
        ),
    }
)


def anchors_problem(shapes: Shapes, anchors: Anchors | None) -> str | None:
    """Return what is wrong with the anchors for raw maps of shapes such as ``(1, 18, 13, 13)``, or None."""
    if anchors is None:
        return (
            "its raw maps say nothing without their anchors: give anchors=, for each [yolo] section of the "
            ".cfg the anchors that its mask names, the coarsest map's first"
        )
    if len(anchors) != len(shapes):
        return f"anchors are given for {len(anchors)} maps, but it gives {len(shapes)}"
    for numbers in anchors:
        depth, rest = divmod(shapes[0][1], len(numbers) // 2)
        if rest or depth < 6:
            return f"{shapes[0][1]} channels are not {len(numbers) // 2} anchors of 5 + classes each"
    return None


def _literal(text: str) -> Any:
    """Return the value that a Python literal stands for, or None if the text is none."""
    try:
        return ast.literal_eval(text) if len(text) <= 100_000 else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None  # another program's entry of the same name


def _names(value: Any) -> dict[int, str]:
    value = dict(enumerate(value)) if isinstance(value, list | tuple) else value
    known = isinstance(value, dict) and all(isinstance(number, int) for number in value)
    return {number: str(name) for number, name in value.items()} if known else {}


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and value > 0
