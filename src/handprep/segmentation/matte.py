"""handprep's own matting network, guided by the hands' landmarks."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry, models
from handprep.configurable import Configurable, check_choice, check_whole
from handprep.errors import InputError, ModelError
from handprep.geometry import Affine
from handprep.models.runtime import failures, first_line, opened
from handprep.opened import per_thread
from handprep.sample import Alpha, Hand, Image
from handprep.segmentation import framing, prior
from handprep.segmentation.base import check_picture, connected_to, pixels_within
from handprep.segmentation.guided import local_lines

NETWORK = Path(__file__).with_name("hand_matte.onnx")
SHA256 = "9b8058e3d5f770eb8d8bc83a69704dcb727bc7002461ac77d3b04f3b4557f69e"  # of that file

MOST_SHRUNK = 0.6  # window pixels for one of the picture, below which a warp would skip pixels
BELOW_WRIST = 0.15  # palm lengths below the wrist's landmark where keep="hand" cuts
LARGEST_HOLE = 0.003  # of the mask's area; the network rarely errs here: larger ones are seen between fingers
UNKNOWN = 0.05  # border of a picture with unknown hands, which is taken for background
CONTRAST = 2.0  # network and filter blur what the camera had sharper
FINER = 1.1  # picture pixels for one of the window, from which edges are worth refining


@dataclass(frozen=True, slots=True, kw_only=True)
class HandMatte(Configurable):
    """Find the hand's pixels with a small network that was trained for nothing else.

    The network (`hand_matte.onnx`, 0.83 million weights) ships with handprep and runs on ONNX Runtime. It
    sees the surroundings of one hand at a time, turned upright, with the landmarks drawn in a fourth
    channel; other hands, faces and arms are background to it. Its answer is brought to the picture's own
    resolution along the picture's edges, and what does not touch the hand is dropped. Of several hands,
    each is cut out and all are kept.

    A hand known by its box alone is found less surely, and so is one in a picture without any known hand,
    which is then taken to fill it. Of a forearm, as much is kept as is seen about 1.5 palm lengths below
    the wrist; sleeves count as background. The same input always gives the same result, in any thread.

    Parameters
    ----------
    keep
        ``"hand+forearm"``, or ``"hand"``: cut at the wrist. Hands without landmarks are not cut.
    network
        Path of a network of your own training (`examples/train_matte`); None for handprep's.
    threads
        Threads within the network. One is best for many pictures: use several callers instead.

    Raises
    ------
    InputError
        If a parameter is out of its range.
    ModelError
        If there is no such network.

    References
    ----------
    Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation",
    MICCAI 2015. He and Sun, "Fast guided filter", arXiv 1505.00996, 2015.

    Examples
    --------
    >>> HandMatte(keep="hand")
    HandMatte(keep='hand', network=None, threads=1)
    """

    keep: Literal["hand+forearm", "hand"] = "hand+forearm"
    network: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        check_choice("keep", self.keep, ("hand+forearm", "hand"))
        check_whole("threads", self.threads, 1, 1024)
        if self.network is not None:
            if not isinstance(self.network, str | os.PathLike) or not os.fspath(self.network):
                raise InputError(f"network must be the path of an ONNX file or None, not {self.network!r}")
            object.__setattr__(self, "network", os.fspath(self.network))
            models.fetch(self._file)  # so that a missing file is refused here, not at the first picture

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
        check_picture(image)
        alpha = np.zeros(image.shape[:2], np.uint8)
        network = per_thread(("matte", self._file, models.fingerprint(self._file), self.threads), self._open)
        for hand in hands or (_filling(image),):
            toward = framing.window(hand, network.side)
            corners = [(0, 0), (network.side, 0), (0, network.side), (network.side, network.side)]
            there = geometry.enclosing_box(geometry.apply(geometry.invert(toward), corners))
            left, top, right, bottom = pixels_within(there, image)
            if left < right and top < bottom:
                place = np.s_[top:bottom, left:right]
                forward = geometry.compose(geometry.translation(left, top), toward)
                nearby = hand.moved(geometry.translation(-left, -top))
                found = self._one(network, image[place], nearby, forward)
                alpha[place] = np.maximum(alpha[place], found)
        return alpha

    def _one(self, network: _Network, image: Image, hand: Hand, toward: Affine) -> Alpha:
        """Return the alpha of one hand in its surroundings; `toward` maps these to the window."""
        size = image.shape[1], image.shape[0]
        window = _seen(image, toward, network.side)
        seen = hand.moved(toward)
        small = network.alpha(window, framing.drawing(seen, network.side))
        if hand.landmarks is not None:
            small = _of_hand(small, seen)
        back = geometry.invert(toward)
        if geometry.scale_of(back) < FINER:
            alpha = _warped(small, back, size)
        else:
            alpha = local_lines(window, small).alpha(image, lambda plane: _warped(plane, back, size))
        alpha8 = np.asarray(np.clip(255 * (CONTRAST * (alpha - 0.5) + 0.5) + 0.5, 0, 255), np.uint8)
        cut = self.keep == "hand" and hand.landmarks is not None
        return _without_arm(alpha8, hand) if cut else alpha8

    def _open(self) -> _Network:
        path = models.fetch(self._file)
        if self.network is None:
            _check_shipped(path)
        return _Network(path, self.threads)


class _Network:
    """An open session: uint8 window with drawing in, alpha 0 … 1 out."""

    def __init__(self, path: Path, threads: int) -> None:
        try:
            self._session = opened(path, threads)
        except failures() as error:
            raise ModelError(
                f"ONNX Runtime cannot open the matting network {path}: {first_line(error)}; export it anew"
            ) from error
        self._path = path
        shapes: list[Any] = [node.shape for node in self._session.get_inputs()]
        if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != shapes[0][2] or shapes[0][3] != 4:
            raise ModelError(f"{path} is no matting network of train_matte: its inputs have shapes {shapes}")
        self.side: int = shapes[0][1]
        self._input: str = self._session.get_inputs()[0].name

    def alpha(self, window: Image, drawing: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(S, S)`` alpha, 0 … 1, of an ``(S, S, 3)`` window."""
        given = np.dstack([window, drawing])[None]
        try:
            found = np.asarray(self._session.run(None, {self._input: given})[0])
        except failures() as error:
            raise ModelError(f"the matting network {self._path} failed: {first_line(error)}") from error
        shape = (1, self.side, self.side)
        if found.shape != shape or found.dtype.kind != "f" or not np.isfinite(found).all():
            raise ModelError(
                f"{self._path} is no matting network of train_matte: it gave {found.dtype} {found.shape}, "
                f"not finite numbers of shape {shape}"
            )
        return np.asarray(found[0], np.float32)


