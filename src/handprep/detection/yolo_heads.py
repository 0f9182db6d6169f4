"""What YOLO networks give out, known by the shapes of their outputs, and what boxes these numbers mean.

Sources: the exporters of Ultralytics and YOLOv5, Darknet's ``yolo_layer.c``, and what converters from
Darknet write. Each layout is one row of `LAYOUTS` and one small decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Shapes: TypeAlias = Sequence[tuple[int, ...]]
Anchors: TypeAlias = tuple[tuple[float, ...], ...]  # one tuple a map: width, height, width, height, …

MOST = 30_000  # boxes that suppression looks at; Ultralytics' max_nms
MOST_LEFT = 1000  # rows of a table of boxes left after suppression; cells are more, from 160 pixels a side on


class Facts(NamedTuple):
    """What is known of a network when its outputs are read."""

    size: tuple[int, int]  # width and height of the input, in pixels
    classes: int | None = None  # how many it tells apart, if its file says
    suppressed: bool = False  # whether its file says that it removes overlapping boxes itself
    anchors: Anchors | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes that a network gave, in no order."""

    boxes: Array  # (N, 4) x0, y0, x1, y1 in pixels of the input
    scores: Array  # (N,), 0 to 1
    classes: NDArray[np.int64]  # (N,)
    suppressed: bool = False  # whether overlapping boxes are removed already

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Candidates:
        """Return those of a mask or of indices."""
        return Candidates(self.boxes[kept], self.scores[kept], self.classes[kept], self.suppressed)


class Layout(NamedTuple):
    """One way in which networks give out boxes."""

    shapes: str  # of the outputs, in words
    possible: Callable[[Shapes], bool]  # whether outputs of these shapes can be read so
    decode: Callable[[Sequence[Array], Facts], Candidates]


def recognised(shapes: Shapes, facts: Facts) -> str | None:
    """Return the name of the layout that outputs of the given shapes have, or None.

    Shapes alone are ambiguous: ``(1, 300, 6)`` may be 300 boxes that are left of many, or each cell's box
    with an objectness and one class. What the file says of itself counts first; the user's layout= helps
    where these rules are wrong.
    """
    for name in ("darknet-boxes", "darknet-maps"):
        if LAYOUTS[name].possible(shapes):
            return name
    tables = [shape for shape in shapes if len(shape) == 3]
    if not tables:
        return None
    rows, columns = sum(shape[1] for shape in tables), tables[0][2]
    if facts.suppressed or (columns == 6 and (rows <= MOST_LEFT or facts.classes not in (None, 1))):
        name = "nms"
    elif facts.classes is not None and rows == 4 + facts.classes:
        name = "v8"
    elif facts.classes is not None and columns == 5 + facts.classes:
        name = "v5"
    else:
        name = "v8" if rows < columns else "v5"
    return name if LAYOUTS[name].possible(shapes) else None


def suppress(found: Candidates, overlap: float) -> Candidates:
    """Return the boxes, best first, without those that overlap a better one of their class by that IoU."""
    if found.suppressed:
        return found.where(np.argsort(-found.scores, kind="stable"))
    corner, sizes = found.boxes[:, :2], np.maximum(found.boxes[:, 2:] - found.boxes[:, :2], 0)
    boxes: Any = np.concatenate([corner, sizes], axis=1, dtype=np.float64)
    scores: Any = found.scores
    classes: Any = found.classes.astype(np.int32)
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, classes, 0.0, overlap, top_k=MOST)
    return found.where(np.asarray(kept, np.int64))


