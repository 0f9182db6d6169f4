"""One image from its random numbers, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh

from rendering import light, pose, skin
from rendering.background import BACKGROUNDS, Canvas
from rendering.body import WRIST, Body, Matrices, RiggedHand
from rendering.camera import TILT, Camera, Subject, aim
from rendering.exposure import Photo, expose
from rendering.vectors import Array, Rng

REFINEMENT = 2  # rounds of Loop's subdivision, from 1,769 vertices to 28,169


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A rendered photo with its exact ground truth, in continuous pixel coordinates.

    Attributes
    ----------
    photo
        Image and alpha.
    label
        Name of the gesture.
    handedness
        ``"Left"`` or ``"Right"``: the hand that is shown.
    side
        ``"palm"`` or ``"back"``: the side of the hand that the camera sees.
    background
        Name of the background.
    box
        ``(2, 2)`` pixels: least and greatest x, y of the hand without its forearm.
    landmarks
        ``(21, 2)`` pixels in MediaPipe's order, hidden ones too.
    albedo
        ``(3,)`` sRGB 0 … 1 of the skin before light falls on it.
    """

    photo: Photo
    label: str
    handedness: str
    side: str
    background: str
    box: Array
    landmarks: Array
    albedo: Array

    def annotation(self) -> dict[str, Any]:
        """Return all but the photo as JSON values; pixels to one decimal."""
        image, mask = self.photo.image, self.photo.mask
        height, width, _ = image.shape
        return {
            "class": self.label,
            "handedness": self.handedness,
            "side": self.side,
            "background": self.background,
            "size": [width, height],
            "box": self.box.ravel().round(1).tolist(),
            "landmarks": self.landmarks.round(1).tolist(),
            "skin_albedo": (self.albedo * 255).round().astype(int).tolist(),
            "skin_visible": np.median(image[mask > 0], axis=0).round().astype(int).tolist(),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """A drawn hand before nothing, in continuous pixel coordinates of the image to come.

    Attributes
    ----------
    colour, depth
        What `rendering.light.draw` gives.
    crease
        Reach of the shade in folds, in drawn pixels.
    handedness, side, box, landmarks, albedo
        As in `Picture`.
    """

    colour: Array
    depth: Array
    crease: float
    handedness: str
    side: str
    box: Array
    landmarks: Array
    albedo: Array


def make(body: Body, label: str, background: str, size: tuple[int, int], rng: Rng) -> Picture:
    """Return a random image.

    Parameters
    ----------
    body
        The mesh that all hands come from.
    label
        A key of `rendering.pose.GESTURES`.
    background
        A key of `rendering.background.BACKGROUNDS`.
    size
        Width and height in pixels.
    rng
        Everything that is random comes from it, in an order that must stay: a change gives other images.
    """
    hand = body.sample(rng)
    shot = shoot(hand, pose.sample(hand, pose.GESTURES[label], rng), size, rng)
    scene = BACKGROUNDS[background](Canvas.sample(*size, rng))
    return Picture(
        photo=expose(shot.colour, shot.depth, shot.crease, scene, rng),
        label=label,
        handedness=shot.handedness,
        side=shot.side,
        background=background,
        box=shot.box,
        landmarks=shot.landmarks,
        albedo=shot.albedo,
    )


def shoot(
    hand: RiggedHand, chosen: pose.Pose, size: tuple[int, int], rng: Rng, *, tilt: float = TILT
) -> Shot:
    """Return a hand in a pose, seen by a random camera under random lamps, before nothing.

    Parameters
    ----------
    hand
        A person's hand at rest.
    chosen
        The turns of its bones.
    size
        Width and height of the image in pixels.
    rng
        Where camera, skin, lamps and side come from.
    tilt
        See `rendering.camera.aim`.
    """
    matrices = hand.matrices(chosen)
    rest, posed = _refined(hand, matrices)
    subject = subject_of(hand, matrices, rest, posed)
    camera = aim(subject, np.array(size), rng, tilt=tilt)
    landmarks, outline = camera.project(subject.joints), camera.project(subject.surface)
    box = np.array([outline.min(0), outline.max(0)])
    albedo = skin.tone(rng.uniform(0, len(skin.TONES) - 1))
    posed.apply_transform(camera.view)
    colour, depth = light.draw(posed, skin.paint(hand, rest, albedo, rng), camera, rng)
    crease = 0.06 * light.SUPERSAMPLE * float(np.linalg.norm(box[1] - box[0]))
    left = rng.random() < 0.5
    if left:  # a left hand is the mirror image of a right hand
        colour, depth = colour[:, ::-1], depth[:, ::-1]
        landmarks[:, 0], box[:, 0] = size[0] - landmarks[:, 0], size[0] - box[::-1, 0]
    return Shot(
        colour=colour,
        depth=depth,
        crease=crease,
        handedness="Left" if left else "Right",
        side=_side(subject, camera),
        box=box,
        landmarks=landmarks,
        albedo=albedo,
    )


def _refined(hand: RiggedHand, matrices: Matrices) -> tuple[trimesh.Trimesh, trimesh.Trimesh]:
    """Return the smoothed surface at rest and in the pose; vertices of both are in the same order."""
    rest, posed = (
        trimesh.Trimesh(vertices, hand.faces, process=False).subdivide_loop(REFINEMENT)
        for vertices in (hand.vertices, hand.posed(matrices))
    )
    return rest, posed


def subject_of(
    hand: RiggedHand, matrices: Matrices, rest: trimesh.Trimesh, posed: trimesh.Trimesh
) -> Subject:
    """Return what a camera aims at: a posed hand, its vertices beyond the wrist, and where its arm ends."""
    turned = matrices[WRIST][:3, :3]
    beyond_wrist = (rest.vertices - hand.heads[WRIST]) @ hand.up > 0
    rim = rest.edges[trimesh.grouping.group_rows(rest.edges_sorted, 1)]  # edges of one face only
    return Subject(
        up=turned @ hand.up,
        palm=turned @ hand.palm,
        length=hand.length,
        joints=hand.landmarks(matrices),
        surface=posed.vertices[beyond_wrist],
        arm_end=posed.vertices[rim.ravel()],
    )


def _side(subject: Subject, camera: Camera) -> str:
    """Tell which side is seen, from the palm's normal and the line of sight to the middle knuckle."""
    turned, placed = camera.view[:3, :3], camera.view[:3, 3]
    knuckle = turned @ subject.joints[9] + placed
    return "palm" if turned @ subject.palm @ knuckle < 0 else "back"
