"""Find the hand's pixels: with the matting network, the landmarks and the image's colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry, models
from handprep.configurable import Configurable, check_choice, check_whole
from handprep.geometry import Affine
from handprep.images import check_rgb
from handprep.runtime import per_thread
from handprep.sample import Alpha, Hand, Image
from handprep.segmentation import cut, edges, framing, prior
from handprep.segmentation.base import connected_to, own_path, pixels_within
from handprep.segmentation.network import NETWORK, Network, check_shipped

MOST_SHRUNK = 0.6  # window pixels for one of the image, below which a warp would skip pixels
BELOW_WRIST = 0.1  # palm lengths below the wrist's landmark where keep="hand" cuts
FINEST = 4  # image pixels for one of the window, in which edges are worth finding
LARGEST_HOLE = 0.006  # of the mask's area; larger ones are background, seen between fingers
UNKNOWN = 0.05  # border of an image with unknown hands, which is taken for background


@dataclass(frozen=True, slots=True, kw_only=True)
class HandMatte(Configurable):
    """Find the hand's pixels with a small network, the landmarks and the image's colours.

    The network (`hand_matte.onnx`, 1.59 million weights) ships with handprep and runs on ONNX Runtime. It
    sees the surroundings of one hand at a time, turned upright, with the landmarks drawn in a fourth
    channel; other hands, faces and arms are background to it. Its answer and the landmarks say from which
    pixels the colours of hand and background are learned. A graph cut through all three gives the mask,
    which contains the hand's bones, and the mask is brought to the image's own pixels along its edges. What
    does not touch the hand is dropped. Of several hands, each is cut out and all are kept.

    A hand known by its box alone is found less surely, and so is one in an image without any known hand,
    which is then taken to fill it. Of a forearm, as much is kept as is seen about 1.5 palm lengths below
    the wrist; sleeves count as background. The same input always gives the same result, in any thread.

    Parameters
    ----------
    keep
        ``"hand+forearm"``, or ``"hand"``: cut at the wrist. Hands without landmarks are not cut.
    fast
        Whether to go by network and bones alone, without colours and cut, in about two thirds of the time.
    network
        Path of a network of your own training (`examples/train_matte`); None for handprep's.
    threads
        Threads within the network. One is best for many images: use several callers instead.

    Raises
    ------
    InputError
        If a parameter is out of its range.
    ModelError
        If there is no such network.

    References
    ----------
    Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation",
    MICCAI 2015. Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated
    graph cuts", SIGGRAPH 2004; with log-odds for each pixel in place of its user's rectangle.

    Examples
    --------
    >>> HandMatte(keep="hand")
    HandMatte(keep='hand', fast=False, network=None, threads=1)
    """

    keep: Literal["hand+forearm", "hand"] = "hand+forearm"
    fast: bool = False
    network: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        check_choice("keep", self.keep, ("hand+forearm", "hand"))
        check_choice("fast", self.fast, (True, False))
        check_whole("threads", self.threads, 1, 1024)
        if self.network is not None:
            object.__setattr__(self, "network", own_path("network", self.network))

    @property
    def _file(self) -> str:
        return models.own_file(NETWORK if self.network is None else self.network)

    @property
    def model_files(self) -> frozenset[str]:
        """The network's file."""
        return frozenset({self._file})

    def segment(self, image: Image, hands: tuple[Hand, ...]) -> Alpha:
        """Return how much of each pixel is hand (see `Segmenter.segment`).

        Raises
        ------
        ModelError
            If the network's file is not there, damaged, or no network of this kind.
        """
        return self.segment_rated(image, hands)[0]

    def segment_rated(self, image: Image, hands: tuple[Hand, ...]) -> tuple[Alpha, float | None]:
        """Return alpha, and how far it is to be trusted (see `RatingSegmenter.segment_rated`).

        The confidence is the intersection over union of the mask and of what the network alone takes for
        hand, on average over the hands' areas; None if `fast`.
        """
        check_rgb(image)
        alpha = np.zeros(image.shape[:2], np.uint8)
        network = per_thread(("matte", self._file, models.fingerprint(self._file), self.threads), self._open)
        confidences, areas = [0.0], [1e-9]
        hands = hands or (_filling(image),)
        for number, hand in enumerate(hands):
            toward = framing.window(hand, network.side)
            corners = [(0, 0), (network.side, 0), (0, network.side), (network.side, network.side)]
            there = geometry.enclosing_box(geometry.apply(geometry.invert(toward), corners))
            left, top, right, bottom = pixels_within(there, image)
            if left < right and top < bottom:
                place = np.s_[top:bottom, left:right]
                toward = geometry.compose(geometry.translation(left, top), toward)
                shift = geometry.translation(-left, -top)
                nearby = [other.transformed(shift) for other in (hand, *hands[:number], *hands[number + 1 :])]
                found, confidence = self._one(network, image[place], nearby, toward)
                alpha[place] = np.maximum(alpha[place], found)
                confidences.append(confidence)
                areas.append(float(found.mean()) * found.size)
        return alpha, None if self.fast else float(np.average(confidences, weights=areas))

    def _one(self, network: Network, image: Image, hands: list[Hand], toward: Affine) -> tuple[Alpha, float]:
        """Return the alpha of the first hand in its surroundings; `toward` maps these to the window."""
        size, scale = (image.shape[1], image.shape[0]), FINEST * geometry.scale_of(toward)
        if scale < 1:
            small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
            shrink = geometry.scaling(small[0] / size[0], small[1] / size[1])
            image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
            hands = [hand.transformed(shrink) for hand in hands]
            toward = geometry.compose(geometry.invert(shrink), toward)
        window, inside = _seen(image, toward, network.side)
        seen, *others = (hand.transformed(toward) for hand in hands)
        share = network.alpha(window, framing.drawing(seen, network.side))
        if self.fast:
            mask, confidence = np.maximum(share > 0.5, cut.bones(share.shape, seen)).astype(np.uint8), 1.0
        else:
            mask, confidence = cut.hand_mask(window, share, inside, seen, tuple(others))
        mask = _of_hand(mask * np.uint8(255), seen) // np.uint8(255)
        alpha = edges.refined(window, mask, image, toward)
        alpha = _of_hand(alpha, hands[0])  # the image's own edges may have cut something off
        if self.keep == "hand" and seen.landmarks is not None:
            alpha = _without_arm(alpha, hands[0])
        if scale < 1:
            alpha = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        return alpha, confidence

    def _open(self) -> Network:
        path = models.fetch(self._file)
        if self.network is None:
            check_shipped(path)
        return Network(path, self.threads)


