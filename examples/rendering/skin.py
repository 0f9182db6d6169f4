"""The colour of skin at every point of a hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from rendering.body import FINGERS, RiggedHand, bone
from rendering.vectors import Array, Rng

# fmt: off
TONES = np.array([  # (8, 3) sRGB albedo, from very light to very dark
    (244, 214, 196), (236, 196, 168), (222, 174, 142), (200, 146, 112),
    (166, 112, 80), (128, 82, 57), (98, 62, 45), (74, 48, 37)]) / 255
# fmt: on
PALE = np.array([0.86, 0.66, 0.56])  # what palms tend to, the more the darker the skin
BLOOD = np.array([0.02, 0.16, 0.14])  # share of red, green and blue that well supplied skin takes away
GAMMA = 2.2  # OpenGL wants linear colours


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """The points to paint: (N, 3) positions and normals, lengths as shares of the hand's."""

    hand: RiggedHand
    points: Array
    normals: Array

    def offsets(self, centre: Array) -> tuple[Array, Array]:
        """Return the (N, 3) offsets from a point and their (N,) lengths."""
        offsets = (self.points - centre) / self.hand.length
        return offsets, np.linalg.norm(offsets, axis=1)


def tone(level: float) -> Array:
    """Return an sRGB albedo between those of `TONES`, 0 the lightest and 7 the darkest."""
    levels = np.arange(len(TONES))
    return np.array([np.interp(level, levels, channel) for channel in TONES.T])


def paint(hand: RiggedHand, mesh: trimesh.Trimesh, albedo: Array, rng: Rng) -> Array:
    """Return the (N, 4) linear RGBA of every vertex of a hand's finer mesh at rest.

    Skin is blotchy, paler in the palm, red at knuckles and finger tips, dark in creases; nails differ.
    """
    surface = _Surface(hand, mesh.vertices, mesh.vertex_normals)
    colour = _blotchy(surface, albedo, rng)
    colour += _palm(surface, albedo) * (PALE - colour)
    red = np.zeros(len(surface.points))
    for finger in FINGERS:
        red = np.maximum(red, _redness(surface, finger))
        colour = _creased(surface, finger, colour)
        nail = 0.5 * _nail(surface, finger)[:, None]
        colour += nail * (0.75 * albedo + np.array([0.25, 0.19, 0.18]) - colour)
    colour *= 1 - red[:, None] * rng.uniform(0.3, 1) * BLOOD
    return np.c_[np.clip(colour, 0.01, 1) ** GAMMA, np.ones(len(colour))]


def _blotchy(surface: _Surface, albedo: Array, rng: Rng) -> Array:
    """Return (N, 3) colours: the albedo under a sum of random waves."""
    waves = rng.normal(size=(24, 3)) * rng.uniform(4, 40, (24, 1)) / surface.hand.length
    blotches = np.sin(surface.points @ waves.T + rng.uniform(0, 6.3, 24)).mean(1)[:, None]
    return albedo * (1 + blotches * np.array([0.13, 0.22, 0.22]))


def _palm(surface: _Surface, albedo: Array) -> Array:
    """Return (N, 1) shares of palm colour."""
    palmar = np.clip(surface.normals @ surface.hand.palm, 0, 1)[:, None]
    return palmar * 0.45 * (1 - albedo.mean()) ** 2


def _redness(surface: _Surface, finger: int) -> Array:
    """Return (N,) shares of red: the back of each joint, and the tip all around."""
    hand = surface.hand
    _, away = surface.offsets(hand.tails[bone(finger, 3)])
    red = 0.8 * np.exp(-((away / 0.07) ** 2))
    for joint in (1, 2, 3):
        name = bone(finger, joint)
        _, away = surface.offsets(hand.heads[name])
        back = np.clip(-(surface.normals @ hand.pad(name)), 0, 1)
        red = np.maximum(red, np.exp(-((away / 0.075) ** 2)) * back)
    return red


def _creased(surface: _Surface, finger: int, colour: Array) -> Array:
    """Return the (N, 3) colours with the folds on the soft side of the two outer joints."""
    hand = surface.hand
    for name in (bone(finger, 2), bone(finger, 3)):
        offsets, away = surface.offsets(hand.heads[name])
        crease = np.exp(-((offsets @ hand.along(name) / 0.008) ** 2)) * (away < 0.08)
        front = np.clip(surface.normals @ hand.pad(name) + 0.2, 0, 1)
        colour = colour * (1 - 0.15 * (crease * front))[:, None]
    return colour


def _nail(surface: _Surface, finger: int) -> Array:
    """Return (N,) shares of nail: on the back of the end bone, up to its tip."""
    hand, name = surface.hand, bone(finger, 3)
    offsets, away = surface.offsets(hand.tails[name])
    back = np.clip(-4 * (surface.normals @ hand.pad(name)) - 2, 0, 1)
    end = np.clip(4 - away / 0.018, 0, 1) * np.clip(offsets @ hand.along(name) / 0.01 + 6, 0, 1)
    return back * end
