"""The right hand and forearm of a random person: the MakeHuman mesh, its rig and its shape targets."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import trimesh
from numpy.typing import NDArray

from rendering.vectors import Array, Rng, across, move, turn_about, unit

THUMB, INDEX, MIDDLE, RING, PINKY = FINGERS = (1, 2, 3, 4, 5)
LONG_FINGERS = (INDEX, MIDDLE, RING, PINKY)
WRIST = "wrist.R"
FOREARM = "lowerarm01.R"
FOREARM_START = 0.6  # decimetres from the elbow: far enough to be free of the upper arm's influence
FULLY_RIGGED = 0.98  # a vertex whose weights of hand and forearm add up to this moves with no other bone

Pose: TypeAlias = dict[str, Array]  # (3, 3) turn of each moved bone about its head, in axes of the rest pose
Matrices: TypeAlias = dict[str, Array]  # (4, 4) of every bone


def bone(finger: int, joint: int) -> str:
    """Return the rig's name for a bone of a finger; joint 1 is the nearest to the wrist."""
    return f"finger{finger}-{joint}.R"


@dataclass(frozen=True, kw_only=True, eq=False)
class RiggedHand:
    """A right hand and forearm of one body shape, at rest. Lengths are decimetres.

    Attributes
    ----------
    vertices
        ``(V, 3)`` float64.
    faces
        ``(F, 3)`` integer triangles.
    weights
        ``(V, B)`` float64: how much each bone moves each vertex; rows add up to 1.
    parents
        Parent of each bone, in the order of the weights' columns, parents first.
    heads, tails
        Where each bone starts and ends.
    """

    vertices: Array
    faces: NDArray[np.intp]
    weights: Array
    parents: dict[str, str]
    heads: dict[str, Array]
    tails: dict[str, Array]

    @cached_property
    def up(self) -> Array:
        """Unit vector from the wrist to the middle finger's knuckle."""
        return unit(self.heads[bone(MIDDLE, 1)] - self.heads[WRIST])

    @cached_property
    def palm(self) -> Array:
        """Unit vector out of the palm."""
        index, pinky = (self.heads[bone(f, 1)] - self.heads[WRIST] for f in (INDEX, PINKY))
        return unit(across(np.cross(index, pinky), self.up))

    @cached_property
    def ulnar(self) -> Array:
        """Unit vector to the little finger's side."""
        side = np.cross(self.palm, self.up)
        knuckles = self.heads[bone(PINKY, 1)] - self.heads[bone(INDEX, 1)]
        return side * float(np.sign(knuckles @ side))

    @cached_property
    def length(self) -> float:
        """Distance from the wrist to the tip of the middle finger."""
        return float(np.linalg.norm(self.tails[bone(MIDDLE, 3)] - self.heads[WRIST]))

    def along(self, name: str) -> Array:
        """Return the unit vector along a bone."""
        return unit(self.tails[name] - self.heads[name])

    def pad(self, name: str) -> Array:
        """Return the unit vector out of the soft side of a finger's bone; the thumb's is half sideways."""
        side = self.palm + 0.9 * self.ulnar if name.startswith("finger1") else self.palm
        return unit(across(side, self.along(name)))

    def matrices(self, pose: Pose) -> Matrices:
        """Return the (4, 4) matrix of every bone in a pose."""
        placed: Matrices = {}
        for name, parent in self.parents.items():
            own = turn_about(self.heads[name], pose.get(name, np.eye(3)))
            placed[name] = placed.get(parent, np.eye(4)) @ own
        return placed

    def posed(self, matrices: Matrices) -> Array:
        """Return the (V, 3) vertices in a pose, by linear blend skinning."""
        blend = np.einsum("vb,bij->vij", self.weights, [matrices[name] for name in self.parents])
        return np.einsum("vij,vj->vi", blend[:, :3, :3], self.vertices) + blend[:, :3, 3]

    def landmarks(self, matrices: Matrices) -> Array:
        """Return the (21, 3) joints in a pose, in MediaPipe's order."""
        rest = [(WRIST, self.heads)]
        for finger in FINGERS:
            rest += [(bone(finger, joint), self.heads) for joint in (1, 2, 3)]
            rest += [(bone(finger, 3), self.tails)]
        return np.array([move(matrices[name], ends[name]) for name, ends in rest])


