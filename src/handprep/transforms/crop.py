"""Crop to the hand."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import Literal

import cv2
import numpy as np

from handprep import geometry
from handprep.configurable import check_choice, check_flags, check_range, check_whole
from handprep.detection import CONFIDENCE, detector_named
from handprep.detection.base import HandDetector
from handprep.detection.search import SearchingDetector
from handprep.detection.tracking import OneEuro, Tracker
from handprep.errors import ImageError, InputError
from handprep.geometry import Box
from handprep.images import MAX_PIXELS
from handprep.landmarks import HandLandmark
from handprep.sample import Hand, Sample
from handprep.transforms.base import Transform, moved, refuse_missing

MANY = 20  # palms that are looked at where one is not enough

SIDES = {"left": "Left", "right": "Right"}
HANDS = ("best", "largest", *SIDES, "all")
BGR = (
    "a hand was found only after red and blue were swapped: is this BGR, as cv2.imread reads it? "
    "Convert it with cv2.cvtColor(image, cv2.COLOR_BGR2RGB)"
)


@dataclass(frozen=True, slots=True)
class HandCropper(Transform):
    """Find the hand and crop to it.

    A sample whose hands are known already is cropped without another detection, and its hands keep their
    order: the first one is the hand.

    Parameters
    ----------
    detector
        ``"litert"`` (MediaPipe's networks on LiteRT), ``"openvino-f32"`` or ``"openvino-bf16"`` (the same on
        OpenVINO, the extra ``handprep[openvino]``), ``"mediapipe"`` (Google's package, the extra
        ``handprep[mediapipe]``), or any `HandDetector`, with parameters of its own.
    confidence
        Least score of a palm and of a hand, 0 to 1, for a detector given by name.
    margin
        Share of the box's long side that is added on every side; with ``hand="all"`` of the largest hand's.
        Landmarks lie inside of the hand, so that 0 cuts finger tips off; 0.2 keeps at least 99 % of the hand
        in more than 99 % of 2,188 photos (tests/benchmarks/crop_quality.py).
    square
        Whether the crop is made square, as far as the image reaches.
    hand
        Which of several hands: the ``"best"`` (highest score), the ``"largest"`` (box area), the best
        ``"left"`` or ``"right"`` one (a photo without a hand of that side counts as one without a hand), or
        ``"all"``: one crop around every hand.
    max_hands
        At most so many hands are looked for, 1 to 100, by a detector given by name. From 3 on, small hands
        beside those of the first look are searched for, too. None means 2 for the ``"best"``, as MediaPipe
        does, 20 for ``"all"``, and else as many as the first look shows, and more if the wanted side is not
        among them.
    upright
        Whether the image is turned so that the line from the wrist to the middle finger's knuckle points
        up. What lies outside of the photo then is black. A hand without landmarks is not turned.
    mirror
        ``"right"`` shows every hand as a right hand, ``"left"`` as a left hand, None leaves it.
    search
        Whether to try other views of the image (`SearchingDetector`) if the first look finds no hand.
    refine
        Whether landmarks are detected once more where the first ones lie, for drawings and features of the
        hand: on rendered hands their error falls by a twelfth, and detection takes a third longer. Needs
        `search`. Without it, landmarks of a first look equal those of MediaPipe's classic API.
    on_missing
        What to do when there is no hand: ``"keep"`` the whole image, crop to its ``"center"`` square,
        ``"raise"`` `HandNotFoundError`, or ``"skip"`` the sample: `Pipeline.map` and the command line
        leave it out, a single call raises `SampleSkipped`.

    Raises
    ------
    InputError
        If a parameter is out of its range, or belongs to a detector by name and another one is given.

    Warns
    -----
    UserWarning
        If a hand in an array shows only after red and blue were swapped: arrays must be RGB.

    Examples
    --------
    >>> HandCropper(margin=0.3, square=True)  # doctest: +ELLIPSIS
    HandCropper(detector='litert', confidence=0.1, margin=0.3, square=True, ...)
    """

    detector: str | HandDetector = "litert"
    _: KW_ONLY
    confidence: float = CONFIDENCE
    margin: float = 0.2
    square: bool = False
    hand: Literal["best", "largest", "left", "right", "all"] = "best"
    max_hands: int | None = None
    upright: bool = False
    mirror: Literal["left", "right"] | None = None
    search: bool = True
    refine: bool = False
    on_missing: Literal["keep", "center", "raise", "skip"] = "keep"

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, 0, 1)
        check_range("margin", self.margin, 0, 10)
        check_flags(self, "square", "upright", "search", "refine")
        if self.refine and not self.search:
            raise InputError("refine=True needs search=True, as the search looks again")
        check_choice("hand", self.hand, HANDS)
        if self.max_hands is not None:
            check_whole("max_hands", self.max_hands, 1, 100)
        if not isinstance(self.detector, str) and (self.confidence != CONFIDENCE or self.max_hands):
            raise InputError(
                "confidence and max_hands are for a detector given by name; give them to the detector: "
                f"{type(self.detector).__name__}(confidence=..., max_hands=...)"
            )
        check_choice("mirror", self.mirror, (None, "left", "right"))
        check_choice("on_missing", self.on_missing, ("keep", "center", "raise", "skip"))
        self.finder()  # so that an unknown name is refused here, not at the first image

    def finder(self, *, beside: bool | None = None) -> HandDetector:
        """Return the detector that these parameters stand for.

        Whether it looks `beside` the hands of the first look depends on `max_hands`, unless it is given.
        """
        if beside is None and not self.max_hands and self.hand not in ("best", "all"):
            beside = False
        most = self.max_hands or (2 if self.hand == "best" else MANY)
        named = partial(detector_named, self.detector, confidence=self.confidence, search=self.search)
        return named(max_hands=most, beside=beside, refine=self.refine)

    def tracker(self, *, search: Literal["never", "first", "always"], smooth: OneEuro | None) -> Tracker:
        """Return what follows these hands through one stream; see `Pipeline.stream`."""
        most = self.max_hands or {"best": 1, "all": MANY}.get(self.hand, 2)
        named = partial(detector_named, self.detector, confidence=self.confidence, search=False)
        single = named(max_hands=max(2, most))
        single = single.detector if isinstance(single, SearchingDetector) else single
        return Tracker(single, most=most, search=search, smooth=smooth)

    def with_hands(self, sample: Sample) -> Sample:
        """Return the sample with its hands, in the order of `hand`; those that are known keep theirs."""
        if sample.hands is not None:
            return sample
        hands = self.finder().detect(sample.rgb)
        if hands and self.search and not self.max_hands and not self.eligible(hands):
            hands = self.finder(beside=True).detect(sample.rgb)  # the wanted side may be a smaller hand
        if sample.source is None and hands and "swapped" in hands[0].view:
            warnings.warn(BGR, stacklevel=2)
        return replace(sample, hands=self.ordered(hands))

    def ordered(self, hands: Iterable[Hand]) -> tuple[Hand, ...]:
        """Return hands in the order in which `hand` chooses: by box area for the largest, else by score."""

        def rank(hand: Hand) -> float:
            x0, y0, x1, y1 = hand.box
            return (x1 - x0) * (y1 - y0) if self.hand == "largest" else hand.score

        return tuple(sorted(hands, key=rank, reverse=True))

    def eligible(self, hands: tuple[Hand, ...]) -> tuple[Hand, ...]:
        """Return the hands among which `hand` chooses: of a wanted side, those of that side."""
        side = SIDES.get(self.hand)
        return tuple(hand for hand in hands if side in (None, hand.handedness))

    def apply(self, sample: Sample) -> Sample:
        """Return the sample, cropped, with the chosen hand first."""
        sample = self.with_hands(sample)
        hands = sample.hands or ()
        eligible = self.eligible(hands)
        if not eligible:
            return self._without_hand(sample)
        chosen = eligible[0]
        turned = self.upright and chosen.landmarks is not None
        crop = self._turned_crop if turned else self._straight_crop
        cropped = crop(sample.with_first(chosen), hands if self.hand == "all" else (chosen,))
        mirrored = bool(self.mirror and chosen.handedness not in (None, SIDES[self.mirror]))
        if mirrored:
            forward = geometry.mirroring(cropped.size[0])
            cropped = moved(cropped, forward, lambda array: np.ascontiguousarray(array[:, ::-1]))
        facts = {"found": len(hands), "view": chosen.view, "upright": turned, "mirrored": mirrored}
        return cropped.with_step("HandCropper", **facts)

    def _without_hand(self, sample: Sample) -> Sample:
        what = f"{self.hand} hand" if self.hand in SIDES else "hand"
        advice = (
            f"lower the confidence (now {self.confidence}), or choose on_missing='keep', 'center' or 'skip'"
        )
        refuse_missing(sample, self.on_missing, what, advice)
        found = len(sample.hands or ())
        sample = replace(sample, hands=())  # what follows must not take a hand of the other side for it
        if self.on_missing == "center":
            (width, height), side = sample.size, min(sample.size)
            left, top = (width - side) // 2, (height - side) // 2
            sample = _cut(sample, (left, left + side), (top, top + side))
        return sample.with_step("HandCropper", found=found, on_missing=self.on_missing)

    def _straight_crop(self, sample: Sample, hands: tuple[Hand, ...]) -> Sample:
        x0, y0, x1, y1 = self._widened([hand.box for hand in hands])
        side = max(1, math.ceil(x1 - x0)) if self.square else None
        width, height = sample.size
        return _cut(sample, _pixels(x0, x1, width, side), _pixels(y0, y1, height, side))

    def _turned_crop(self, sample: Sample, hands: tuple[Hand, ...]) -> Sample:
        assert hands[0].landmarks is not None
        dx, dy = hands[0].landmarks[HandLandmark.MIDDLE_FINGER_MCP] - hands[0].landmarks[HandLandmark.WRIST]
        turn = geometry.rotation(-math.atan2(dx, -dy))
        x0, y0, x1, y1 = self._widened([hand.transformed(turn).box for hand in hands])
        width, height = max(1, math.ceil(x1 - x0)), max(1, math.ceil(y1 - y0))
        if self.square:
            width = height = max(width, height)  # which rounding may have set one apart
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"the crop of {sample.name} would have {width} x {height} pixels, more than the limit of "
                f"{MAX_PIXELS}; lower the margin (now {self.margin}), or resize before cropping"
            )
        forward = geometry.compose(turn, geometry.translation(-x0, -y0))
        warp = partial(cv2.warpAffine, M=geometry.in_pixel_centres(forward), dsize=(width, height))
        return moved(sample, forward, warp)

    def _widened(self, boxes: list[Box]) -> Box:
        x0, y0, x1, y1 = geometry.enclosing_box(np.reshape(boxes, (-1, 2)))
        wide, high = x1 - x0, y1 - y0
        border = self.margin * max(max(box[2] - box[0], box[3] - box[1]) for box in boxes)
        more_x, more_y = (max(0.0, high - wide) / 2, max(0.0, wide - high) / 2) if self.square else (0.0, 0.0)
        return x0 - border - more_x, y0 - border - more_y, x1 + border + more_x, y1 + border + more_y


def _pixels(low: float, high: float, limit: int, side: int | None) -> tuple[int, int]:
    """Return where a stretch starts and ends, within the image; one of a fixed side is moved inside."""
    if side is None:
        start = min(max(0, math.floor(low)), limit - 1)
        return start, max(start + 1, min(limit, math.ceil(high)))
    start = min(max(0, round((low + high - side) / 2)), max(0, limit - side))
    return start, min(limit, start + side)


def _cut(sample: Sample, columns: tuple[int, int], rows: tuple[int, int]) -> Sample:
    place = slice(*rows), slice(*columns)
    return moved(sample, geometry.translation(-columns[0], -rows[0]), lambda array: array[place])
