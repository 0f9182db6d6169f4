"""Colour models: mixtures of Gaussians that tell a hand's colours from its background's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handprep.sample import Image

Pixels = NDArray[np.float32]  # (N, 3) colours, 0 to 255 each
Mask = NDArray[np.bool_]  # (H, W)

COMPONENTS = 3  # five, as in the GrabCut paper, are slower and no better
NOISE = 6.0  # variance of a camera's noise; no component is narrower
MOST_PIXELS = 2048  # to fit a model to; more change it little
MOST_ODDS = 6.0  # no colour says more
BITS = 6  # of each channel that tell colours apart when they are looked up


@dataclass(frozen=True, slots=True)
class ColourModel:
    """A mixture of Gaussians.

    `log_weights` are of each component's weight times its density at its mean.
    """

    means: NDArray[np.float32]  # (K, 3) colours
    whitening: NDArray[np.float32]  # (K, 3, 3): the inverse of each covariance's Cholesky factor
    log_weights: NDArray[np.float32]  # (K,)

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


def log_odds(lab: Image, hand: Mask, background: Mask) -> NDArray[np.float32]:
    """Return what each pixel's colour says, learned from the pixels of either side.

    `lab` is CIE L*a*b*; each side has one pixel at least. The log-odds are at most `MOST_ODDS` either way.
    """
    of_hand, of_background = (fit(lab[side].astype(np.float32)) for side in (hand, background))
    coarse = (lab >> (8 - BITS)).astype(np.int32)
    codes = (coarse[..., 0] << 2 * BITS) | (coarse[..., 1] << BITS) | coarse[..., 2]
    there = np.flatnonzero(np.bincount(codes.ravel(), minlength=1 << 3 * BITS) > 0)
    steps = np.stack([there >> 2 * BITS, there >> BITS, there], -1) & ((1 << BITS) - 1)
    shades = ((steps << (8 - BITS)) + 2.0 ** (7 - BITS) - 0.5).astype(np.float32)
    said = np.zeros(1 << 3 * BITS, np.float32)
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
