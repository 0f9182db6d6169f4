"""Pictures that are computed, so surely without hands: noise, gradients, surfaces, shapes of skin colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.sample import Image

Field: TypeAlias = NDArray[np.float64]  # (H, W) or (H, W, 3), 0 … 1
Rng: TypeAlias = np.random.Generator

SIZE = (640, 480)
PER_KIND = 10
SKIN = np.array([(240, 205, 182), (200, 146, 112), (128, 82, 57), (80, 52, 40)]) / 255  # from light to dark


def smooth_noise(rng: Rng, cell: float) -> Field:
    """Return an (H, W) random field in 0 … 1 with features of `cell` pixels."""
    coarse = max(1.0, cell / 8)  # blurred where it is small: wide blurs of large pictures take long
    width, height = (int(np.ceil(side / coarse)) for side in SIZE)
    field = cv2.GaussianBlur(rng.random((height, width)), (0, 0), cell / 2 / coarse)
    field = cv2.resize(field, SIZE, interpolation=cv2.INTER_CUBIC)
    return np.asarray((field - field.min()) / np.ptp(field))


def clouds(rng: Rng) -> Field:
    """Return colour noise at several scales, as of a scene out of focus."""
    cells = 2.0 ** rng.uniform(1, 8, 4)
    return np.dstack([np.mean([smooth_noise(rng, cell) for cell in cells], axis=0) for _ in range(3)])


def gradient(rng: Rng) -> Field:
    """Return a slope between two colours, with a little noise."""
    x, y = _grid()
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * x / SIZE[0] + np.sin(angle) * y / SIZE[1]
    share = ((slope - slope.min()) / np.ptp(slope))[..., None]
    first, second = rng.random((2, 3))
    return first * share + second * (1 - share) + rng.normal(0, 0.01, (*x.shape, 3))


def bricks(rng: Rng) -> Field:
    """Return a wall of bricks, each of its own shade."""
    x, y = _grid()
    width, height = rng.uniform(40, 120), rng.uniform(15, 50)
    row = y // height
    column = (x + row % 2 * width / 2) // width
    shade = rng.uniform(0.7, 1.1, 97)[(row * 31 + column * 17).astype(int) % 97]
    joint = ((y % height) < 3) | (((x + row % 2 * width / 2) % width) < 3)
    wall = (
        rng.uniform((0.4, 0.15, 0.1), (0.75, 0.45, 0.35))
        * (shade * (0.8 + 0.2 * smooth_noise(rng, 6)))[..., None]
    )
    return np.where(joint[..., None], rng.uniform(0.4, 0.8), wall)


def grain(rng: Rng) -> Field:
    """Return bent stripes, as of wood or cloth."""
    x, y = _grid()
    bent = y + 60 * smooth_noise(rng, 120) + rng.uniform(-0.3, 0.3) * x
    stripes = 0.5 + 0.5 * np.sin(bent / rng.uniform(1.5, 15))
    return rng.uniform(0.3, 0.8, 3) * (0.6 + 0.4 * stripes)[..., None]


def skin_shapes(rng: Rng) -> Field:
    """Return round shapes in the colours of skin on a background of any colour."""
    canvas = np.ones((SIZE[1], SIZE[0], 3)) * rng.random(3)
    for _ in range(rng.integers(1, 12)):
        centre = tuple(int(c) for c in rng.uniform((0, 0), SIZE))
        reach = tuple(int(r) for r in rng.uniform(15, 160, 2))
        colour = SKIN[rng.integers(len(SKIN))] * rng.uniform(0.8, 1.05)
        cv2.ellipse(
            canvas, centre, reach, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA
        )
    light = 0.8 + 0.3 * smooth_noise(rng, rng.uniform(40, 200))
    return cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 6)) * light[..., None]


def skin_field(rng: Rng) -> Field:
    """Return nothing but skin colour with blotches and creases, as of a cheek or a belly near by."""
    blotches = np.dstack([smooth_noise(rng, 60)] * 3) * (0.05, 0.12, 0.12)
    creases = np.abs(smooth_noise(rng, 25) - 0.5) < 0.008
    tone = SKIN[rng.integers(len(SKIN))]
    return (
        tone
        * (1 - blotches)
        * (0.75 + 0.35 * smooth_noise(rng, 200)[..., None])
        * (1 - 0.2 * creases[..., None])
    )


KINDS: dict[str, Callable[[Rng], Field]] = {
    "clouds": clouds,
    "gradient": gradient,
    "bricks": bricks,
    "grain": grain,
    "skin-shapes": skin_shapes,
    "skin-field": skin_field,
}
NAMES = tuple(f"{kind}-{number:02d}" for kind in KINDS for number in range(PER_KIND))


def picture(name: str) -> Image:
    """Return the picture of one of the `NAMES`: uint8 (480, 640, 3) RGB, always the same one."""
    kind, _, number = name.rpartition("-")
    field = KINDS[kind](np.random.default_rng([list(KINDS).index(kind), int(number)]))
    return (np.clip(field, 0, 1) * 255).round().astype(np.uint8)


def _grid() -> tuple[Field, Field]:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float64)
    return x, y
