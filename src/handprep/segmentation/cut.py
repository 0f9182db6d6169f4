"""Which pixels of the network's window are hand: network, landmarks and colours, cut along edges."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.sample import Hand, Image
from handprep.segmentation import prior
from handprep.segmentation.prior import LogOdds

Pixels = NDArray[np.float32]  # (N, 3) colours, 0 to 255 each
Mask = NDArray[np.bool_]  # (H, W)

COMPONENTS = 3  # five, as in the GrabCut paper, are slower and no better
NOISE = 6.0  # variance of a camera's noise; no component is narrower
MOST_PIXELS = 2048  # to fit a model to; more change it little
MOST_ODDS = 6.0  # log-odds: no colour says more, and beyond them a pixel's side is certain
COLOUR_BITS = 6  # of each channel that tell colours apart when they are looked up

SIDE = 96  # pixels of the window in which the cut is made; twice as many take four times as long
NETWORK_GAIN = 0.8  # of the network's log-odds: it is surer than it is right
LEAST_SHARE = 0.01  # no answer of the network is surer
LANDMARK_GAIN = 0.15  # of the landmarks' log-odds, where
LANDMARK_ODDS = (-8.0, 4.0)  # is the most that they say
LEARNING_ODDS = 0.5  # log-odds beyond which a pixel's colour counts for its side
CUT_ODDS = 4.0  # what the coarse cut says to the window's own pixels

STEP = 8.0  # grey levels for one of log-odds
SPREAD = 20.0  # grey levels, standard deviation of the two Gaussians


def hand_mask(
    window: Image, share: NDArray[np.float32], inside: NDArray[np.uint8], hand: Hand, others: tuple[Hand, ...]
) -> tuple[NDArray[np.uint8], float]:
    """Return the mask of a hand, and how far it is to be trusted.

    The network's and the landmarks' log-odds decide from which pixels the colours of hand and background
    are learned: of none beyond the image (where `inside` is 0) or on other hands. All three together are cut
    along the edges of the window at `SIDE` pixels, and the cut has its say for the window's own pixels.
    `share` is the network's alpha, 0 … 1, and the mask is 1 for hand. The confidence is the intersection over
    union of the mask and of what the network alone takes for hand.
    """
    said = np.clip(prior.log_odds(share.shape, hand), *LANDMARK_ODDS)
    landmarks, certain = np.asarray(LANDMARK_GAIN * said, np.float32), prior.bones(share.shape, hand)
    likely = np.clip(share, LEAST_SHARE, 1 - LEAST_SHARE)
    odds = np.asarray(NETWORK_GAIN * np.log(likely / (1 - likely)) + landmarks, np.float32)
    lab = np.asarray(cv2.cvtColor(window, cv2.COLOR_RGB2LAB), np.uint8)
    of_hand = (inside > 0) & ((odds > LEARNING_ODDS) | (certain > 0))
    of_background = (inside > 0) & (odds < -LEARNING_ODDS) & (landmarks < 0)
    for other in others:
        of_background &= prior.log_odds(share.shape, other) < 0
    if of_hand.any() and of_background.any():  # else nothing is to be told apart
        odds = odds + colour_odds(lab, of_hand, of_background)
    scale = SIDE / len(share)
    small, small_odds = (cv2.resize(a, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for a in (lab, odds))
    shrunk = prior.bones((SIDE, SIDE), hand.transformed(geometry.scaling(scale, scale)))
    coarse = graph_cut(np.asarray(small, np.uint8), np.asarray(small_odds, np.float32), shrunk)
    size = window.shape[1], window.shape[0]
    towards = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) - np.float32(0.5)
    mask = np.where(odds + 2 * CUT_ODDS * towards > 0, np.uint8(1), certain)
    alone, together = share[inside > 0] > 0.5, mask[inside > 0] > 0
    return mask, float((alone & together).sum() / max(1, (alone | together).sum()))


def graph_cut(lab: Image, odds: LogOdds, certain: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mask that agrees best with log-odds for each pixel and with the image's edges.

    `lab` is CIE L*a*b*, `odds` of hand against background, and `certain` is 1 where hand certainly is.

    OpenCV lends its maximum-flow solver to `cv2.grabCut` alone, which wants mixtures of Gaussians
    instead of log-odds. So the log-odds are written into the first channel of an image, as `STEP` grey
    levels each around 128, and the two "mixtures" are one Gaussian each, in this channel at 128 ± m with
    variance s²: the log of their ratio at 128 + STEP·o is 2·m·STEP·o / s², and m = s² / (2·STEP) makes
    that o. The edges are those of all three channels; the other two are L* and a*, as b* tells skin
    least. With frozen models OpenCV learns nothing here, and so draws no random numbers.
    """
    image = lab[..., [0, 0, 1]]  # the first of these is overwritten
    image[..., 0] = np.round(128 + STEP * np.clip(odds, -MOST_ODDS, MOST_ODDS))
    labels = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[odds < -MOST_ODDS] = cv2.GC_BGD
    labels[certain > 0] = cv2.GC_FGD
    offset = SPREAD**2 / (2 * STEP)
    background, hand = _one_gaussian(128 - offset), _one_gaussian(128 + offset)
    no_rectangle = (0, 0, 0, 0)
    cv2.grabCut(image, labels, no_rectangle, background, hand, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return labels & np.uint8(1)  # GC_FGD and GC_PR_FGD are the odd ones


def _one_gaussian(mean: float) -> NDArray[np.float64]:
    """Return a mixture as OpenCV stores it, with one component, that asks for the first channel only."""
    weights = [1.0, 0, 0, 0, 0]
    means = [mean, 128, 128] + [0.0] * 12
    covariances = np.diag([SPREAD**2, 1e6, 1e6]).ravel().tolist() + np.eye(3).ravel().tolist() * 4
    return np.array([[*weights, *means, *covariances]])


@dataclass(frozen=True, slots=True)
class ColourModel:
    """A mixture of Gaussians."""

    means: NDArray[np.float32]  # (K, 3) colours
    whitening: NDArray[np.float32]  # (K, 3, 3): the inverse of each covariance's Cholesky factor
    log_weights: NDArray[np.float32]  # (K,) of each component's weight times its density at its mean

    def log_density(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the log density at each of ``(N, 3)`` colours, but for a constant of all models."""
        logs = np.stack(
            [
                weight - 0.5 * np.square((pixels - mean) @ white.T).sum(1)
                for mean, white, weight in zip(self.means, self.whitening, self.log_weights, strict=True)
            ]
        )
        most = logs.max(0)
        return most + np.log(np.exp(logs - most).sum(0))  # type: ignore[no-any-return]


def colour_odds(lab: Image, hand: Mask, background: Mask) -> NDArray[np.float32]:
    """Return what each pixel's colour says, learned from the pixels of either side.

    `lab` is CIE L*a*b*; each side has one pixel at least. The log-odds are at most `MOST_ODDS` either way.
    """
    of_hand, of_background = (fit(lab[side].astype(np.float32)) for side in (hand, background))
    coarse = (lab >> (8 - COLOUR_BITS)).astype(np.int32)
    codes = (coarse[..., 0] << 2 * COLOUR_BITS) | (coarse[..., 1] << COLOUR_BITS) | coarse[..., 2]
    there = np.flatnonzero(np.bincount(codes.ravel(), minlength=1 << 3 * COLOUR_BITS) > 0)
    steps = np.stack([there >> 2 * COLOUR_BITS, there >> COLOUR_BITS, there], -1) & ((1 << COLOUR_BITS) - 1)
    shades = ((steps << (8 - COLOUR_BITS)) + 2.0 ** (7 - COLOUR_BITS) - 0.5).astype(np.float32)
    said = np.zeros(1 << 3 * COLOUR_BITS, np.float32)
    said[there] = of_hand.log_density(shades) - of_background.log_density(shades)
    return np.asarray(np.clip(said, -MOST_ODDS, MOST_ODDS)[codes], np.float32)


def fit(pixels: Pixels) -> ColourModel:
    """Fit a mixture to colours by splitting them again and again.

    The cluster that varies most is cut in two through its mean, across its main axis, until there are
    enough. Unlike k-means this needs no random start: the same pixels always give the same model.

    References
    ----------
    Orchard and Bouman, "Color quantization of images", IEEE Trans. Signal Processing 39 (12), 1991.
    """
    pixels = pixels[:: -(-len(pixels) // MOST_PIXELS)]
    clusters = [pixels]
    spreads = [_main_axis(pixels)]
    while len(clusters) < COMPONENTS:
        widest = max(range(len(clusters)), key=lambda k: spreads[k][0])
        cluster, (spread, axis) = clusters[widest], spreads[widest]
        side = (cluster - cluster.mean(0)) @ axis > 0
        if spread <= NOISE or side.all() or not side.any():  # all of one colour, but for rounding
            break
        halves = [cluster[side], cluster[~side]]
        clusters[widest : widest + 1] = halves
        spreads[widest : widest + 1] = [_main_axis(half) for half in halves]
    return _mixture(clusters)


def _main_axis(cluster: Pixels) -> tuple[float, NDArray[np.float32]]:
    """Return the sum of squares along the direction of most variance, and that direction."""
    centred = cluster - cluster.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return float(values[-1]), vectors[:, -1]


def _mixture(clusters: list[Pixels]) -> ColourModel:
    total = sum(map(len, clusters))
    means = np.stack([cluster.mean(0) for cluster in clusters])
    centred = [cluster - mean for cluster, mean in zip(clusters, means, strict=True)]
    least = NOISE * np.eye(3, dtype=np.float32)
    covariances = np.stack([part.T @ part / len(part) + least for part in centred])
    whitening = np.asarray(np.linalg.inv(np.linalg.cholesky(covariances)), np.float32)
    shares = np.array([len(cluster) / total for cluster in clusters])
    log_weights = np.asarray(np.log(shares) + np.log(np.linalg.det(whitening)), np.float32)
    return ColourModel(means, whitening, log_weights)
