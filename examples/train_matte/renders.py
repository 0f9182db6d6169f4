"""Rendered hands with exact alpha, in any pose: python -m train_matte.renders OUT [--assets DIR].

A third of them hold a simple body (a box, a cup, a pen, a ball), and a fifth meet a second hand. Such a
image has two layers: the hand, without what hides it, and all of the other thing. Needs
``handprep[examples]`` and EGL, as render_hands.py beside this package does. A run that was stopped goes on
with the next shard.
"""

from __future__ import annotations

import argparse
import copy
from functools import lru_cache
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from handprep.errors import InputError
from rendering import assets, camera, exposure, light, pose, skin
from rendering.body import LONG_FINGERS, WRIST, Body, Matrices, Pose, RiggedHand
from rendering.camera import Subject, aim
from rendering.picture import subject_of
from rendering.vectors import Array, Rng, move, turn, unit
from train_matte import cutouts
from train_matte.studio import Mesh, Studio, shade, straight

SEED = 30_000  # examples/rendered-hands has seed 0
SHARD = 50
POSES_A_PERSON = 8
PICTURE = (320, 320)
TILTS = (28.0, 75.0, 88.0)  # degrees off palm or back: frontal, from all sides, along the arm
SMALLEST = 90  # pixels of the landmarks' box; smaller hands have no edges to learn from
KINDS = {"plain": 0.45, "thing": 0.33, "hand": 0.22}
BOX_FACES = 12
WHITE = np.array([0.8, 0.8, 0.8, 1.0])  # of things, which are painted when a training image is made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--shards", type=int, default=60, help=f"of {SHARD} images each (60)")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard (0)")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--assets", type=Path, required=True, help="folder to keep the body model in")
    options = parser.parse_args()
    camera.TRIES = 150
    Body._target = lru_cache(maxsize=400)(Body._target)
    studio = Studio(Body(assets.find(options.assets)), PICTURE)
    for number in tqdm(
        range(options.first, options.first + options.shards * options.step, options.step), unit="shard"
    ):
        path = options.out / f"renders-{number:04d}.npz"
        if not path.exists():
            cutouts.save(path, shard(studio, number))


def shard(studio: Studio, number: int) -> list[cutouts.Cutout]:
    """Render the hands of one shard; the number decides everything about them."""
    made: list[cutouts.Cutout] = []
    rng = np.random.default_rng([SEED, number])
    while len(made) < SHARD:
        hand = studio.body.sample(rng)
        rest = studio.surface(hand.vertices)
        for _ in range(POSES_A_PERSON):
            try:
                made.append(one(studio, hand, rest, rng, f"renders/{number:04d}"))
            except InputError:  # no camera sees this pose whole
                continue
    return made[:SHARD]


