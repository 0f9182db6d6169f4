"""Bringing a coarse alpha to a picture's own resolution, along the picture's edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.sample import Image

Plane = NDArray[np.float32]  # (H, W)

RADIUS = 1  # pixels of the coarse picture around each, whose alpha its line is fitted to
SMOOTHNESS = 30.0  # grey levels squared: differences in the picture below its root count for little


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """For each pixel of a coarse picture, alpha as a line in the picture's brightness nearby.

    Attributes
    ----------
    slope, offset
        ``(H, W)``: alpha = slope · brightness + offset.
    """

    slope: Plane
    offset: Plane

    def alpha(self, image: Image, enlarged: Callable[[Plane], Plane]) -> Plane:
        """Return alpha, not yet cut to 0 … 1, in the picture's own resolution.

        Parameters
        ----------
        image
            ``(H', W', 3)`` the picture.
        enlarged
            Brings a coarse plane to ``(H', W')``.
        """
        return np.asarray(enlarged(self.slope) * _brightness(image) + enlarged(self.offset), np.float32)


def local_lines(coarse: Image, alpha: Plane) -> Lines:
    """Fit the lines of the guided filter.

    Parameters
    ----------
    coarse
        uint8 ``(H, W, 3)``.
    alpha
        ``(H, W)``, 0 … 1.

    References
    ----------
    He, Sun and Tang, "Guided image filtering", IEEE Trans. PAMI 35 (6), 2013; He and Sun, "Fast guided
    filter", arXiv 1505.00996, 2015, whose idea it is to fit at low and to use at high resolution.
    """
    light = _brightness(coarse)
    mean_light, mean_alpha = _mean(light), _mean(alpha)
    covariance = _mean(light * alpha) - mean_light * mean_alpha
    variance = _mean(light * light) - mean_light * mean_light
    slope = np.asarray(covariance / (variance + SMOOTHNESS), np.float32)
    return Lines(_mean(slope), _mean(mean_alpha - slope * mean_light))


def _brightness(image: Image) -> Plane:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)


def _mean(plane: Plane) -> Plane:
    size = 2 * RADIUS + 1
    return np.asarray(cv2.boxFilter(plane, -1, (size, size)), np.float32)