class Body:
    """The MakeHuman base mesh of which every hand is a variation.

    Parameters
    ----------
    folder
        The data of MakeHuman as `rendering.assets.find` gives it: ``3dobjs``, ``rigs``, ``targets``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._vertices, self._groups = read_obj(folder / "3dobjs/base.obj")
        self._rig: dict[str, Any] = json.loads((folder / "rigs/standard/rig.default.json").read_text())
        parts = ("lowerarm", "wrist", "metacarpal", "finger")  # parents first
        self._parents = {
            name: str(self._rig[name]["parent"])
            for part in parts
            for name in sorted(self._rig)
            if name.startswith(part) and name.endswith(".R")
        }
        weights = self._read_weights()
        triangles = trimesh.geometry.triangulate_quads(self._faces_of_arm(weights))
        self._kept, faces = np.unique(triangles, return_inverse=True)
        self._faces = faces.reshape(-1, 3)
        self._weights = weights[self._kept] / weights[self._kept].sum(1, keepdims=True)

    def sample(self, rng: Rng) -> RiggedHand:
        """Return the hand of a person of random sex, age, origin and build."""
        shape = self._vertices + self._person(rng)
        heads, tails = (
            {name: self._joint(shape, name, end) for name in self._parents} for end in ("head", "tail")
        )
        return RiggedHand(
            vertices=shape[self._kept],
            faces=self._faces,
            weights=self._weights,
            parents=self._parents,
            heads=heads,
            tails=tails,
        )

    def _person(self, rng: Rng) -> Array:
        """Return the vertex offsets of a random person."""
        sex = rng.choice(["female", "male"])
        age = rng.choice(["child", "young", "old"], p=[0.25, 0.5, 0.25])
        muscle, weight = rng.choice(["min", "average", "max"], 2, p=[0.2, 0.6, 0.2])
        offsets = self._target(f"macrodetails/universal-{sex}-{age}-{muscle}muscle-{weight}weight")
        for share, origin in zip(rng.dirichlet([0.6] * 3), ("african", "asian", "caucasian"), strict=True):
            offsets += share * self._target(f"macrodetails/{origin}-{sex}-{age}")
        return offsets + rng.uniform(0, 0.7) * self._target("hands/r-hand-fingers-diameter-incr")

    def _target(self, name: str) -> Array:
        """Return the (V, 3) vertex offsets of a shape target."""
        offsets = np.zeros_like(self._vertices)
        with gzip.open(self._folder / f"targets/{name}.target.gz", "rt") as lines:
            for vertex, *offset in (line.split() for line in lines if line[0].isdigit()):
                offsets[int(vertex)] = [float(number) for number in offset]
        return offsets

    def _read_weights(self) -> Array:
        """Return the (V, B) weights of the bones of hand and forearm on the whole body."""
        path = self._folder / "rigs/standard/weights.default.json"
        shares = json.loads(path.read_text())["weights"]
        weights = np.zeros((len(self._vertices), len(self._parents)))
        for column, name in enumerate(self._parents):
            for vertex, weight in shares[name]:
                weights[vertex, column] = weight
        return weights

    def _faces_of_arm(self, weights: Array) -> list[list[int]]:
        """Return the faces of the body's skin that belong to hand and forearm."""
        elbow, wrist = (self._joint(self._vertices, name, "head") for name in (FOREARM, WRIST))
        below_elbow = (self._vertices - elbow) @ unit(wrist - elbow) > FOREARM_START
        inside = below_elbow & (weights.sum(1) > FULLY_RIGGED)
        return [face for face in self._groups["body"] if inside[face].all()]

    def _joint(self, vertices: Array, name: str, end: str) -> Array:
        """Return head or tail of a bone: the middle of given vertices or of a small cube in the mesh."""
        place = self._rig[name][end]
        chosen = place.get("vertex_indices") or np.unique(self._groups[place["cube_name"]])
        middle: Array = vertices[chosen].mean(0)
        return middle


def read_obj(path: Path) -> tuple[Array, dict[str, list[list[int]]]]:
    """Return the (V, 3) vertices of a Wavefront file and the faces of each of its groups."""
    points: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    group: list[list[int]] = []
    for line in path.read_text().splitlines():
        match line.split():
            case ["v", *numbers]:
                points.append([float(number) for number in numbers])
            case ["g", name]:
                group = groups.setdefault(name, [])
            case ["f", *corners]:
                group.append([int(corner.split("/")[0]) - 1 for corner in corners])
    return np.array(points), groups