def one(studio: Studio, hand: RiggedHand, rest: trimesh.Trimesh, rng: Rng, group: str) -> cutouts.Cutout:
    """Return one image before nothing."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    chosen = grasp(hand, rng) if kind == "thing" else any_pose(hand, rng)
    matrices = hand.matrices(chosen)
    posed = studio.surface(hand.posed(matrices))
    subject = subject_of(hand, matrices, rest, posed)
    view = aim(subject, np.array(PICTURE), rng, tilt=rng.choice(TILTS, p=(0.3, 0.4, 0.3)))
    landmarks = view.project(subject.joints)
    if np.ptp(landmarks, axis=0).max() < SMALLEST:
        raise InputError("too small")
    albedo = skin.tone(rng.uniform(0, len(skin.TONES) - 1))
    paint = skin.paint(hand, rest, albedo, rng)
    lamps = copy.deepcopy(rng)
    posed.apply_transform(view.view)
    colour, depth = studio.draw(Mesh(posed.vertices, posed.vertex_normals, posed.faces, paint), view, rng)
    its_colour, its_depth = np.zeros_like(colour), np.zeros_like(depth)
    if kind == "thing":
        other = thing(hand, matrices, subject, rng)
        other.apply_transform(view.view)
        its_colour, its_depth = studio.draw(white(other), view, copy.deepcopy(lamps))
    elif kind == "hand":
        other = second(studio, hand, posed, subject, rng)
        if rng.random() < 0.2:
            albedo = skin.tone(rng.uniform(0, len(skin.TONES) - 1))
        its_paint = skin.paint(hand, rest, albedo, rng)
        its_mesh = Mesh(other.vertices, other.vertex_normals, other.faces, its_paint)
        its_colour, its_depth = studio.draw(its_mesh, view, copy.deepcopy(lamps))
    box = np.ptp(view.project(subject.surface), axis=0)
    crease = 0.06 * light.SUPERSAMPLE * float(np.linalg.norm(box))
    before = (its_depth > 0) & ((depth == 0) | (its_depth < depth))
    nearest = np.where(before, its_depth, depth)
    dark = 1 - shade(nearest, crease)[..., None] * exposure.OCCLUSION
    visible = np.where(before, 0, depth)
    layers = [
        straight(exposure._shrunk(c * dark, d)) for c, d in ((colour, visible), (its_colour, its_depth))
    ]
    if visible.astype(bool).sum() < 0.35 * (depth > 0).sum():
        raise InputError("all but hidden")
    return cutout(layers, landmarks, group, kind, mirrored=rng.random() < 0.5)


def cutout(
    layers: list[NDArray[np.uint8]], landmarks: Array, group: str, kind: str, *, mirrored: bool
) -> cutouts.Cutout:
    """Return what is kept of an image's two layers."""
    if mirrored:
        layers = [layer[:, ::-1] for layer in layers]
        landmarks[:, 0] = PICTURE[0] - landmarks[:, 0]
    landmarks = landmarks.astype(np.float32)
    (pixels, there), (its, _) = (cutouts.cut(a[..., :3], a[..., 3], landmarks) for a in layers)
    if not layers[1][..., 3].any():
        return cutouts.Cutout(pixels=pixels, landmarks=there, group=group)
    return cutouts.Cutout(pixels=pixels, landmarks=there, group=group, other=its, kind=kind)


def white(thing: trimesh.Trimesh) -> Mesh:
    """Return a thing to be painted later; edges between few faces, as a box has them, are sharp."""
    corners, normals, faces = thing.vertices, thing.vertex_normals, thing.faces
    if len(faces) <= BOX_FACES:
        corners, normals = corners[faces].reshape(-1, 3), np.repeat(thing.face_normals, 3, axis=0)
        faces = np.arange(len(corners)).reshape(-1, 3)
    return Mesh(corners, normals, faces, np.tile(WHITE, (len(corners), 1)))


def any_pose(hand: RiggedHand, rng: Rng) -> Pose:
    """Return one of the gestures, or every finger bent by its own chance."""
    if rng.random() < 0.3:
        return pose.sample(hand, list(pose.GESTURES.values())[rng.integers(len(pose.GESTURES))], rng)
    fan, common, loose = rng.uniform(0.2, 1.8), rng.random(), rng.random() < 0.6
    bends = [np.clip(common + rng.normal(0, 0.35), 0, 1) if loose else rng.integers(2) for _ in LONG_FINGERS]
    return bent(hand, bends, fan, rng.uniform((-10, -25, -10, -5, -5), (35, 35, 30, 45, 50)), rng)


def grasp(hand: RiggedHand, rng: Rng) -> Pose:
    """Return a hand that is about to hold something, or points along it."""
    common = rng.uniform(0.1, 0.8)
    bends = np.clip(common + rng.normal(0, 0.12, 4), 0, 1)
    if rng.random() < 0.2:
        bends[rng.integers(4)] = rng.uniform(0, 0.15)
    return bent(hand, bends, rng.uniform(0.3, 1.4), rng.uniform((0, -25, 0, 0, 0), (38, 15, 30, 40, 45)), rng)


