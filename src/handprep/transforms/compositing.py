"""Putting a hand before another background without a rim of the old one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from handprep.sample import Alpha, Image

Colours = NDArray[np.float32]  # (H, W, 3), 0 to 255
Share = NDArray[np.float32]  # (H, W), 0 to 1

ENOUGH = 512  # pixels on the long side to take mean colours at, which vary slowly
WINDOWS = (91, 7)  # pixels: where the narrow one holds nothing to take a mean of, the wide one serves
RIM = 1 / 150  # of the long side: how far into the hand the old background's light reaches
WIDEST_RIM = 8  # pixels
BLUR = 0.05  # of the long side: standard deviation of the blurred background
NO_WEIGHT = 1e-3


def over(image: Image, alpha: Alpha, background: Image | tuple[int, int, int]) -> Image:
    """Put what alpha shows of a picture before a background.

    Parameters
    ----------
    image
        uint8 ``(H, W, 3)``.
    alpha
        uint8 ``(H, W)``: 0 background, 255 hand.
    background
        uint8 ``(H, W, 3)``, or one colour.

    Returns
    -------
    ndarray
        uint8 ``(H, W, 3)``: the background alone where alpha is 0, the picture alone inside the hand.
    """
    share = _float(alpha / 255)[..., None]
    mixed = share * hand_colours(image, alpha) + (1 - share) * np.asarray(background, np.float32)
    return np.round(mixed).astype(np.uint8)


def hand_colours(image: Image, alpha: Alpha) -> Image:
    """Return a picture that has the hand's colours alone, and these a little beyond its edge.

    A camera mixes hand and background along the edge, and alpha may be off by a pixel. So the colours of
    the hand's rim are those from just inside. Around the hand its colours go on, so that a transparent
    picture can be resized without a fringe; further away it is black.

    Parameters
    ----------
    image
        uint8 ``(H, W, 3)``.
    alpha
        uint8 ``(H, W)``.

    Notes
    -----
    Forte's blur fusion ("Approximate fast foreground colour estimation", ICIP 2021) unmixes the edge by
    alpha instead. With the true alpha it is as good; with one that was found it leaves more of a rim.
    """
    inside = _eroded(_float(alpha / 255))
    small, weight = _reduced(image, inside)
    mean = np.zeros_like(small)
    for side in WINDOWS:
        summed = cv2.blur(small * weight[..., None], (side, side)) + NO_WEIGHT * mean
        mean = _float(summed / (cv2.blur(weight, (side, side)) + NO_WEIGHT)[..., None])
    share = inside[..., None]
    return np.round(share * image + (1 - share) * _enlarged(mean, image)).astype(np.uint8)


def blurred_background(image: Image, alpha: Alpha) -> Image:
    """Return the picture's background, strongly blurred, as if the hand were not there.

    Parameters
    ----------
    image
        uint8 ``(H, W, 3)``.
    alpha
        uint8 ``(H, W)``.
    """
    small, weight = _reduced(image, _eroded(_float(1 - alpha / 255)))
    sigma = BLUR * max(weight.shape)
    total = _float(cv2.GaussianBlur(weight, (0, 0), sigma))[..., None]
    summed = _float(cv2.GaussianBlur(small * weight[..., None], (0, 0), sigma))
    overall = summed.sum((0, 1)) / max(NO_WEIGHT, float(total.sum()))  # for the middle of large hands
    mean = (summed + NO_WEIGHT * overall) / (total + NO_WEIGHT)
    return np.round(_enlarged(_float(mean), image)).astype(np.uint8)


def _eroded(share: Share) -> Share:
    """Return what is left of a share without its rim; the picture's border takes nothing away."""
    pixels = min(WIDEST_RIM, max(1, round(RIM * max(share.shape))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return _float(cv2.erode(share, disc))


def _reduced(image: Image, share: Share) -> tuple[Colours, Share]:
    """Return picture and share with at most `ENOUGH` pixels on the long side."""
    height, width = share.shape
    factor = min(1.0, ENOUGH / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return _float(small), _float(cv2.resize(share, size, interpolation=cv2.INTER_AREA))


def _enlarged(colours: Colours, image: Image) -> Colours:
    size = image.shape[1], image.shape[0]
    return _float(cv2.resize(colours, size, interpolation=cv2.INTER_LINEAR))


def _float(array: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(array, np.float32)
