"""Following hands from frame to frame."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.configurable import check_range
from handprep.detection.base import HandDetector, LandmarkDetector, are_same, without_duplicates
from handprep.detection.graph import LONGEST_SIDE
from handprep.detection.refinement import refined
from handprep.detection.region import Region, region_of_landmarks
from handprep.detection.search import SearchingDetector
from handprep.geometry import Box
from handprep.images.arrays import shrunk
from handprep.sample import Hand, Image

PRESENT = 0.5  # from which presence on a hand is followed: min_tracking_confidence of MediaPipe's classic API
COVERED = 0.5  # IoU from which a palm's region is that of a known hand: AssociationNormRectCalculator
REMEMBERED = 1.0  # seconds for which a hand that was lost keeps its number
NEAR = 1.5  # times its size and side that a hand may have changed, and still be the same
USUAL_STEP = 1 / 30  # seconds between frames that have no times
SIDE_WEIGHT = 0.1  # of a frame, at least, in what is believed of a hand's side


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEuro:
    """Smoothing of landmarks by a low-pass filter that opens with their speed.

    Parameters
    ----------
    min_cutoff
        Hertz, above 0: of a still hand. Lower trembles less.
    beta
        Hertz for each hand's size a second, 0 or more. Higher lags less behind a hand that moves.
    derivative_cutoff
        Hertz, above 0: of the speed itself.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    References
    ----------
    Casiez, Roussel, Vogel: "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
    Systems", CHI 2012. Speed is measured in sizes of the hand, as MediaPipe does it for poses
    (``pose_landmark_filtering.pbtxt``); its hands are not smoothed.

    Examples
    --------
    >>> OneEuro(min_cutoff=0.1)
    OneEuro(min_cutoff=0.1, beta=80, derivative_cutoff=1.0)
    """

    min_cutoff: float = 0.05
    beta: float = 80
    derivative_cutoff: float = 1.0

    def __post_init__(self) -> None:
        check_range("min_cutoff", self.min_cutoff, 1e-6, 1e6)
        check_range("beta", self.beta, 0, 1e6)
        check_range("derivative_cutoff", self.derivative_cutoff, 1e-6, 1e6)


class _Filter:
    """The state of `OneEuro` for one hand."""

    def __init__(self, parameters: OneEuro) -> None:
        self._parameters = parameters
        self._last: tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None

    def __call__(self, hand: Hand, seconds: float) -> Hand:
        """Return a hand with smooth landmarks and depth."""
        if hand.landmarks is None:
            return hand
        depth = np.zeros(len(hand.landmarks)) if hand.depth is None else hand.depth
        points = np.column_stack([hand.landmarks, depth]).astype(np.float64)
        smooth, speed = points, np.zeros_like(points)
        if self._last is not None:
            before, last, smooth, speed = self._last
            step, (cutoff, beta) = seconds - before, (self._parameters.min_cutoff, self._parameters.beta)
            now = (points - last) / (step * max(1.0, _size(hand.box)))
            speed = speed + _share(self._parameters.derivative_cutoff, step) * (now - speed)
            smooth = smooth + _share(cutoff + beta * np.abs(speed), step) * (points - smooth)
        self._last = seconds, points, smooth, speed
        return replace(
            hand,
            landmarks=smooth[:, :2].astype(np.float32),
            depth=None if hand.depth is None else smooth[:, 2].astype(np.float32),
            box=geometry.enclosing_box(smooth[:, :2]),
        )


def _share(cutoff: NDArray[np.float64] | float, step: float) -> NDArray[np.float64] | float:
    return 1 / (1 + 1 / (2 * math.pi * cutoff * step))


@dataclass(slots=True)
class _Track:
    """A hand over time: as it was seen last, when that was, and how likely it is a right one."""

    number: int
    hand: Hand
    seen: float
    right: float
    smoothed: _Filter | None
    frames: int = 0

    def unlike(self, hand: Hand) -> float:
        """Return how much a hand differs from this one in place, in sizes of a hand, and in side."""
        x, y = (np.reshape(hand.box, (2, 2)) - np.reshape(self.hand.box, (2, 2))).mean(0)
        return math.hypot(x, y) / max(1.0, _size(self.hand.box)) + abs(_right(hand) - self.right)

    def update(self, hand: Hand, seconds: float) -> None:
        """Take a hand as this one at another time."""
        self.hand, self.seen, self.frames = hand, seconds, self.frames + 1
        self.right += max(SIDE_WEIGHT, 1 / self.frames) * (_right(hand) - self.right)

    def believed(self, hand: Hand) -> Hand:
        """Return the hand with its number, and the side that it has shown lately, not in this frame alone."""
        if hand.handedness is None:
            return replace(hand, track=self.number)
        side: Literal["Left", "Right"] = "Right" if self.right >= 0.5 else "Left"
        sure = None if hand.handedness_score is None else max(self.right, 1 - self.right)
        return replace(hand, track=self.number, handedness=side, handedness_score=sure)


class Tracker:
    """The hands of one stream of frames, each with a number that it keeps.

    The landmark network looks where a hand was in the frame before; only while fewer hands than wanted are
    followed, the palm network looks for more. A detector without these two steps detects in each frame.

    The detector does not search by itself: `search` says whether frames without a hand are searched:
    ``"never"``, until there was a ``"first"`` hand, or ``"always"``. `most` hands are wanted.
    """

    def __init__(
        self,
        detector: HandDetector,
        *,
        most: int,
        search: Literal["never", "first", "always"] = "never",
        smooth: OneEuro | None = None,
    ) -> None:
        self._detector, self._most, self._search, self._smooth = detector, most, search, smooth
        # Asked once, as that takes 0.1 ms for a protocol.
        self._looker = detector if isinstance(detector, LandmarkDetector) else None
        self._tracks: list[_Track] = []
        self._given = 0  # numbers
        self._seconds = -USUAL_STEP
        self._size: tuple[int, ...] = ()

    def __call__(self, image: Image, seconds: float | None = None) -> tuple[Hand, ...]:
        """Return the hands in the next frame, those that are known for longest first.

        Without `seconds`, its time, it comes 1/30 s after the last frame.
        """
        before = self._seconds
        later = seconds is not None and seconds > before
        self._seconds = seconds if seconds is not None and later else before + USUAL_STEP
        shown, to_given = shrunk(image, LONGEST_SIDE)
        if shown.shape != self._size:
            self._tracks, self._size = [], shown.shape
        self._tracks = [t for t in self._tracks if t.seen == before or self._seconds - t.seen <= REMEMBERED]
        self._follow(shown, [track for track in self._tracks if track.seen == before])
        if len(known := [track.hand for track in self._seen]) < self._most:
            self._number(self._found(shown, known))
        hands = []
        for track in self._seen:
            smooth = track.hand if track.smoothed is None else track.smoothed(track.hand, self._seconds)
            hands.append(track.believed(smooth if shown is image else smooth.transformed(to_given)))
        return tuple(hands)

    @property
    def _seen(self) -> list[_Track]:
        """Those of the hands that were seen in this frame, by number."""
        return [track for track in self._tracks if track.seen == self._seconds]

    def _follow(self, image: Image, tracks: list[_Track]) -> None:
        """Look where hands were in the last frame."""
        looked: list[tuple[_Track, Hand]] = []
        for track in tracks:
            if self._looker is not None:
                hand = refined(self._looker, image, track.hand, max(PRESENT, self._looker.least_presence))
                if hand is not track.hand:
                    looked.append((track, replace(hand, view=track.hand.view)))
        for track, hand in sorted(looked, key=lambda pair: pair[0].unlike(pair[1])):
            if not any(are_same(hand, other.hand) for other in self._seen):  # two that met at one hand
                track.update(hand, self._seconds)

    def _found(self, image: Image, known: list[Hand]) -> list[Hand]:
        """Return hands beside the known ones, the most present first."""
        if self._looker is not None:
            covered = [_upright(region_of_landmarks(hand.landmarks)) for hand in known]  # type: ignore[arg-type]
            free = [
                palm
                for palm in self._looker.propose(image)
                if not any(geometry.iou(_upright(palm.region), box) > COVERED for box in covered)
            ]
            seen = [hand for hand in self._looker.hands_at(image, free) if hand.score >= PRESENT]
        else:
            seen = list(self._detector.detect(image))
        hands = without_duplicates(seen, tuple(known))
        searched = self._search == "always" or (self._search == "first" and not self._given)
        if searched and not hands and not known:
            hands = SearchingDetector(self._detector).detect(image)
        return sorted(hands, key=lambda hand: -hand.score)[: self._most - len(known)]

    def _number(self, hands: list[Hand]) -> None:
        """Take found hands as the ones that were lost near them, or as new ones."""
        lost = [track for track in self._tracks if track.seen < self._seconds]
        pairs = [(track.unlike(hand), track, hand) for track in lost for hand in hands]
        for unlike, track, hand in sorted(pairs, key=lambda pair: pair[0]):
            if unlike < NEAR and track.seen < self._seconds and hand in hands:
                track.update(hand, self._seconds)
                hands.remove(hand)
        for hand in hands:
            smoothed = None if self._smooth is None else _Filter(self._smooth)
            self._tracks.append(_Track(self._given, hand, self._seconds, _right(hand), smoothed))
            self._tracks[-1].update(hand, self._seconds)
            self._given += 1


def _right(hand: Hand) -> float:
    """Return how likely a hand is a right one, 0 to 1."""
    if hand.handedness is None:
        return 0.5
    sure = 1.0 if hand.handedness_score is None else hand.handedness_score
    return sure if hand.handedness == "Right" else 1 - sure


def _size(box: Box) -> float:
    return (box[2] - box[0] + box[3] - box[1]) / 2


def _upright(region: Region) -> Box:
    """Return a region's square without its turn, as MediaPipe compares them."""
    half = region.side / 2
    return region.x - half, region.y - half, region.x + half, region.y + half