def bent(hand: RiggedHand, bends: list[float] | Array, fan: float, thumb: Array, rng: Rng) -> Pose:
    sideways, back = rng.uniform((-18, -35), (18, 35))
    turned = {WRIST: turn(hand.palm, sideways) @ turn(hand.ulnar, back)}
    for finger, bend in zip(LONG_FINGERS, bends, strict=True):
        flexions = bend * np.array([85.0, 100.0, 58.0]) + rng.uniform(-8, 12, 3)
        turned |= pose.bent_finger(hand, finger, flexions, fan * (1 - 0.6 * bend))
    return turned | pose.bent_thumb(hand, thumb)


def thing(hand: RiggedHand, matrices: Matrices, subject: Subject, rng: Rng) -> trimesh.Trimesh:
    """Return a simple body in the hand: a cup or stick, a pen, a box or card, a ball."""
    length, joints, out = hand.length, subject.joints, subject.palm
    side = np.cross(subject.up, out)
    hollow = joints[[5, 9, 13, 17]].mean(0) * 0.6 + joints[[0, 5, 9, 13, 17]].mean(0) * 0.4
    pinch = joints[[4, 8]].mean(0)
    kind = rng.choice(["cylinder", "pen", "box", "ball"], p=[0.3, 0.2, 0.35, 0.15])
    along = side
    if kind == "cylinder":
        radius = rng.uniform(0.05, 0.24) * length
        body = trimesh.creation.cylinder(radius=radius, height=rng.uniform(0.45, 1.5) * length, sections=40)
        centre = hollow + out * (radius + 0.09 * length) + side * rng.normal(0, 0.15) * length
    elif kind == "pen":
        radius = rng.uniform(0.015, 0.04) * length
        body = trimesh.creation.cylinder(radius=radius, height=rng.uniform(0.5, 1.1) * length, sections=24)
        centre, along = pinch, unit(rng.normal(0, 1, 3) + subject.up)
        centre = centre + along * rng.uniform(-0.3, 0.3) * length
    elif kind == "box":
        sizes = rng.uniform((0.25, 0.3, 0.02), (0.9, 1.3, 0.45)) * length
        body = trimesh.creation.box(sizes)
        centre = (hollow + out * (sizes[2] / 2 + 0.09 * length)) + rng.random() * (pinch - hollow)
        along = out
        body.apply_transform(trimesh.transformations.rotation_matrix(rng.uniform(0, np.pi), [0, 0, 1]))
    else:
        radius = rng.uniform(0.1, 0.33) * length
        body = trimesh.creation.icosphere(subdivisions=3, radius=radius)
        body.vertices *= rng.uniform(0.7, 1.2, 3)
        centre = hollow + out * (radius + 0.08 * length)
    along = unit(along + rng.normal(0, 0.25, 3))
    placed = np.eye(4)
    placed[:3, :3] = trimesh.geometry.align_vectors([0, 0, 1], along)[:3, :3]
    placed[:3, 3] = centre + rng.normal(0, 0.04, 3) * length
    body.apply_transform(placed)
    return body


def second(
    studio: Studio, hand: RiggedHand, posed: trimesh.Trimesh, subject: Subject, rng: Rng
) -> trimesh.Trimesh:
    """Return a second hand, in the camera's axes, that touches or crosses the first: mostly the other one."""
    matrices = hand.matrices(any_pose(hand, rng))
    other = studio.surface(hand.posed(matrices))
    middle = hand.landmarks(matrices)[9]
    vertices = other.vertices - middle
    if rng.random() < 0.75:
        vertices = vertices * [-1, 1, 1]
        other = trimesh.Trimesh(vertices, other.faces[:, ::-1], process=False)
    turned = (
        Rotation.random(rng=rng)
        if rng.random() < 0.5
        else Rotation.from_euler("zxy", rng.uniform((-180, -50, -50), (180, 50, 50)), degrees=True)
    )
    first = move(np.eye(4), posed.vertices).mean(0)
    angle = rng.uniform(0, 2 * np.pi)
    off = rng.uniform(0.2, 0.85) * hand.length * np.array([np.cos(angle), np.sin(angle), 0])
    off[2] = rng.choice([-1, 1]) * rng.uniform(0.02, 0.35) * hand.length
    vertices = turned.apply(vertices) + first + off
    return trimesh.Trimesh(vertices, other.faces, process=False)


if __name__ == "__main__":
    main()