def _check_shipped(path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ModelError(
            f"{path} is not the network that handprep ships: its sha256 is {found}, not {SHA256}; "
            "install handprep anew"
        )


def _seen(image: Image, toward: Affine, side: int) -> Image:
    """Return the window on a picture; beyond the picture, its border goes on."""
    scale = geometry.scale_of(toward)
    if scale < MOST_SHRUNK:
        size = [max(1, math.ceil(length * scale)) for length in (image.shape[1], image.shape[0])]
        shrinking = geometry.scaling(size[0] / image.shape[1], size[1] / image.shape[0])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        toward = geometry.compose(geometry.invert(shrinking), toward)
    matrix = geometry.in_pixel_centres(toward)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _of_hand(alpha: NDArray[np.float32], hand: Hand) -> NDArray[np.float32]:
    """Return what is connected to the hand in the window, its small holes closed."""
    alpha8 = np.asarray(alpha * 255 + 0.5, np.uint8)
    bones = prior.skeleton((alpha.shape[0], alpha.shape[1]), hand)
    return np.asarray(
        connected_to(alpha8, bones > 0, largest_hole=LARGEST_HOLE) / np.float32(255), np.float32
    )


def _warped(plane: NDArray[np.float32], back: Affine, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return what lies in the window, 0 outside of it, at the picture's resolution."""
    return np.asarray(cv2.warpAffine(plane, geometry.in_pixel_centres(back), size), np.float32)


def _without_arm(alpha: Alpha, hand: Hand) -> Alpha:
    """Return the alpha cut off below the wrist, with an edge one pixel soft."""
    assert hand.landmarks is not None
    down, offset = framing.wrist_line(hand.landmarks, prior.palm_length(hand), BELOW_WRIST)
    y, x = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
    beyond = (x + 0.5) * down[0] + (y + 0.5) * down[1] - offset
    return np.asarray(alpha * np.clip(0.5 - beyond, 0, 1), np.uint8)


def _filling(image: Image) -> Hand:
    """Return the hand that a picture is taken to show where none is known."""
    height, width = image.shape[:2]
    x, y = UNKNOWN * width, UNKNOWN * height
    return Hand(box=(x, y, width - x, height - y), score=0.0)