def _around(centres: Array, sizes: Array) -> Array:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def _best(scores: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return the best score and its class for each row of ``(N, classes)``."""
    classes = scores.argmax(axis=1)
    return scores[np.arange(len(scores)), classes], classes


def _in_pixels(shares: Array, facts: Facts) -> Array:
    return shares * np.array([*facts.size, *facts.size], np.float32)


def _anchor_free(outputs: Sequence[Array], facts: Facts) -> Candidates:
    table = outputs[0][0].T
    last = 4 + facts.classes if facts.classes else None  # masks or key points may follow the classes
    return Candidates(_around(table[:, :2], table[:, 2:4]), *_best(table[:, 4:last]))


def _with_objectness(outputs: Sequence[Array], facts: Facts) -> Candidates:
    # One table, or one for each scale. YOLOv5 may give its raw maps, which have five axes, beside it.
    table = np.concatenate([output[0] for output in outputs if output.ndim == 3])
    last = 5 + facts.classes if facts.classes else None
    boxes = _around(table[:, :2], table[:, 2:4])
    if len(table) and table[:, :2].max() <= 2:  # shares of the input, as Darknet has them, and no pixels
        boxes = _in_pixels(boxes, facts)
    scores, classes = _best(table[:, 5:last])
    return Candidates(boxes, scores * table[:, 4], classes)


def _suppressed(outputs: Sequence[Array], facts: Facts) -> Candidates:
    table = outputs[0][0]
    return Candidates(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), suppressed=True)


def _boxes_and_scores(outputs: Sequence[Array], facts: Facts) -> Candidates:
    boxes, scores = outputs
    return Candidates(_in_pixels(boxes[0, :, 0], facts), *_best(scores[0]))


def _maps(outputs: Sequence[Array], facts: Facts) -> Candidates:
    assert facts.anchors is not None
    coarse_first = sorted(outputs, key=lambda output: output.shape[2])
    each = zip(coarse_first, facts.anchors, strict=True)
    table = np.concatenate([_cells_of_map(output[0], anchors, facts) for output, anchors in each])
    scores, classes = _best(table[:, 5:])
    return Candidates(_around(table[:, :2], table[:, 2:4]), scores * table[:, 4], classes)


def _cells_of_map(output: Array, anchors: tuple[float, ...], facts: Facts) -> Array:
    """Return the rows centre, size, objectness, classes of a raw map (Darknet, ``yolo_layer.c``)."""
    rows, columns = output.shape[1:]
    sizes = np.reshape(np.array(anchors, np.float32), (-1, 2))
    raw = np.clip(output.reshape(len(sizes), -1, rows, columns), -80, 80)
    y, x = np.indices((rows, columns), np.float32)
    table: Array = np.reciprocal(1 + np.exp(-raw))
    table[:, 0] = (table[:, 0] + x) * (facts.size[0] / columns)
    table[:, 1] = (table[:, 1] + y) * (facts.size[1] / rows)
    table[:, 2:4] = np.exp(raw[:, 2:4]) * sizes[:, :, None, None]
    return table.transpose(0, 2, 3, 1).reshape(-1, table.shape[1])


def _a_table(*, rows: int, columns: int) -> Callable[[Shapes], bool]:
    """Return what tells whether the first output is a table of at least so many rows and columns."""
    return lambda shapes: len(shapes[0]) == 3 and shapes[0][1] >= rows and shapes[0][2] >= columns


def _tables_of_objectness(shapes: Shapes) -> bool:
    columns = {shape[2] for shape in shapes if len(shape) == 3}
    return len(columns) == 1 and min(columns) >= 6


def _boxes_with_scores(shapes: Shapes) -> bool:
    if [len(shape) for shape in shapes] != [4, 3]:
        return False
    boxes, scores = shapes
    return boxes[2:] == (1, 4) and boxes[1] == scores[1]


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "v8": Layout("(1, 4 + classes, boxes)", _a_table(rows=5, columns=1), _anchor_free),
        "v5": Layout("(1, boxes, 5 + classes)", _tables_of_objectness, _with_objectness),
        "nms": Layout("(1, boxes, 6)", _a_table(rows=0, columns=6), _suppressed),
        "darknet-boxes": Layout(
            "(1, boxes, 1, 4) with (1, boxes, classes)", _boxes_with_scores, _boxes_and_scores
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
