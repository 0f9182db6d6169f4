"""Where a hand is seen from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from handprep.errors import InputError
from rendering.vectors import Array, Rng, move

HAND_SHARE = (0.20, 0.75)  # length of the hand in the image, as a share of the image's height
MARGIN = 4  # pixels between the hand and the image's edge
TRIES = 10_000  # usual sizes take 1 to 30
TILT = 28.0  # degrees up or down and to each side: at most 40 off the palm's normal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """A camera without distortion, which looks along its own -z with y up.

    Attributes
    ----------
    focal
        Focal length in pixels.
    view
        ``(4, 4)`` matrix from the hand's axes at rest to the camera's.
    size
        ``(2,)`` width and height of the image in pixels.
    """

    focal: float
    view: Array
    size: Array

    def depths(self, points: Array) -> Array:
        """Return how far before the camera (N, 3) points lie."""
        return -move(self.view, points)[:, 2]

    def project(self, points: Array) -> Array:
        """Return the (N, 2) pixels at which (N, 3) points are seen."""
        seen = move(self.view, points)
        scale = self.focal / np.maximum(-seen[:, 2:], 1e-3)
        return self.size / 2 + scale * seen[:, :2] * [1, -1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """The points of a posed hand that decide where a camera may stand.

    Attributes
    ----------
    up, palm
        Unit vectors to the fingers and out of the palm.
    length
        From the wrist to the middle finger's tip at rest, in the same unit as the points.
    joints
        ``(21, 3)``.
    surface
        ``(N, 3)`` points of the hand without its forearm.
    arm_end
        ``(M, 3)`` points where the mesh of the forearm ends.
    """

    up: Array
    palm: Array
    length: float
    joints: Array
    surface: Array
    arm_end: Array


def aim(subject: Subject, size: Array, rng: Rng, *, tilt: float = TILT) -> Camera:
    """Return a random camera that sees the whole hand, from its palm or its back, and no arm's end.

    It stands off the palm's normal by `tilt` degrees at most, up or down, and as much to a side.

    Raises
    ------
    InputError
        If none is found, as with images that are much taller than wide.
    """
    facing = subject.palm * rng.choice([-1, 1])
    axes = np.stack([np.cross(subject.up, facing), subject.up, facing])
    for _ in range(TRIES):
        camera = _try(subject, axes, size, rng, tilt)
        if _frames(camera, subject):
            return camera
    raise InputError(f"found no camera for an image of {size[0]}x{size[1]} pixels; try a wider one")


def _try(subject: Subject, axes: Array, size: Array, rng: Rng, tilt: float) -> Camera:
    """Return a random camera at the distance that gives the hand its wanted length in the image."""
    focal = size[1] / 2 / np.tan(rng.uniform(0.45, 0.85) / 2)
    ray = np.array([*rng.uniform(-0.4, 0.4, 2) * size / focal, -1])
    angles = rng.uniform((-180, -tilt, -tilt), (180, tilt, tilt))
    to_ray = Rotation.align_vectors([-ray], [[0, 0, 1]])[0]
    view = np.eye(4)
    view[:3, :3] = (to_ray * Rotation.from_euler("ZXY", angles, degrees=True)).as_matrix() @ axes
    wanted = rng.uniform(*HAND_SHARE) * size[1]
    distance = focal * subject.length / wanted
    camera = Camera(focal=focal, view=view, size=size)
    for _ in range(3):  # perspective makes the size not quite proportional to the distance
        view[:3, 3] = ray * distance - view[:3, :3] @ subject.surface.mean(0)
        spots = camera.project(subject.joints)
        distance *= np.linalg.norm(spots[:, None] - spots, axis=2).max() / wanted
    return camera


def _frames(camera: Camera, subject: Subject) -> bool:
    """Tell whether the whole hand is in the image and the forearm runs out of it."""
    hand, end = camera.project(subject.surface), camera.project(subject.arm_end)
    hidden = bool((end < 0).all(0).any() or (end > camera.size).all(0).any())
    in_front = bool(camera.depths(subject.arm_end).min() > 0.3)
    whole = bool(hand.min() > MARGIN and (hand < camera.size - MARGIN).all())
    return hidden and in_front and whole
