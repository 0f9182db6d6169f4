"""Vectors and turns in space, as plain arrays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array: TypeAlias = NDArray[np.float64]
Rng: TypeAlias = np.random.Generator


def unit(vector: Array) -> Array:
    """Return the vector scaled to length one."""
    return vector / np.linalg.norm(vector)


def across(vector: Array, axis: Array) -> Array:
    """Return the part of a vector that is at right angles to a unit axis."""
    return vector - axis * (vector @ axis)


def turn(axis: Array, degrees: float) -> Array:
    """Return the (3, 3) rotation matrix about a unit axis."""
    return Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()


def angle(start: Array, end: Array, axis: Array) -> float:
    """Return the degrees that turn one vector into another about a unit axis at right angles to both."""
    return float(np.degrees(np.arctan2(np.cross(start, end) @ axis, start @ end)))


def turn_about(point: Array, rotation: Array) -> Array:
    """Return the (4, 4) matrix of a (3, 3) rotation about a point."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, point - rotation @ point
    return matrix


def move(matrix: Array, points: Array) -> Array:
    """Return points of shape (..., 3) moved by a (4, 4) matrix."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]
