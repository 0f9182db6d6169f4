"""Find the hand's pixels: with the matting network, the landmarks and the image's colours."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry, models
from handprep.configurable import Configurable, check_choice, check_flags, check_whole
from handprep.errors import ModelError
from handprep.geometry import Affine
from handprep.images import check_rgb
from handprep.images.arrays import resized
from handprep.models.onnx import LONGEST_INPUT, failures, first_line, open_session, outputs
from handprep.runtime import per_thread
from handprep.sample import Alpha, Hand, Image
from handprep.segmentation import cut, edges, framing, prior
from handprep.segmentation.base import connected_to, moved_to, own_path, pixels_within

NETWORK = Path(__file__).with_name("hand_matte.onnx")
SHA256 = "5f9631fb8a733e400ed2f04df7f25cbada6e330b22fd4014e0d6829dc4fbe7c9"  # of that file
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
        check_flags(self, "fast")
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
            there = geometry.apply_to_box(geometry.invert(toward), (0, 0, network.side, network.side))
            place = pixels_within(there, image)
            if image[place].size:
                toward = geometry.compose(geometry.translation(place[1].start, place[0].start), toward)
                nearby = moved_to(place, (hand, *hands[:number], *hands[number + 1 :]))
                found, confidence = self._one(network, image[place], nearby, toward)
                alpha[place] = np.maximum(alpha[place], found)
                confidences.append(confidence)
                areas.append(float(found.mean()) * found.size)
        return alpha, None if self.fast else float(np.average(confidences, weights=areas))

    def _one(
        self, network: "Network", image: Image, hands: list[Hand], toward: Affine
    ) -> tuple[Alpha, float]:
        """Return the alpha of the first hand in its surroundings; `toward` maps these to the window."""
        small, shrink = _shrunk(image, FINEST * geometry.scale_of(toward), round)
        hands = [hand.transformed(shrink) for hand in hands]
        toward = geometry.compose(geometry.invert(shrink), toward)
        window, inside = _seen(small, toward, network.side)
        seen, *others = (hand.transformed(toward) for hand in hands)
        share = network.alpha(window, framing.drawing(seen, network.side))
        if self.fast:
            mask, confidence = np.maximum(share > 0.5, prior.bones(share.shape, seen)).astype(np.uint8), 1.0
        else:
            mask, confidence = cut.hand_mask(window, share, inside, seen, tuple(others))
        mask = _of_hand(mask * np.uint8(255), seen) // np.uint8(255)
        alpha = edges.refined(window, mask, small, toward)
        alpha = _of_hand(alpha, hands[0])  # the image's own edges may have cut something off
        if self.keep == "hand" and seen.landmarks is not None:
            alpha = _without_arm(alpha, hands[0])
        return np.asarray(resized(alpha, image.shape[1::-1], cv2.INTER_LINEAR), np.uint8), confidence

    def _open(self) -> "Network":
        path, found = models.fetch(self._file), models.fingerprint(self._file)
        if self.network is None and found != SHA256:
            raise ModelError(
                f"{path} is not the network that handprep ships: its sha256 is {found}, not {SHA256}; "
                "install handprep anew"
            )
        return Network(path, self.threads)


class Network:
    """A network of examples/train_matte, open: a window of `side` pixels with drawing in, alpha out."""

    def __init__(self, path: Path, threads: int) -> None:
        try:
            self._session = open_session(path, threads)
        except failures() as error:
            raise ModelError(
                f"ONNX Runtime cannot open the matting network {path}: {first_line(error)}; export it anew"
            ) from error
        self._path = path
        shapes: list[Any] = [node.shape for node in self._session.get_inputs()]
        side = shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 4 else None
        if not isinstance(side, int) or not 0 < side <= LONGEST_INPUT or shapes[0][2:] != [side, 4]:
            raise ModelError(f"{path} is no matting network of train_matte: its inputs have shapes {shapes}")
        self.side: int = side
        self._input: str = self._session.get_inputs()[0].name

    def alpha(self, window: Image, drawing: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(S, S)`` alpha, 0 … 1, of an ``(S, S, 3)`` window."""
        given = np.dstack([window, drawing])[None]
        try:
            found = np.asarray(outputs(self._session, {self._input: given})[0])
        except failures() as error:
            raise ModelError(f"the matting network {self._path} failed: {first_line(error)}") from error
        shape = (1, self.side, self.side)
        if found.shape != shape or found.dtype.kind != "f" or not np.isfinite(found).all():
            raise ModelError(
                f"{self._path} is no matting network of train_matte: it gave {found.dtype} {found.shape}, "
                f"not finite numbers of shape {shape}"
            )
        return np.asarray(found[0], np.float32)


def _seen(image: Image, toward: Affine, side: int) -> tuple[Image, NDArray[np.uint8]]:
    """Return the window on an image, whose border goes on beyond it, and 1 where it shows the image."""
    scale, size = geometry.scale_of(toward), (side, side)
    inside = cv2.warpAffine(np.ones(image.shape[:2], np.uint8), geometry.in_pixel_centres(toward), size)
    small, shrink = _shrunk(image, scale if scale < MOST_SHRUNK else 1, math.ceil)
    matrix = geometry.in_pixel_centres(geometry.compose(geometry.invert(shrink), toward))
    window = cv2.warpAffine(small, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(window, np.uint8), np.asarray(inside, np.uint8)


def _shrunk(image: Image, scale: float, whole: Callable[[float], int]) -> tuple[Image, Affine]:
    """Return an image shrunk by area averaging to a scale below 1, and the map from its pixels to these."""
    size = image.shape[1], image.shape[0]
    small = size if scale >= 1 else (max(1, whole(size[0] * scale)), max(1, whole(size[1] * scale)))
    shrunk = np.asarray(resized(image, small, cv2.INTER_AREA), np.uint8)
    return shrunk, geometry.scaling(small[0] / size[0], small[1] / size[1])


def _of_hand(alpha: Alpha, hand: Hand) -> Alpha:
    """Return what is connected to the hand's bones, its small holes closed."""
    if hand.landmarks is None:
        return alpha
    return connected_to(alpha, prior.bones(alpha.shape, hand) > 0, largest_hole=LARGEST_HOLE)


def _without_arm(alpha: Alpha, hand: Hand) -> Alpha:
    """Return the alpha cut off below the wrist, one pixel soft, but for fingers that reach there."""
    assert hand.landmarks is not None
    length = prior.palm_length(hand)
    down, offset = framing.wrist_line(hand.landmarks, length, BELOW_WRIST)
    y, x = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    beyond = (x + 0.5) * down[0] + (y + 0.5) * down[1] - offset
    bones = prior.bones(alpha.shape, hand)
    away = cv2.distanceTransform(1 - bones, cv2.DIST_L2, cv2.DIST_MASK_5) - prior.HALF_A_FINGER * length
    beyond = np.minimum(beyond, away)
    return np.asarray(alpha * np.clip(0.5 - beyond, 0, 1), np.uint8)


def _filling(image: Image) -> Hand:
    """Return the hand that an image is taken to show where none is known."""
    height, width = image.shape[:2]
    x, y = UNKNOWN * width, UNKNOWN * height
    return Hand(box=(x, y, width - x, height - y), score=0.0)
