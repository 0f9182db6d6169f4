"""Putting a hand before another background without a rim of the old one."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from handprep.images.arrays import resized
from handprep.sample import Alpha, Image

Colours = NDArray[np.float32]  # (H, W, 3), 0 to 255
Share = NDArray[np.float32]  # (H, W), 0 to 1

ENOUGH = 512  # pixels on the long side to take mean colours at, which vary slowly
WIDE, NARROW = 91, 7  # pixels: windows for mean colours
RIM = 1 / 150  # of the long side: how far into the hand the old background's light reaches
WIDEST_RIM = 8  # pixels
BLUR = 0.05  # of the long side: standard deviation of the blurred background
NO_WEIGHT = 1e-3


def over(image: Image, alpha: Alpha, background: Image | tuple[int, int, int]) -> Image:
    """Put what alpha shows of an RGB image before a background: another image of its size, or one colour."""
    front, behind = hand_colours(image, alpha), np.broadcast_to(np.asarray(background, np.uint8), image.shape)
    done = np.where((alpha == 255)[..., None], front, behind)
    soft = (alpha > 0) & (alpha < 255)  # the edge alone is mixed
    share = _float(alpha[soft] / 255)[:, None]
    done[soft] = np.round(share * front[soft] + (1 - share) * behind[soft])
    return done


def hand_colours(image: Image, alpha: Alpha) -> Image:
    """Return an RGB image that has the hand's colours alone, and is black where alpha is 0.

    A camera mixes hand and background along the edge. There, the hand's own colours are what alpha and the
    mean colours of both sides nearby leave of the mixture.

    References
    ----------
    Forte, "Approximate fast foreground colour estimation", ICIP 2021: blur fusion, twice. Here the means
    are taken in a small image and used in the large one.
    """
    small, share = _reduced(image, alpha)
    share = share[..., None]
    front = behind = small
    for side in (WIDE, NARROW):
        mean, behind = _mean_of(front, share, side), _mean_of(behind, 1 - share, side)
        front = np.clip(mean + share * (small - share * mean - (1 - share) * behind), 0, 255)
    done = np.where((alpha == 255)[..., None], image, np.uint8(0))
    soft = (alpha > 0) & (alpha < 255)
    part = _float(alpha[soft] / 255)[:, None]
    of_hand, of_background = (_float(_enlarged(means, image)[soft]) for means in (mean, behind))
    unmixed = of_hand + part * (image[soft] - part * of_hand - (1 - part) * of_background)
    done[soft] = np.round(np.clip(unmixed, 0, 255))
    return done


def resampled(image: Image, alpha: Alpha, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Image:
    """Return the colours of a transparent image after a change of its pixels, each weighted by its alpha.

    The colours are not multiplied by alpha, and `change` scales or moves arrays of float32 and uint8.
    """
    share = _float(alpha)
    summed, total = change((image.T * share.T).T), change(share)
    colours: Image = np.round((summed.T / np.maximum(total, 0.5).T).T.clip(0, 255)).astype(np.uint8)
    colours[change(alpha) == 0] = 0
    return colours


def blurred_background(image: Image, alpha: Alpha) -> Image:
    """Return an RGB image's background, strongly blurred, as if the hand were not there."""
    small, weight = _reduced(image, _eroded(255 - alpha))
    sigma = BLUR * max(weight.shape)
    total = _float(cv2.GaussianBlur(weight, (0, 0), sigma))[..., None]
    summed = _float(cv2.GaussianBlur(small * weight[..., None], (0, 0), sigma))
    overall = summed.sum((0, 1)) / max(NO_WEIGHT, float(total.sum()))  # for the middle of large hands
    return _enlarged(_float((summed + NO_WEIGHT * overall) / (total + NO_WEIGHT)), image)


def covering(image: Image, size: tuple[int, int]) -> Image:
    """Return the middle of an image, scaled so that it fills a width and height."""
    width, height = size
    factor = max(width / image.shape[1], height / image.shape[0])
    scaled = max(width, round(image.shape[1] * factor)), max(height, round(image.shape[0] * factor))
    large = np.asarray(resized(image, scaled), np.uint8)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    return large[top : top + height, left : left + width]


def _mean_of(colours: Colours, weight: Share, side: int) -> Colours:
    """Return the weighted mean in a square window, black where nothing has weight."""
    summed = cv2.blur(colours * weight, (side, side))
    return _float(summed / (cv2.blur(weight, (side, side))[..., None] + NO_WEIGHT))


def _eroded(alpha: Alpha) -> Alpha:
    """Return what is left of alpha without its rim; the image's border takes nothing away."""
    pixels = min(WIDEST_RIM, max(1, round(RIM * max(alpha.shape))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.erode(alpha, disc), np.uint8)


def _reduced(image: Image, alpha: Alpha) -> tuple[Colours, Share]:
    """Return image and alpha, the latter from 0 to 1, with at most `ENOUGH` pixels on the long side."""
    height, width = alpha.shape
    factor = min(1.0, ENOUGH / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small, share = (resized(array, size, cv2.INTER_AREA) for array in (image, alpha))
    return _float(small), _float(share) / np.float32(255)


def _enlarged(colours: Colours, image: Image) -> Image:
    rounded = np.round(np.clip(colours, 0, 255)).astype(np.uint8)
    return np.asarray(resized(rounded, image.shape[1::-1], cv2.INTER_LINEAR), np.uint8)


def _float(array: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(array, np.float32)
