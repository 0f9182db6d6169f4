"""Bringing a mask from the network's window to the image's own pixels, along the image's edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.geometry import Affine
from handprep.sample import Alpha, Image

Plane = NDArray[np.float32]  # (S, S), of the window

RADIUS = 2  # pixels of the window around each, in which colours are told apart
SMOOTHNESS = 10.0  # squared grey levels: differences in colour below its root count for little
CONTRAST = 1.1  # averaging the lines of neighbouring pixels blurs what the camera had sharper
MOST_STRETCH = 2.0  # where colours explain less than half of the mask, they are not trusted with its edge
CONSTANT = 1e-4  # share of either side in a pixel's surroundings, below which there is no edge
ROW = 1024  # pixels asked for at once; OpenCV's maps have at most 32,767 rows


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """For each pixel of a window, alpha as a linear function of the colours nearby.

    Attributes
    ----------
    coefficients
        ``(S, S, 4)`` float32: alpha is 0 … 1 for the product of the first three with RGB, plus the last.
    share
        uint8 ``(S, S)``: the mask's share of the surroundings; 0 and 255 where there is no edge.
    """

    coefficients: NDArray[np.float32]
    share: NDArray[np.uint8]

    def alpha(self, image: Image, toward: Affine) -> Alpha:
        """Return alpha in the image's own resolution; what lies outside of the window is background.

        Parameters
        ----------
        image
            uint8 ``(H, W, 3)``.
        toward
            From its pixels to those of the window.
        """
        toward = geometry.in_pixel_centres(toward)
        size = image.shape[1], image.shape[0]
        alpha = np.asarray(cv2.warpAffine(self.share, geometry.invert(toward), size), np.uint8)
        y, x = np.nonzero((alpha > 0) & (alpha < 255))
        if len(y):
            there = geometry.apply(toward, np.stack([x, y], -1)).astype(np.float32)
            filled = np.resize(there, (-(-len(there) // ROW), ROW, 2))
            across, down = np.moveaxis(filled, -1, 0).copy()
            asked = cv2.remap(self.coefficients, across, down, cv2.INTER_LINEAR)
            lines = np.asarray(asked, np.float32).reshape(-1, 4)[: len(y)]
            fine = (lines[:, :3] * image[y, x]).sum(1) + lines[:, 3]
            alpha[y, x] = np.clip(255 * (CONTRAST * (fine - 0.5) + 0.5) + 0.5, 0, 255).astype(np.uint8)
        return alpha


def lines(window: Image, mask: NDArray[np.uint8]) -> Lines:
    """Fit lines to a mask: those of the guided filter, but stretched to reach from 0 to 1.

    In the surroundings of each pixel along the mask's edge, alpha is regressed on colour. A regression
    falls short of the mask's contrast by its coefficient of determination: with this taken out, the mean
    colours of both sides get 0 and 1, and mixtures of them what lies between.

    Parameters
    ----------
    window
        uint8 ``(S, S, 3)`` RGB.
    mask
        uint8 ``(S, S)``: 1 hand, 0 background.

    References
    ----------
    He, Sun and Tang, "Guided image filtering", IEEE Trans. PAMI 35 (6), 2013, section 3.5 for colour; He
    and Sun, "Fast guided filter", arXiv 1505.00996, 2015, whose idea it is to fit at low and to use at
    high resolution.
    """
    guide = window.astype(np.float32)
    of_hand = mask.astype(np.float32)
    share = _mean(of_hand)
    coefficients = np.dstack([np.zeros_like(guide), share])
    edge = (share > CONSTANT) & (share < 1 - CONSTANT)
    if edge.any():
        coefficients[edge] = _regressed(guide, of_hand, share, edge)
        coefficients = _mean(coefficients)
    return Lines(coefficients, np.asarray(np.round(255 * _mean(share)), np.uint8))


def _regressed(guide: Plane, of_hand: Plane, share: Plane, edge: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return ``(N, 4)`` coefficients for the N pixels along the edge."""
    colour, part = _mean(guide)[edge], share[edge]
    squares = _mean(guide[..., [0, 0, 0, 1, 1, 2]] * guide[..., [0, 1, 2, 1, 2, 2]])[edge]
    covariance = squares[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    covariance -= colour[:, :, None] * colour[:, None, :]
    with_mask = _mean(guide * of_hand[..., None])[edge] - colour * part[:, None]
    regular = covariance + SMOOTHNESS * np.eye(3, dtype=np.float32)
    slope = np.linalg.solve(regular, with_mask[..., None])[..., 0]
    explained = (slope * with_mask).sum(1) / (part * (1 - part))
    slope *= np.minimum(1 / np.maximum(explained, 1e-3), MOST_STRETCH)[:, None]
    offset = part - (slope * colour).sum(1)
    return np.column_stack([slope, offset]).astype(np.float32)


def _mean(array: Plane) -> Plane:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.blur(array, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)
