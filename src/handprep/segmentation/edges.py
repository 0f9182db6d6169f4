"""Bringing a mask from the network's window to the image's own pixels, along the image's edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.geometry import Affine
from handprep.sample import Alpha, Image

Plane = NDArray[np.float32]  # (S, S) of the window, or (N,) of some of its pixels

RADIUS = 2  # pixels of the window around each, in which colours are told apart
SMOOTHNESS = 10.0  # squared grey levels: differences in colour below its root count for little
CONTRAST = 1.1  # averaging the lines of neighbouring pixels blurs what the camera had sharper
MOST_STRETCH = 2.0  # where colours explain less than half of the mask, they are not trusted with its edge
PASSES = 2  # the first brings the mask to the window's edges, and the second fits what it gives
AROUND = 3 * RADIUS * PASSES  # pixels around the mask that may count
CONSTANT = 1e-4  # share of either side in a pixel's surroundings, below which there is no edge
ROW = 1024  # pixels asked for at once; OpenCV's maps have at most 32,767 rows


def refined(window: Image, mask: NDArray[np.uint8], image: Image, toward: Affine) -> Alpha:
    """Return alpha in the image's own resolution; what lies outside of the window is background.

    In the surroundings of each pixel along the mask's edge, alpha is regressed on colour, in the window, and
    the image's own colours are then asked. A regression falls short of alpha's contrast by its coefficient of
    determination: with this taken out, the mean colours of both sides get 0 and 1, and mixtures of them what
    lies between.

    `mask` is 1 for hand in the window, and `toward` leads from the image's pixels to the window's.

    References
    ----------
    He, Sun and Tang, "Guided image filtering", IEEE Trans. PAMI 35 (6), 2013, section 3.5 for colour; He
    and Sun, "Fast guided filter", arXiv 1505.00996, 2015, whose idea it is to fit at low and to use at
    high resolution.
    """
    column, row, wide, high = cv2.boundingRect(mask)
    left, top = max(0, column - AROUND), max(0, row - AROUND)
    place = np.s_[top : row + high + AROUND, left : column + wide + AROUND]  # elsewhere alpha is 0
    coefficients, share = _lines(window[place], mask[place])
    toward = geometry.in_pixel_centres(geometry.compose(toward, geometry.translation(-left, -top)))
    size = image.shape[1], image.shape[0]
    alpha = np.asarray(cv2.warpAffine(share, geometry.invert(toward), size), np.uint8)
    y, x = np.nonzero((alpha > 0) & (alpha < 255))
    if len(y):
        there = geometry.apply(toward, np.stack([x, y], -1)).astype(np.float32)
        across, down = np.moveaxis(np.resize(there, (-(-len(there) // ROW), ROW, 2)), -1, 0).copy()
        asked = np.asarray(cv2.remap(coefficients, across, down, cv2.INTER_LINEAR), np.float32)
        lines = asked.reshape(-1, 4)[: len(y)]
        alpha[y, x] = np.round(255 * _sharpened((lines[:, :3] * image[y, x]).sum(1) + lines[:, 3]))
    return alpha


def _lines(window: Image, mask: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return alpha as a linear function of the colours nearby, and the mask's share of the surroundings.

    ``(S, S, 4)``: coefficients of red, green, blue and 1; and ``(S, S)``: 0 or 255 where there is no edge.
    """
    colours = [np.ascontiguousarray(window[..., channel], np.float32) for channel in range(3)]
    means = [_mean(plane) for plane in colours]
    pairs = [(i, j) for i in range(3) for j in range(i, 3)]
    covariance = {(i, j): _mean(colours[i] * colours[j]) - means[i] * means[j] for i, j in pairs}
    alpha = mask.astype(np.float32)
    for number in range(PASSES):
        share = _mean(alpha)
        edge = np.flatnonzero((share > CONSTANT) & (share < 1 - CONSTANT))
        planes = [np.zeros_like(share), np.zeros_like(share), np.zeros_like(share), share.copy()]
        if len(edge):
            with_alpha = [
                (_mean(c * alpha) - mean * share).take(edge) for c, mean in zip(colours, means, strict=True)
            ]
            variance = (_mean(alpha * alpha) - share * share).take(edge)
            around = {pair: plane.take(edge) for pair, plane in covariance.items()}
            for plane, mean, slope in zip(planes, means, _slopes(around, with_alpha, variance), strict=False):
                plane.put(edge, slope)
                planes[3].ravel()[edge] -= slope * mean.take(edge)
            planes = [_mean(plane) for plane in planes]
        if number < PASSES - 1:
            alpha = _sharpened(sum((c * p for c, p in zip(colours, planes, strict=False)), planes[3]))
    return np.dstack(planes), np.asarray(np.round(255 * _mean(share)), np.uint8)


def _slopes(
    covariance: dict[tuple[int, int], Plane], with_alpha: list[Plane], variance: Plane
) -> list[Plane]:
    """Return the slope in red, green and blue of each of N pixels, from the (co)variances around them."""
    a, b, c, d, e, f = (covariance[pair].astype(np.float64) for pair in sorted(covariance))
    a, d, f = a + SMOOTHNESS, d + SMOOTHNESS, f + SMOOTHNESS
    # The inverse of [[a, b, c], [b, d, e], [c, e, f]], written out: LAPACK takes four times as long.
    inverse = [[d * f - e * e, c * e - b * f, b * e - c * d]]
    inverse += [[inverse[0][1], a * f - c * c, b * c - a * e], [inverse[0][2], b * c - a * e, a * d - b * b]]
    determinant = a * inverse[0][0] + b * inverse[0][1] + c * inverse[0][2]
    slopes = [sum(x * y for x, y in zip(row, with_alpha, strict=True)) / determinant for row in inverse]
    explained = sum(x * y for x, y in zip(slopes, with_alpha, strict=True)) / np.maximum(
        variance, CONSTANT**2
    )
    stretch = np.minimum(1 / np.maximum(explained, 1e-3), MOST_STRETCH)
    return [np.asarray(slope * stretch, np.float32) for slope in slopes]


def _sharpened(alpha: Plane) -> Plane:
    return np.asarray(np.clip(CONTRAST * (alpha - 0.5) + 0.5, 0, 1), np.float32)


def _mean(array: Plane) -> Plane:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.blur(array, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)
