"""Rendered hands that move over a background, with their true landmarks in each frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry, images
from handprep.geometry import Affine
from tests.rendered import Rendered, photos

SIZE = 640, 480  # width and height
HAND = 180  # pixels of the long side of a hand's landmarks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """An RGB frame and the ``(21, 2)`` landmarks of each of its hands, in one order in all frames."""

    image: NDArray[np.uint8]
    landmarks: tuple[NDArray[np.float64], ...]


class Cutout:
    """A rendered hand, cut out by its true mask."""

    def __init__(self, hand: Rendered) -> None:
        self.image = images.read(hand.path).image
        self.mask = images.read(hand.mask).image[..., 0]
        self.landmarks = hand.landmarks
        self.centre = hand.landmarks.mean(0)
        self.scale = HAND / max(np.ptp(hand.landmarks, axis=0))

    def onto(
        self, canvas: NDArray[np.uint8], x: float, y: float, turn: float = 0, scale: float = 1
    ) -> Affine:
        """Lay the hand onto a canvas, its landmarks' centre at (x, y), and return the map that did it."""
        forward = geometry.compose(
            geometry.translation(*-self.centre),
            geometry.rotation(turn),
            geometry.scaling(self.scale, self.scale),
            geometry.translation(x, y),
        )
        matrix, size = geometry.in_pixel_centres(forward), canvas.shape[1::-1]
        mask = cv2.warpAffine(self.mask, matrix, size)[..., None] / np.float32(255)
        canvas[:] = (1 - mask) * canvas + mask * cv2.warpAffine(self.image, matrix, size)
        return forward


def background(seed: int = 0) -> NDArray[np.uint8]:
    """Return a canvas of soft spots of colour."""
    rng = np.random.default_rng(seed)
    spots = (rng.integers(60, 180, (6, 8, 1)) + rng.integers(0, 40, (6, 8, 3))).astype(np.uint8)
    return np.asarray(cv2.resize(spots, SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)


def noisy(image: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image with a camera's noise."""
    noise = rng.normal(0, sigma, image.shape).astype(np.float32)
    return np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)


def one(count: int, number: int = 0, *, speed: float = 1.0, sigma: float = 3.0) -> Iterator[Frame]:
    """Yield frames of one hand that sways and turns; speed 0: a still hand."""
    cutout, canvas, rng = Cutout(photos()[number]), background(), np.random.default_rng(1)
    for index in range(count):
        t = speed * index / 30
        frame = canvas.copy()
        forward = cutout.onto(
            frame, 320 + 150 * math.sin(t), 250 + 40 * math.sin(2.3 * t), 0.3 * math.sin(1.7 * t)
        )
        yield Frame(image=noisy(frame, sigma, rng), landmarks=(geometry.apply(forward, cutout.landmarks),))


def crossing(
    count: int, numbers: tuple[int, int], *, period: int = 120, sigma: float = 3.0
) -> Iterator[Frame]:
    """Yield frames of two hands that move to and fro, past each other, the second one in front."""
    cutouts, canvas, rng = [Cutout(photos()[n]) for n in numbers], background(), np.random.default_rng(1)
    for index in range(count):
        frame, places = canvas.copy(), []
        swing = math.cos(2 * math.pi * index / period)
        for side, cutout in zip((-1, 1), cutouts, strict=True):
            forward = cutout.onto(frame, 320 + side * 190 * swing, 250 + side * 30, side * 0.1)
            places.append(geometry.apply(forward, cutout.landmarks))
        yield Frame(image=noisy(frame, sigma, rng), landmarks=tuple(places))
