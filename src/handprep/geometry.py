"""Affine maps of the image plane, as plain 2x3 matrices.

Pixel coordinates are continuous: (0, 0) is the outer corner of the top-left pixel, whose centre lies
at (0.5, 0.5), and an image ends at (width, height). Boxes and landmarks use them, and so does
MediaPipe. OpenCV's warps count pixel centres instead; `in_pixel_centres` changes over.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Affine: TypeAlias = NDArray[np.float64]  # (2, 3): [x', y'] = A[:, :2] @ [x, y] + A[:, 2]
Points: TypeAlias = NDArray[np.float32]  # (N, 2) x, y
Box: TypeAlias = tuple[float, float, float, float]  # x0, y0, x1, y1; x1 and y1 are outside


def identity() -> Affine:
    """Return the map that leaves every point where it is."""
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def scaling(x: float, y: float) -> Affine:
    """Return the map that scales about the origin."""
    return np.array([[x, 0.0, 0.0], [0.0, y, 0.0]])


def translation(x: float, y: float) -> Affine:
    """Return the map that shifts by (x, y) pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def rotation(radians: float) -> Affine:
    """Return the map that turns about the origin; with y down, positive angles turn clockwise."""
    c, s = np.cos(radians), np.sin(radians)
    return np.array([[c, -s, 0.0], [s, c, 0.0]])


def mirroring(width: float) -> Affine:
    """Return the map that mirrors an image of the given width left to right."""
    return np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0]])


def compose(*maps: Affine) -> Affine:
    """Return one map that applies the given ones (at least one) in turn, the first one first."""
    total, *others = maps
    for matrix in others:
        (a, b, x), (c, d, y) = total.tolist()
        (p, q, u), (r, s, v) = matrix.tolist()  # written out for the same reason as in `invert`
        total = np.array(
            [
                [p * a + q * c, p * b + q * d, p * x + q * y + u],
                [r * a + s * c, r * b + s * d, r * x + s * y + v],
            ]
        )
    return total


def invert(matrix: Affine) -> Affine:
    """Return the map that undoes the given one."""
    (a, b, x), (c, d, y) = matrix.tolist()  # written out: numpy's inverse takes several times as long
    return np.array([[d, -b, b * y - d * x], [-c, a, c * x - a * y]]) / _area(matrix)


def apply(matrix: Affine, points: ArrayLike) -> NDArray[np.float64]:
    """Map points of shape (..., 2)."""
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]


def apply_to_box(matrix: Affine, box: Box) -> Box:
    """Return the smallest upright box around the mapped corners of a box."""
    x0, y0, x1, y1 = box
    return enclosing_box(apply(matrix, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))


def enclosing_box(points: ArrayLike) -> Box:
    """Return the smallest upright box around points of shape (N, 2)."""
    array = np.asarray(points, dtype=np.float64)
    (x0, y0), (x1, y1) = array.min(0).tolist(), array.max(0).tolist()
    return x0, y0, x1, y1


def iou(box: Box, other: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    both = max(0.0, width) * max(0.0, height)
    areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return both / (areas - both) if both else 0.0


def mirrors(matrix: Affine) -> bool:
    """Tell whether a map turns a left hand into a right hand."""
    return _area(matrix) < 0


def scale_of(matrix: Affine) -> float:
    """Return how many target pixels one source pixel is long, as the geometric mean of both axes."""
    return math.sqrt(abs(_area(matrix)))


def nearest_turn(matrix: Affine) -> NDArray[np.float64]:
    """Return the ``(2, 2)`` rotation, or mirrored rotation, nearest to a map: its polar decomposition's."""
    (a, b, _), (c, d, _) = matrix.tolist()
    side = -1.0 if mirrors(matrix) else 1.0
    cosine, sine = a + side * d, c - side * b
    length = math.hypot(cosine, sine) or 1.0
    return np.array([[cosine, -side * sine], [sine, side * cosine]]) / length


def _area(matrix: Affine) -> float:
    """Return the signed area of the unit square's image: the determinant."""
    (a, b, _), (c, d, _) = matrix.tolist()
    return float(a * d - b * c)


def in_pixel_centres(matrix: Affine) -> Affine:
    """Return the same map for coordinates that count pixel centres, as OpenCV's warps do."""
    return compose(translation(0.5, 0.5), matrix, translation(-0.5, -0.5))
