"""What is behind the hand: computed surfaces and scenes, without any photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter

from rendering.skin import TONES
from rendering.vectors import Array, Rng


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """An empty image with what most backgrounds need.

    Attributes
    ----------
    rng
        Where a background takes its random numbers from.
    x, y
        ``(H, W, 1)`` pixel coordinates.
    u, v
        ``(H, W, 1)`` the same, turned by a random angle.
    colour
        ``(3,)`` RGB about 0.2 … 0.85.
    light
        ``(H, W, 1)`` slow differences in brightness around 1.
    """

    rng: Rng
    x: Array
    y: Array
    u: Array
    v: Array
    colour: Array
    light: Array

    @classmethod
    def sample(cls, width: int, height: int, rng: Rng) -> Canvas:
        """Return a canvas of random angle, colour and light."""
        y, x = np.mgrid[:height, :width].astype(np.float64)[..., None]
        angle, colour = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.75) + rng.uniform(-0.1, 0.1, 3)
        u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        light = 0.85 + 0.3 * smooth_noise(width, height, rng.uniform(50, 150), rng)
        return cls(rng=rng, x=x, y=y, u=u, v=v, colour=colour, light=light)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width, _ = self.x.shape
        return width, height

    def noise(self, cell: float) -> Array:
        """Return an ``(H, W, 1)`` smooth random field in 0 … 1 with features of `cell` pixels."""
        return smooth_noise(*self.size, cell, self.rng)


Background: TypeAlias = Callable[[Canvas], Array]  # gives (H, W, 3) RGB, which may leave 0 … 1


def smooth_noise(width: int, height: int, cell: float, rng: Rng) -> Array:
    """Return an ``(H, W, 1)`` smooth random field in 0 … 1 with features of `cell` pixels."""
    noise = gaussian_filter(rng.random((height, width)), cell / 2)[..., None]
    return np.asarray((noise - noise.min()) / np.ptp(noise))


def wall(canvas: Canvas) -> Array:
    """One colour, darker to one side."""
    slope = canvas.rng.uniform(-0.4, 0.4)
    return canvas.colour * canvas.light * (1 + slope * canvas.u / canvas.size[0])


def far_scene(canvas: Canvas) -> Array:
    """Something out of focus: colours at several scales."""
    image = np.zeros(3)
    for cell in (140, 60, 25):
        image = image + (canvas.noise(cell) - 0.5) * canvas.rng.uniform(0.3, 0.9, 3) * cell / 250
    return canvas.colour + image


def wood(canvas: Canvas) -> Array:
    """Boards with a grain and dark gaps between them."""
    rng = canvas.rng
    rings = (canvas.v + 25 * canvas.noise(150)) / rng.uniform(2, 5)
    grain = np.sin(rings + 4 * canvas.noise(70))
    gap = canvas.v % rng.uniform(60, 130) < 2
    light = canvas.light * ((1 + 0.07 * grain) * (1 - 0.5 * gap))
    return np.array([0.62, 0.46, 0.31]) * rng.uniform(0.5, 1.4) * light


def tiles(canvas: Canvas) -> Array:
    """Two colours in squares."""
    side = canvas.rng.uniform(30, 90)
    odd = (canvas.u // side + canvas.v // side) % 2
    return (canvas.colour + canvas.rng.uniform(-0.25, 0.25) * odd) * canvas.light


def clutter(canvas: Canvas) -> Array:
    """Many flat shapes, little or much out of focus."""
    rng, (width, height) = canvas.rng, canvas.size
    image = canvas.colour * canvas.light
    count = rng.integers(15, 45)
    for fill in rng.uniform(0.12, 0.88, (count, 1)):
        right, down, *reach = rng.uniform((0, 0, 5, 5), (width, height, 80, 55))
        offset = np.dstack([canvas.x - right, canvas.y - down]) / reach
        inside = np.linalg.norm(offset, axis=2, ord=rng.choice([2, np.inf]))[..., None] < 1
        image = np.where(inside, np.clip(fill + rng.uniform(-0.2, 0.2, 3), 0, 1), image)
    return np.asarray(gaussian_filter(image, rng.uniform(1, 8), axes=(0, 1)))


def skin_coloured(canvas: Canvas) -> Array:
    """One colour that skin has too: the hard case for whoever goes by colour."""
    return TONES[canvas.rng.integers(1, 5)] * canvas.rng.uniform(0.85, 1.05) * canvas.light


BACKGROUNDS: dict[str, Background] = {
    "wall": wall,
    "far-scene": far_scene,
    "wood": wood,
    "tiles": tiles,
    "clutter": clutter,
    "skin-coloured": skin_coloured,
}
