"""What YOLO networks give out, known by the shapes of their outputs, and what boxes these numbers mean.

Sources: the exporters of Ultralytics and YOLOv5, Darknet's ``yolo_layer.c``, and what converters from
Darknet write. Each layout is one row of `LAYOUTS` and one small decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Shapes: TypeAlias = Sequence[tuple[int, ...]]
Anchors: TypeAlias = tuple[tuple[float, ...], ...]  # one tuple a map: width, height, width, height, …

# The strides of the maps that a network looks at: the usual three, a tiny one's two, and with a fourth
# for small or for large objects.
STRIDES = ((8, 16, 32), (16, 32), (4, 8, 16, 32), (8, 16, 32, 64))
MOST = 30_000  # boxes that suppression looks at; Ultralytics' max_nms


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a network when its outputs are read.

    Attributes
    ----------
    size
        Width and height of the input, in pixels.
    classes
        How many classes it tells apart, or None if its file does not say.
    suppressed
        Whether its file says that it leaves out overlapping boxes itself.
    anchors
        The anchors of its maps, or None.
    """

    size: tuple[int, int]
    classes: int | None = None
    suppressed: bool = False
    anchors: Anchors | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes that a network gave, in no order.

    Attributes
    ----------
    boxes
        ``(N, 4)`` x0, y0, x1, y1 in pixels of the input.
    scores
        ``(N,)``, 0 to 1.
    classes
        ``(N,)`` int64.
    suppressed
        Whether overlapping boxes are gone already.
    """

    boxes: Array
    scores: Array
    classes: NDArray[np.int64]
    suppressed: bool = False

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> Candidates:
        """Return those of a mask or of indices."""
        return Candidates(self.boxes[kept], self.scores[kept], self.classes[kept], self.suppressed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way in which networks give out boxes.

    Attributes
    ----------
    shapes
        The outputs' shapes, in words.
    possible
        Tells whether outputs of these shapes can be read so.
    decode
        Reads them.
    """

    shapes: str
    possible: Callable[[Shapes], bool]
    decode: Callable[[Sequence[Array], Facts], Candidates]


def recognised(shapes: Shapes, facts: Facts) -> str | None:
    """Return the name of the layout that outputs of the given shapes have, or None.

    Tables of boxes are ambiguous by their shape alone: ``(1, 300, 6)`` may be 300 boxes that are left of
    many, or each cell's box with an objectness and one class; ``(1, 63, 85)`` may be 85 boxes of 59
    classes, or 63 boxes of 80. So first counts what the file says of itself, then whether one side is
    as long as the input has cells, and last that there are more boxes than numbers to a box.
    """
    for name in ("darknet-boxes", "darknet-maps"):
        if LAYOUTS[name].possible(shapes):
            return name
    tables = [shape for shape in shapes if len(shape) == 3]
    if not tables:
        return None
    likely = _of_table(sum(shape[1] for shape in tables), tables[0][2], facts)
    return likely if LAYOUTS[likely].possible(shapes) else None


def _of_table(rows: int, columns: int, facts: Facts) -> str:
    cells = _cells(facts.size)
    if facts.suppressed or (columns == 6 and (rows not in cells or facts.classes not in (None, 1))):
        return "nms"
    if facts.classes is not None and rows == 4 + facts.classes:
        return "v8"
    if facts.classes is not None and columns == 5 + facts.classes:
        return "v5"
    if (columns in cells) != (rows in cells):
        return "v8" if columns in cells else "v5"
    return "v8" if rows < columns else "v5"


def _cells(size: tuple[int, int]) -> frozenset[int]:
    """Return how many boxes a network may give that looks at one or at three in each cell of its maps."""
    width, height = size
    of_one = {sum(-(-width // s) * -(-height // s) for s in strides) for strides in STRIDES}
    return frozenset(of_one | {3 * cells for cells in of_one})


def suppress(found: Candidates, overlap: float, most: int) -> Candidates:
    """Return the best boxes, best first, without those that overlap a better one of their own class.

    Parameters
    ----------
    found
        Candidates with finite boxes.
    overlap
        IoU, 0 to 1, above which two boxes are one hand.
    most
        At most so many are kept.
    """
    if found.suppressed:
        return found.where(np.argsort(-found.scores, kind="stable")[:most])
    corner, sizes = found.boxes[:, :2], np.maximum(found.boxes[:, 2:] - found.boxes[:, :2], 0)
    boxes: Any = np.concatenate([corner, sizes], axis=1, dtype=np.float64)
    scores: Any = found.scores
    classes: Any = found.classes.astype(np.int32)
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, classes, 0.0, overlap, top_k=MOST)
    return found.where(np.asarray(kept, np.int64)[:most])


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


def _two_of_shares(shapes: Shapes) -> bool:
    if [len(shape) for shape in shapes] != [4, 3]:
        return False
    boxes, scores = shapes
    return boxes[2:] == (1, 4) and boxes[1] == scores[1]


def _equally_deep_maps(shapes: Shapes) -> bool:
    return all(len(shape) == 4 and shape[1] == shapes[0][1] >= 6 for shape in shapes)


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "v8": Layout(
            shapes="(1, 4 + classes, boxes)", possible=_a_table(rows=5, columns=1), decode=_anchor_free
        ),
        "v5": Layout(
            shapes="(1, boxes, 5 + classes)", possible=_tables_of_objectness, decode=_with_objectness
        ),
        "nms": Layout(shapes="(1, boxes, 6)", possible=_a_table(rows=0, columns=6), decode=_suppressed),
        "darknet-boxes": Layout(
            shapes="(1, boxes, 1, 4) with (1, boxes, classes)",
            possible=_two_of_shares,
            decode=_boxes_and_scores,
        ),
        "darknet-maps": Layout(
            shapes="(1, anchors × (5 + classes), rows, columns) a scale",
            possible=_equally_deep_maps,
            decode=_maps,
        ),
    }
)


def anchors_problem(shapes: Shapes, anchors: Anchors | None) -> str | None:
    """Return what is wrong with the anchors of raw maps, or None.

    Parameters
    ----------
    shapes
        Of the outputs, such as ``(1, 18, 13, 13)``.
    anchors
        As given by the user.
    """
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
