"""Looking again, in other views, where a single look finds no hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from handprep import geometry
from handprep.configurable import Configurable
from handprep.detection.base import HandDetector, LandmarkDetector
from handprep.detection.litert import LiteRTDetector
from handprep.detection.region import Region, region_of_landmarks, shrunk
from handprep.detection.views import View, lit
from handprep.errors import InputError
from handprep.sample import Hand, Image

ENOUGH = 640  # pixels on the long side that a view has: the networks look at 192 and 224

TRACKED = 2  # looks at where the last look's landmarks lie
TURN, LARGER, SMALLER = 0.3, 1.25, 0.87  # radians and factors of the looks around it
# A hand of the first look that is less present than the first of these must convince, too, and one whose palm
# was weak, if less present than the second: 2 % of real hands, but 13 of 14 false ones.
SURE, SURE_OF_WEAK_PALM, WEAK_PALM = 0.75, 0.9, 0.5

FIRST_LOOK_PRESENCE = 0.3  # what all looks at a doubtful hand of the first look must reach

# The presence that views must show, by what they do to the colours: its own, changed, or greys made skin. Of
# 503 pictures without a hand, they let 9 pass, and the first look lets 4, where a single look lets 15.
OWN, CHANGED, SKIN = 0.58, 0.7, 0.8

VIEWS = (
    View(light="smoothed", presence=OWN),
    View(pad=0.4, presence=OWN),
    View(light="balanced smoothed", pad=0.4, presence=CHANGED),
    View(light="swapped smoothed", pad=0.4, presence=CHANGED),
    View(light="smoothed", pad=0.4, presence=OWN),
    View(light="balanced smoothed", pad=0.4, turn=-90, presence=CHANGED),
    View(light="balanced smoothed", pad=0.4, turn=90, presence=CHANGED),
    View(light="balanced smoothed", pad=0.4, turn=180, presence=CHANGED),
    View(light="balanced smoothed", presence=CHANGED),
    View(light="balanced swapped smoothed", presence=CHANGED),
    View(light="balanced swapped smoothed", pad=0.4, presence=CHANGED),
    View(light="equalised smoothed", pad=0.4, presence=CHANGED),
    View(light="skin-toned smoothed", presence=SKIN),
    View(light="skin-toned smoothed", pad=0.4, presence=SKIN),
    View(light="swapped", presence=CHANGED),
    View(light="brightened", pad=0.4, presence=CHANGED),
    View(light="swapped smoothed", pad=0.4, turn=180, presence=CHANGED),
    View(light="balanced swapped smoothed", pad=0.4, turn=180, presence=CHANGED),
    View(pad=0.4, turn=45, presence=OWN),
    View(pad=1.0, presence=OWN),
    View(whole=True, presence=OWN),
    View(whole=True, turn=-45, presence=OWN),
    View(whole=True, turn=45, presence=OWN),
    View(whole=True, turn=180, presence=OWN),
    View(light="balanced smoothed", whole=True, presence=OWN),
    View(light="swapped smoothed", whole=True, presence=OWN),
)


@dataclass(frozen=True, slots=True)
class SearchingDetector(Configurable):
    """Look at a picture as it is, and where that shows no hand, at other views of it, in turn.

    More views find more hands, but also more that is none. So what another view shows must be
    `convincing` to the landmark network when it looks again from all sides, and so must a doubtful hand
    of the first look: together this finds fewer false hands than the single look does. Where the
    detector is no `LandmarkDetector`, MediaPipe's landmark network on LiteRT looks in its place; hands
    without landmarks are believed by their score alone.

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

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the detector, and MediaPipe's landmark network."""
        return super(SearchingDetector, self).model_files | LiteRTDetector().model_files

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands in a uint8 ``(H, W, 3)`` RGB picture; `Hand.view` says in which view."""
        hands = self.detector.detect(image)
        sure = tuple(hand for hand in hands if not _doubtful(hand) or self._is_sure(image, hand))
        return sure or self._search(image)

    @property
    def _looker(self) -> LandmarkDetector:
        return self.detector if isinstance(self.detector, LandmarkDetector) else LiteRTDetector()

    def _is_sure(self, image: Image, hand: Hand) -> bool:
        if hand.landmarks is None:
            return True
        small, to_given = shrunk(image, ENOUGH)
        there = hand.moved(geometry.invert(to_given))
        return convincing(self._looker, small, there, FIRST_LOOK_PRESENCE) is not None

    def _search(self, image: Image) -> tuple[Hand, ...]:
        small, to_given = shrunk(image, ENOUGH)
        pictures: dict[str, Image] = {}  # several views share a light
        for view in self.views:
            if view.light not in pictures:
                pictures[view.light] = lit(small, view.light)
            if hands := self._seen(pictures[view.light], view):
                return tuple(replace(hand.moved(to_given), view=view.name) for hand in hands)
        return ()

    def _seen(self, image: Image, view: View) -> tuple[Hand, ...]:
        """Return the hands that a view shows convincingly, in pixels of the picture without the view."""
        least = max(view.presence, self._looker.least_presence)
        looks = (self._believed(image, hand, least) for hand in self._candidates(image, view))
        return tuple(hand for hand in looks if hand is not None)

    def _believed(self, image: Image, hand: Hand, least: float) -> Hand | None:
        if hand.landmarks is None:
            return hand if hand.score >= least else None
        return convincing(self._looker, image, hand, least)

    def _candidates(self, image: Image, view: View) -> tuple[Hand, ...]:
        if view.whole:
            hand = self._looker.look(image, Region.around(image).turned(math.radians(view.turn)))
            return (hand,) if hand.score >= self._looker.least_presence else ()
        shown, forward = view.show(image)
        back = geometry.invert(forward)
        return tuple(hand.moved(back) for hand in self.detector.detect(shown))


def _doubtful(hand: Hand) -> bool:
    return hand.score < (SURE_OF_WEAK_PALM if hand.palm_score < WEAK_PALM else SURE)


def convincing(detector: LandmarkDetector, image: Image, hand: Hand, presence: float) -> Hand | None:
    """Return the hand as the landmark network sees it when it looks again, or None if it then doubts it.

    It is pointed twice at where the landmarks say that the hand is, as MediaPipe does from one video frame
    to the next, and then at that place a little turned, larger and smaller. A real hand stays clear in
    all looks; of what only resembles one, some look shows that.

    Parameters
    ----------
    detector
        Whose landmark network looks.
    image
        uint8 ``(H, W, 3)`` RGB.
    hand
        A hand with landmarks in pixels of `image`.
    presence
        What every look must reach, 0 to 1.
    """
    for _ in range(TRACKED):
        if hand.landmarks is None:
            return None
        region = region_of_landmarks(hand.landmarks)
        if region.side < 1:  # all landmarks in one point
            return None
        again = detector.look(image, region)
        if again.score < presence:
            return None
        hand = replace(again, palm_score=hand.palm_score)
    assert hand.landmarks is not None
    place = region_of_landmarks(hand.landmarks)
    nearby = (place.turned(TURN), place.turned(-TURN), place.scaled(LARGER), place.scaled(SMALLER))
    return hand if all(detector.look(image, region).score >= presence for region in nearby) else None
