"""Crop to the hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from handprep import geometry
from handprep.configurable import check_choice, check_range, model_files_of
from handprep.detection import detector_named
from handprep.detection.base import HandDetector
from handprep.errors import HandNotFoundError, ImageError, InputError, SampleSkipped
from handprep.geometry import Affine, Box
from handprep.images import MAX_PIXELS
from handprep.landmarks import HandLandmark
from handprep.sample import Hand, Sample
from handprep.transforms.base import Transform

SCORES = {
    "best": lambda hand: hand.score,
    "largest": lambda hand: (hand.box[2] - hand.box[0]) * (hand.box[3] - hand.box[1]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HandCropper(Transform):
    """Find the hand and crop to it.

    A sample whose hands are known already is cropped to these, without looking again.

    Parameters
    ----------
    detector
        ``"litert"`` (MediaPipe's networks on LiteRT), ``"openvino-f32"`` or ``"openvino-bf16"`` (the same on
        OpenVINO, the extra ``handprep[openvino]``), ``"mediapipe"`` (Google's package, the extra
        ``handprep[mediapipe]``), or any `HandDetector`.
    confidence
        Least score of a palm and of a hand, 0 to 1, for a detector given by name.
    margin
        Share of the box's long side that is added on every side. Landmarks lie inside of the hand, so
        that 0 cuts finger tips off; 0.2 keeps at least 99 % of the hand in more than 99 % of 2,188 photos
        (tests/benchmarks/crop_quality.py).
    square
        Whether the crop is made square, as far as the picture reaches.
    hand
        Which of several hands: the ``"best"`` (highest score) or the ``"largest"`` (box area).
    upright
        Whether the picture is turned so that the line from the wrist to the middle finger's knuckle
        points up. What lies outside of the photo then is black. A hand without landmarks is not turned.
    mirror
        ``"right"`` shows every hand as a right hand, ``"left"`` as a left hand, None leaves it.
    search
        Whether to look again at other views of the picture (`SearchingDetector`) where nothing is found.
    on_missing
        What to do when there is no hand: ``"keep"`` the whole picture, crop to its ``"center"`` square,
        ``"raise"`` `HandNotFoundError`, or ``"skip"`` the sample: `Pipeline.map` and the command line
        leave it out, a single call raises `SampleSkipped`.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Examples
    --------
    >>> HandCropper(margin=0.3, square=True)  # doctest: +ELLIPSIS
    HandCropper(detector='litert', confidence=0.1, margin=0.3, square=True, ...)
    """

    detector: str | HandDetector = "litert"
    confidence: float = 0.1
    margin: float = 0.2
    square: bool = False
    hand: Literal["best", "largest"] = "best"
    upright: bool = False
    mirror: Literal["left", "right"] | None = None
    search: bool = True
    on_missing: Literal["keep", "center", "raise", "skip"] = "keep"

    def __post_init__(self) -> None:
        if not isinstance(self.detector, str | HandDetector):
            raise InputError(f"detector must be a name or have a detect method, not {self.detector!r}")
        check_range("confidence", self.confidence, 0, 1)
        check_range("margin", self.margin, 0, 10)
        check_choice("hand", self.hand, tuple(SCORES))
        check_choice("mirror", self.mirror, (None, "left", "right"))
        check_choice("on_missing", self.on_missing, ("keep", "center", "raise", "skip"))
        self.finder()  # so that an unknown name is refused here, not at the first picture

    def finder(self) -> HandDetector:
        """Return the detector that these parameters stand for."""
        return detector_named(self.detector, confidence=self.confidence, search=self.search)

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the detector."""
        return model_files_of(self.finder())

    @property
    def looks(self) -> bool:
        """True."""
        return True

    def model_files_after(self, looked: bool) -> frozenset[str]:
        """Return the detector's, or none where the hands are known."""
        return frozenset() if looked else self.model_files

    def apply(self, sample: Sample) -> Sample:
        """Return the sample, cropped, with the chosen hand first."""
        hands = sample.hands if sample.hands is not None else self.finder().detect(sample.rgb)
        if not hands:
            return self._without_hand(replace(sample, hands=()))
        chosen = max(hands, key=SCORES[self.hand])
        sample = replace(sample, hands=(chosen, *(hand for hand in hands if hand is not chosen)))
        turned = self.upright and chosen.landmarks is not None
        cropped = self._turned_crop(sample, chosen) if turned else self._straight_crop(sample, chosen.box)
        wanted = self.mirror and self.mirror.capitalize()
        mirrored = bool(wanted and chosen.handedness and chosen.handedness != wanted)
        if mirrored:
            cropped = _mirrored(cropped)
        return cropped.noted(
            "HandCropper", found=len(hands), view=chosen.view, upright=turned, mirrored=mirrored
        )

    def _without_hand(self, sample: Sample) -> Sample:
        if self.on_missing == "raise":
            raise HandNotFoundError(
                f"no hand found in {sample.name}; lower the confidence (now {self.confidence}), "
                "or choose on_missing='keep', 'center' or 'skip'"
            )
        if self.on_missing == "skip":
            raise SampleSkipped(f"no hand found in {sample.name}, which is skipped (on_missing='skip')")
        if self.on_missing == "center":
            (width, height), side = sample.size, min(sample.size)
            left, top = (width - side) // 2, (height - side) // 2
            sample = _cut(sample, left, top, left + side, top + side)
        return sample.noted("HandCropper", found=0, on_missing=self.on_missing)

    def _straight_crop(self, sample: Sample, box: Box) -> Sample:
        x0, y0, x1, y1 = self._widened(box)
        width, height = sample.size
        if self.square:  # a square that sticks out is moved inside, and cut where it cannot be
            x0, x1 = _inside(x0, x1, width)
            y0, y1 = _inside(y0, y1, height)
        left, top = min(max(0, math.floor(x0)), width - 1), min(max(0, math.floor(y0)), height - 1)
        right, bottom = max(left + 1, min(width, math.ceil(x1))), max(top + 1, min(height, math.ceil(y1)))
        return _cut(sample, left, top, right, bottom)

    def _turned_crop(self, sample: Sample, hand: Hand) -> Sample:
        assert hand.landmarks is not None
        dx, dy = hand.landmarks[HandLandmark.MIDDLE_FINGER_MCP] - hand.landmarks[HandLandmark.WRIST]
        turn = geometry.rotation(-math.atan2(dx, -dy))
        x0, y0, x1, y1 = self._widened(geometry.enclosing_box(geometry.apply(turn, hand.landmarks)))
        width, height = max(1, math.ceil(x1 - x0)), max(1, math.ceil(y1 - y0))
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"the crop of {sample.name} would have {width} x {height} pixels, more than the limit of "
                f"{MAX_PIXELS}; lower the margin (now {self.margin}), or resize before cropping"
            )
        forward = geometry.compose(turn, geometry.translation(-x0, -y0))

        def warped(array: np.ndarray) -> np.ndarray:
            matrix = geometry.in_pixel_centres(forward)
            return cv2.warpAffine(array, matrix, (width, height), flags=cv2.INTER_LINEAR)

        alpha = None if sample.alpha is None else warped(sample.alpha)
        return sample.moved(forward, warped(sample.image), alpha)

    def _widened(self, box: Box) -> Box:
        x0, y0, x1, y1 = box
        wide, high = x1 - x0, y1 - y0
        border = self.margin * max(wide, high)
        more_x, more_y = (max(0.0, high - wide) / 2, max(0.0, wide - high) / 2) if self.square else (0.0, 0.0)
        return x0 - border - more_x, y0 - border - more_y, x1 + border + more_x, y1 + border + more_y


def _inside(low: float, high: float, limit: int) -> tuple[float, float]:
    shift = max(0.0, -low) - max(0.0, high - limit)
    return low + shift, high + shift


def _cut(sample: Sample, left: int, top: int, right: int, bottom: int) -> Sample:
    alpha = None if sample.alpha is None else sample.alpha[top:bottom, left:right]
    return sample.moved(geometry.translation(-left, -top), sample.image[top:bottom, left:right], alpha)


def _mirrored(sample: Sample) -> Sample:
    forward: Affine = geometry.mirroring(sample.size[0])
    alpha = None if sample.alpha is None else sample.alpha[:, ::-1]
    return sample.moved(forward, np.ascontiguousarray(sample.image[:, ::-1]), alpha)