def _seen(image: Image, toward: Affine, side: int) -> tuple[Image, NDArray[np.uint8]]:
    """Return the window on an image, whose border goes on beyond it, and 1 where it shows the image."""
    matrix, size = geometry.in_pixel_centres(toward), (side, side)
    inside = cv2.warpAffine(np.ones(image.shape[:2], np.uint8), matrix, size)
    scale = geometry.scale_of(toward)
    if scale < MOST_SHRUNK:
        small = [max(1, math.ceil(length * scale)) for length in (image.shape[1], image.shape[0])]
        shrinking = geometry.scaling(small[0] / image.shape[1], small[1] / image.shape[0])
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = geometry.in_pixel_centres(geometry.compose(geometry.invert(shrinking), toward))
    window = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(window, np.uint8), np.asarray(inside, np.uint8)


def _of_hand(alpha: Alpha, hand: Hand) -> Alpha:
    """Return what is connected to the hand's bones, its small holes closed."""
    if hand.landmarks is None:
        return alpha
    bones = prior.skeleton((alpha.shape[0], alpha.shape[1]), hand)
    return connected_to(alpha, bones > 0, largest_hole=LARGEST_HOLE)


def _without_arm(alpha: Alpha, hand: Hand) -> Alpha:
    """Return the alpha cut off below the wrist, one pixel soft, but for fingers that reach there."""
    assert hand.landmarks is not None
    length = prior.palm_length(hand)
    down, offset = framing.wrist_line(hand.landmarks, length, BELOW_WRIST)
    y, x = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    beyond = (x + 0.5) * down[0] + (y + 0.5) * down[1] - offset
    bones = prior.skeleton((alpha.shape[0], alpha.shape[1]), hand)
    away = cv2.distanceTransform(1 - bones, cv2.DIST_L2, cv2.DIST_MASK_5) - prior.HALF_A_FINGER * length
    beyond = np.minimum(beyond, away)
    return np.asarray(alpha * np.clip(0.5 - beyond, 0, 1), np.uint8)


def _filling(image: Image) -> Hand:
    """Return the hand that an image is taken to show where none is known."""
    height, width = image.shape[:2]
    x, y = UNKNOWN * width, UNKNOWN * height
    return Hand(box=(x, y, width - x, height - y), score=0.0)
