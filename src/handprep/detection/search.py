"""Looking again, in other views, where a single look finds no hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from handprep import geometry
from handprep.configurable import Configurable
from handprep.detection.base import HandDetector, LandmarkDetector
from handprep.detection.region import Region, region_of_landmarks, shrunk
from handprep.detection.views import LIGHTS, View
from handprep.errors import InputError
from handprep.sample import Hand, Image

ENOUGH = 640  # pixels on the long side that a view has: the networks look at 192 and 224

LOOKS = 2  # times that the landmark network must see the hand again where it said the hand is
DOUBTFUL = 0.5  # presence below which a hand of the first look is looked at again

VIEWS = (
    View(light="balanced smoothed", pad=0.4),
    View(light="swapped smoothed", pad=0.4),
    View(whole=True, turn=-45),
    View(light="skin-toned smoothed"),
    View(light="swapped"),
    View(light="smoothed"),
    View(pad=0.4),
    View(whole=True, turn=180),
)


@dataclass(frozen=True, slots=True)
class SearchingDetector(Configurable):
    """Look at a picture as it is, and where that shows no hand, at other views of it, in turn.

    A view finds more, but also more that is no hand. So what another view shows must convince: the
    landmark network is pointed twice at where the landmarks say the hand is, as MediaPipe does from one
    video frame to the next; a real hand stays where it is and grows clearer. A doubtful hand of the
    first look must pass the same test. The result then has the last look's landmarks. Detectors that
    cannot be pointed (no `LandmarkDetector`) are believed by their score alone.

    Parameters
    ----------
    detector
        The detector to look with.
    views
        The other views, in the order in which they are tried.

    Raises
    ------
    InputError
        If the detector has no ``detect`` method or a view is not a `View`.

    Examples
    --------
    >>> from handprep.detection.litert import LiteRTDetector
    >>> SearchingDetector(LiteRTDetector()).views[0].name
    'smoothed'
    """

    detector: HandDetector
    views: tuple[View, ...] = field(default=VIEWS)

    def __post_init__(self) -> None:
        if not isinstance(self.detector, HandDetector):
            raise InputError(f"detector must have a detect method, which {self.detector!r} lacks")
        object.__setattr__(self, "views", tuple(self.views))
        for view in self.views:
            if not isinstance(view, View):
                raise InputError(f"views must be View objects, not {view!r}")

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands in a uint8 ``(H, W, 3)`` RGB picture; `Hand.view` says in which view."""
        hands = self.detector.detect(image)
        if all(hand.score >= DOUBTFUL for hand in hands):
            found = hands
        else:
            found = tuple(hand for hand in hands if self._is_sure(image, hand))
        return found or self._search(image)

    def _is_sure(self, image: Image, hand: Hand) -> bool:
        if hand.score >= DOUBTFUL or not isinstance(self.detector, LandmarkDetector):
            return True
        return _looked_again(self.detector, image, hand, self.detector.least_presence) is not None

    def _search(self, image: Image) -> tuple[Hand, ...]:
        small, to_given = shrunk(image, ENOUGH)
        lit: dict[str, Image] = {}  # several views share a light
        for view in self.views:
            if view.light not in lit:
                lit[view.light] = LIGHTS[view.light](small)
            if hands := self._seen(lit[view.light], view):
                return tuple(replace(hand.moved(to_given), view=view.name) for hand in hands)
        return ()

    def _seen(self, image: Image, view: View) -> tuple[Hand, ...]:
        """Return the hands that a view shows convincingly, in pixels of the picture without the view."""
        if not isinstance(self.detector, LandmarkDetector):
            return tuple(hand for hand in self._candidates(image, view) if hand.score >= view.presence)
        least = max(view.presence, self.detector.least_presence)
        looks = (_looked_again(self.detector, image, hand, least) for hand in self._candidates(image, view))
        return tuple(hand for hand in looks if hand is not None)

    def _candidates(self, image: Image, view: View) -> tuple[Hand, ...]:
        if not view.whole:
            shown, forward = view.show(image)
            back = geometry.invert(forward)
            return tuple(hand.moved(back) for hand in self.detector.detect(shown))
        if not isinstance(self.detector, LandmarkDetector):
            return ()
        hand = self.detector.look(image, Region.around(image).turned(math.radians(view.turn)))
        return (hand,) if hand.score >= self.detector.least_presence else ()


def _looked_again(detector: LandmarkDetector, image: Image, hand: Hand, presence: float) -> Hand | None:
    """Return the hand as the landmark network sees it where its landmarks lie, or None if it does not."""
    for _ in range(LOOKS):
        if hand.landmarks is None:
            return None
        region = region_of_landmarks(hand.landmarks)
        if region.side < 1:  # landmarks in one point
            return None
        again = detector.look(image, region)
        if again.score < presence:
            return None
        hand = replace(again, palm_score=hand.palm_score)
    return hand
