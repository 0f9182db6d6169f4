"""Cutting a picture in two along its edges, and fitting the cut to every pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.sample import Alpha, Image
from handprep.segmentation.prior import LogOdds

MOST_ODDS = 6.0  # log-odds beyond which a pixel's side is certain
STEP = 4.0  # grey levels for one of log-odds
SPREAD = 20.0  # grey levels, standard deviation of the two Gaussians
RADIUS = 3  # of the guided filter's window, in pixels of the small picture
SMOOTHNESS = 30.0  # its epsilon, in squared grey levels
EPSILON = 1e-4  # what rounding leaves of 0
CONTRAST = 1.5  # the filter blurs what the camera had sharper


def graph_cut(lab: Image, odds: LogOdds, certain: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mask that agrees best with log-odds for each pixel and with the picture's edges.

    Parameters
    ----------
    lab
        uint8 ``(H, W, 3)`` picture in CIE L*a*b*.
    odds
        ``(H, W)`` log-odds of hand against background.
    certain
        ``(H, W)``, 1 where hand certainly is, else 0.

    Returns
    -------
    ndarray
        uint8 ``(H, W)``: 1 hand, 0 background.

    Notes
    -----
    OpenCV lends its maximum-flow solver to `cv2.grabCut` alone, which wants mixtures of Gaussians
    instead of log-odds. So the log-odds are written into the first channel of a picture, as `STEP` grey
    levels each around 128, and the two "mixtures" are one Gaussian each, in this channel at 128 ± m with
    variance s²: the log of their ratio at 128 + STEP·o is 2·m·STEP·o / s², and m = s² / (2·STEP) makes
    that o. The edges are those of all three channels; the other two are L* and a*, as b* tells skin
    least. With frozen models OpenCV learns nothing here, and so draws no random numbers.
    """
    picture = lab[..., [0, 0, 1]]  # the first of these is overwritten
    picture[..., 0] = np.round(128 + STEP * np.clip(odds, -MOST_ODDS, MOST_ODDS))
    labels = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[odds < -MOST_ODDS] = cv2.GC_BGD
    labels[certain > 0] = cv2.GC_FGD
    offset = SPREAD**2 / (2 * STEP)
    background, hand = _one_gaussian(128 - offset), _one_gaussian(128 + offset)
    no_rectangle = (0, 0, 0, 0)
    cv2.grabCut(picture, labels, no_rectangle, background, hand, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return labels & np.uint8(1)  # GC_FGD and GC_PR_FGD are the odd ones


def _one_gaussian(mean: float) -> NDArray[np.float64]:
    """Return a mixture as OpenCV stores it, with one component, that asks for the first channel only."""
    weights = [1.0, 0, 0, 0, 0]
    means = [mean, 128, 128] + [0.0] * 12
    covariances = np.diag([SPREAD**2, 1e6, 1e6]).ravel().tolist() + np.eye(3).ravel().tolist() * 4
    return np.array([[*weights, *means, *covariances]])


def refined(mask: NDArray[np.uint8], small: Image, image: Image) -> Alpha:
    """Carry a mask that was cut in a small picture over to the large one, along the large one's edges.

    This is the guided filter: around each edge, alpha is the linear function of the small picture's
    colour that comes closest to the mask, and this function is then asked about the large picture's
    colours.

    Parameters
    ----------
    mask
        uint8 ``(h, w)``: 1 hand, 0 background.
    small
        uint8 ``(h, w, 3)``: the picture in which the mask was cut.
    image
        uint8 ``(H, W, 3)``: the same picture, at its own size.

    Returns
    -------
    ndarray
        uint8 ``(H, W)``: 0 background, 255 hand, soft only along the edges.

    References
    ----------
    He, Sun and Tang, "Guided image filtering", ECCV 2010; He and Sun, "Fast guided filter",
    arXiv:1505.00996, for the two sizes.
    """
    slope, offset = _linear_models(small.astype(np.float32), mask.astype(np.float32))
    size = image.shape[1], image.shape[0]
    alpha = cv2.resize(_mean(offset), size, interpolation=cv2.INTER_LINEAR)
    for channel in range(3):
        part = cv2.resize(_mean(slope[..., channel]), size, interpolation=cv2.INTER_LINEAR)
        alpha = alpha + part * image[..., channel]
    sharp = np.clip(0.5 + CONTRAST * (alpha - 0.5), 0, 1)
    return np.asarray(np.round(255 * sharp), np.uint8)


def _linear_models(
    guide: NDArray[np.float32], mask: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how the mask follows from the guide in each pixel's window: slopes (h, w, 3), offset (h, w)."""
    mean, share = _mean(guide), _mean(mask)
    slope, offset = np.zeros_like(guide), share.copy()
    mixed = (share > EPSILON) & (share < 1 - EPSILON)  # elsewhere the mask is constant: slope 0 is exact
    products = [[_mean(guide[..., i] * guide[..., j])[mixed] for i in range(3)] for j in range(3)]
    colour = mean[mixed]
    covariance = np.moveaxis(np.array(products), -1, 0) - colour[:, :, None] * colour[:, None, :]
    with_mask = _mean(guide * mask[..., None])[mixed] - colour * share[mixed, None]
    regular = covariance + SMOOTHNESS * np.eye(3, dtype=np.float32)
    slope[mixed] = np.linalg.solve(regular, with_mask[..., None])[..., 0]
    offset[mixed] -= (slope[mixed] * colour).sum(1)
    return slope, offset


def _mean(array: NDArray[np.float32]) -> NDArray[np.float32]:
    side = 2 * RADIUS + 1
    return np.asarray(cv2.blur(array, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)
