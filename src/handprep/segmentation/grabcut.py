"""GrabCut, guided by the hands' landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.configurable import Configurable, check_whole
from handprep.sample import Alpha, Hand, Image
from handprep.segmentation import colours, prior
from handprep.segmentation.base import check_picture, connected_to, pixels_within
from handprep.segmentation.cut import graph_cut, refined
from handprep.segmentation.prior import LogOdds

LEARNING_ODDS = 1.0  # log-odds beyond which a pixel's colour counts for its side before the first cut
RELEARNING_ODDS = -3.5  # log-odds below which it never counts for the hand, whatever the cut said
MOST_COLOUR_ODDS = 6.0  # no colour outvotes more of the prior's log-odds
LONGEST_REFINED = 1024  # pixels; edges of larger pictures are soft enough when enlarged
MOST_ITERATIONS = 10  # they have long settled by then
BORDER = 0.05  # of a picture with unknown hands, which is taken for background


@dataclass(frozen=True, slots=True, kw_only=True)
class GrabCut(Configurable):
    """Find the hand's pixels from its landmarks and the picture's colours, without a trained network.

    The landmarks say where hand is likely, models of the hand's and the background's colours say more,
    and a graph cut draws the border along the picture's edges. Hand and bare forearm are kept, the
    latter for about its half. Several hands are found together.

    A hand known by its box alone is taken to fill the box's middle, which works less well. Without any
    hand the whole picture counts as such a box. The same input always gives the same result, in any
    thread: no random numbers are used.

    Parameters
    ----------
    iterations
        How often the colours are learned and the cut is made, 1 to 10.
    resolution
        Length of a palm, from wrist to middle knuckle, in the picture in which the cut is made, in
        pixels, 16 to 512. Larger is finer and slower. Pictures are never enlarged for it.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    References
    ----------
    Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph
    cuts", SIGGRAPH 2004; with a prior for each pixel in place of its user's rectangle.

    Examples
    --------
    >>> import numpy as np
    >>> from handprep.sample import Hand
    >>> picture = np.full((60, 80, 3), 90, np.uint8)
    >>> picture[20:40, 30:50] = 220, 180, 150
    >>> alpha = GrabCut().segment(picture, (Hand(box=(28, 18, 52, 42), score=1.0),))
    >>> int(alpha[30, 40]), int(alpha[5, 5])
    (255, 0)
    """

    iterations: int = 2
    resolution: int = 64

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, 1, MOST_ITERATIONS)
        check_whole("resolution", self.resolution, 16, 512)

    def segment(self, image: Image, hands: tuple[Hand, ...]) -> Alpha:
        """Return how much of each pixel is hand (see `Segmenter.segment`)."""
        check_picture(image)
        alpha = np.zeros(image.shape[:2], np.uint8)
        hands = hands or (_filling(image),)
        for hand in hands:
            left, top, right, bottom = pixels_within(prior.reach(hand), image)
            if left >= right or top >= bottom:
                continue
            window = np.s_[top:bottom, left:right]
            there = tuple(other.moved(geometry.translation(-left, -top)) for other in hands)
            found = self._around_one(image[window], there, prior.palm_length(hand))
            alpha[window] = np.maximum(alpha[window], found)
        return alpha

    def _around_one(self, image: Image, hands: tuple[Hand, ...], length: float) -> Alpha:
        image_size = image.shape[1], image.shape[0]
        image = _scaled(image, min(1.0, LONGEST_REFINED / max(image_size)))
        small = _scaled(image, min(1.0, self.resolution * image_size[0] / (length * image.shape[1])))
        shrinking = geometry.scaling(small.shape[1] / image_size[0], small.shape[0] / image_size[1])
        mask = self._mask(small, tuple(hand.moved(shrinking) for hand in hands))
        alpha = refined(mask, small, image)
        return np.asarray(cv2.resize(alpha, image_size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _mask(self, image: Image, hands: tuple[Hand, ...]) -> NDArray[np.uint8]:
        """Return 1 where hand is, else 0, in a small picture."""
        shape = image.shape[0], image.shape[1]
        odds = reduce(np.maximum, (prior.log_odds(shape, hand) for hand in hands))
        certain = reduce(np.maximum, (prior.skeleton(shape, hand) for hand in hands))
        lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8)
        hand, background = odds > LEARNING_ODDS, odds < -LEARNING_ODDS
        mask = (odds > 0).astype(np.uint8)
        for _ in range(int(self.iterations)):
            if not hand.any() or not background.any():  # nothing to tell apart
                break
            mask = graph_cut(lab, odds + _colour_odds(lab, hand, background, odds), certain)
            hand, background = (mask > 0) & (odds > RELEARNING_ODDS), mask == 0
        return connected_to(mask * np.uint8(255), certain > 0) // np.uint8(255)


def _colour_odds(
    lab: Image, hand: NDArray[np.bool_], background: NDArray[np.bool_], odds: LogOdds
) -> LogOdds:
    """Return what each pixel's colour adds to the log-odds, learned from the pixels of either side."""
    pixels = lab.astype(np.float32)
    of_hand, of_background = colours.fit(pixels[hand]), colours.fit(pixels[background])
    open_to_doubt = odds > -2 * MOST_COLOUR_ODDS
    asked = pixels[open_to_doubt]
    said = of_hand.log_density(asked) - of_background.log_density(asked)
    added = np.zeros_like(odds)
    added[open_to_doubt] = np.clip(said, -MOST_COLOUR_ODDS, MOST_COLOUR_ODDS)
    return added


def _scaled(image: Image, factor: float) -> Image:
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    if size == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _filling(image: Image) -> Hand:
    """Return the hand that a picture is taken to show where none is known."""
    height, width = image.shape[:2]
    x, y = BORDER * width, BORDER * height
    return Hand(box=(x, y, width - x, height - y), score=0.0)
