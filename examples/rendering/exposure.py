"""The photo itself: the drawn hand before its background, with the faults of lens and sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from rendering.light import SUPERSAMPLE
from rendering.vectors import Array, Rng

OCCLUSION = np.array([0.55, 0.7, 0.75])  # light that deep folds lose; red shines through skin the most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """An image and how much of each of its pixels is hand or forearm.

    Attributes
    ----------
    image
        uint8 ``(H, W, 3)`` RGB.
    alpha
        float64 ``(H, W)``, 0 … 1: the share of each pixel that was drawn, before the lens' blur.
    """

    image: NDArray[np.uint8]
    alpha: Array

    @property
    def mask(self) -> NDArray[np.uint8]:
        """255 where at least half the pixel is hand or forearm, else 0."""
        return ((self.alpha >= 0.5) * 255).astype(np.uint8)


def expose(colour: Array, depth: Array, crease: float, background: Array, rng: Rng) -> Photo:
    """Put a drawn hand before a background.

    Parameters
    ----------
    colour, depth
        What `rendering.light.draw` gives.
    crease
        Reach of the shade in folds, in drawn pixels.
    background
        ``(H, W, 3)`` RGB, cut to 0 … 1 here.
    rng
        Where shadow, blur, brightness and noise come from.
    """
    layers = cut_out(colour, depth, crease)
    hand, alpha = layers[..., :3], layers[..., 3]
    if rng.random() < 0.5:
        background = _shadowed(background, alpha, rng)
    image = hand + (1 - alpha[..., None]) * np.clip(background, 0, 1)
    image = gaussian_filter(image, rng.uniform(0.3, 0.8), axes=(0, 1)) * rng.uniform(0.9, 1.08)
    image += rng.normal(0, rng.uniform(0.002, 0.010), image.shape)
    return Photo(image=(np.clip(image, 0, 1) * 255).round().astype(np.uint8), alpha=alpha)


def cut_out(colour: Array, depth: Array, crease: float) -> Array:
    """Return the ``(H, W, 4)`` premultiplied colour and alpha, 0 … 1, of a drawn hand, its folds shaded."""
    return _shrunk(colour * (1 - _shade(depth, crease)[..., None] * OCCLUSION), depth)


def _shade(depth: Array, crease: float) -> Array:
    """Return (H, W) ambient occlusion, 0 … 1: what lies behind its surroundings gets less light."""
    solid, shade = (depth > 0).astype(np.float64), np.zeros_like(depth)
    for share in (1, 1 / 3):
        blurred, weight = (gaussian_filter(a, crease * share) for a in (depth, solid))
        behind = (depth - blurred / np.maximum(weight, 1e-6)) / (0.35 * share)
        shade += np.clip(behind, 0, 1) / 2
    return shade


def _shrunk(colour: Array, depth: Array) -> Array:
    """Return (H, W, 4) premultiplied colour and alpha, averaged over the drawn pixels of each pixel."""
    solid = (depth > 0).astype(np.float64)
    layers = np.dstack([colour, np.ones_like(depth)]) * solid[..., None]
    height, width, _ = layers.shape
    blocks = layers.reshape(height // SUPERSAMPLE, SUPERSAMPLE, width // SUPERSAMPLE, SUPERSAMPLE, 4)
    return np.asarray(blocks.mean((1, 3)))


def _shadowed(background: Array, alpha: Array, rng: Rng) -> Array:
    """Return the background with the soft shadow of the hand on it."""
    moved = shift(alpha, rng.uniform(-25, 25, 2))
    shadow = gaussian_filter(moved, rng.uniform(6, 15))
    return background * (1 - rng.uniform(0.15, 0.45) * shadow[..., None])
