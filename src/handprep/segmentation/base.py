"""What every segmenter is, and what their masks have in common."""

import math
import os
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry, models
from handprep.errors import InputError
from handprep.geometry import Box
from handprep.sample import Alpha, Hand, Image

LARGEST_HOLE = 0.01  # of the mask's area; larger ones are background seen through, say, an OK sign


@runtime_checkable
class Segmenter(Protocol):
    """Anything that finds the pixels of hands in an RGB image.

    A segmenter is an immutable value that pickles as its parameters; what it opens, it opens once a
    process and thread (`handprep.runtime.per_thread`).
    """

    def segment(self, image: Image, hands: tuple[Hand, ...]) -> Alpha:
        """Return how much of each pixel is hand.

        Parameters
        ----------
        image
            uint8 ``(H, W, 3)`` RGB. Not changed.
        hands
            Where the hands are, in pixels of `image`; empty if that is not known.

        Returns
        -------
        ndarray
            uint8 ``(H, W)``: 0 background, 255 hand.
        """
        ...


@runtime_checkable
class RatingSegmenter(Segmenter, Protocol):
    """A segmenter that can say how far its mask is to be trusted."""

    def segment_rated(self, image: Image, hands: tuple[Hand, ...]) -> tuple[Alpha, float | None]:
        """Return what `segment` returns, and a confidence from 0 to 1; None where there is none."""
        ...


def own_path(name: str, path: Any) -> str:
    """Return the path of a user's network file, or raise InputError, or ModelError if it is missing."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise InputError(f"{name} must be the path of an ONNX file or None, not {path!r}")
    models.fetch(models.own_file(path))  # a missing file is refused now, not at the first image
    return os.fspath(path)


def pixels_within(box: Box, image: Image) -> tuple[slice, slice]:
    """Return the rows and columns of the pixels of an image that a box touches."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    rows = slice(max(0, math.floor(y0)), max(0, min(height, math.ceil(y1))))
    return rows, slice(max(0, math.floor(x0)), max(0, min(width, math.ceil(x1))))


def moved_to(place: tuple[slice, slice], hands: Iterable[Hand]) -> list[Hand]:
    """Return hands as they lie in a part of an image."""
    forward = geometry.translation(-place[1].start, -place[0].start)
    return [hand.transformed(forward) for hand in hands]


def connected_to(alpha: Alpha, seed: NDArray[np.bool_], *, largest_hole: float = LARGEST_HOLE) -> Alpha:
    """Drop whatever is not connected to a seed, and close holes smaller than a share of the mask's area.

    All is 0 if no pixel of at least 128 lies on the seed. Soft edges stay soft.
    """
    count, labels = cv2.connectedComponents((alpha > 127).astype(np.uint8), connectivity=4)
    wanted = np.zeros(count, np.uint8)
    wanted[labels[seed]] = 1
    wanted[0] = 0  # label 0 is what is not hand
    solid = wanted[labels]
    near = cv2.dilate(solid, np.ones((5, 5), np.uint8))  # the soft edge around what stays
    filled = without_small_holes(solid, largest_hole)
    return np.where(filled > solid, np.uint8(255), alpha * (near > 0)).astype(np.uint8)


def without_small_holes(mask: NDArray[np.uint8], largest: float = LARGEST_HOLE) -> NDArray[np.uint8]:
    """Return a mask of 0 and 1 with every hole closed that is less than a share of its area."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    areas = statistics[:, cv2.CC_STAT_AREA]
    small = areas < largest * int(mask.sum())
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    small[border] = False  # a bay that the image's border closes is no hole
    return np.where(small[labels], np.uint8(1), mask)
