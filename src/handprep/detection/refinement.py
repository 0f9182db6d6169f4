"""Looking again at a hand: for better landmarks, and whether it is one."""

from __future__ import annotations

from dataclasses import replace

from handprep.detection.base import LandmarkDetector
from handprep.detection.region import region_of_landmarks
from handprep.sample import Hand, Image

TRACKED = 2  # looks at where the last look's landmarks lie
TURN, LARGER, SMALLER = 0.3, 1.25, 0.87  # radians and factors of the looks around it


def refined(detector: LandmarkDetector, image: Image, hand: Hand, presence: float) -> Hand:
    """Return the hand as the landmark network sees it when it looks once more where the landmarks lie.

    The region that landmarks give is better centred and turned than that of the palm. On 36 rendered hands
    the mean error of a landmark fell from 0.060 to 0.055 of the hand's length; a third look brought nothing.

    Parameters
    ----------
    detector, image, hand
        As for `confirmed`.
    presence
        What the second look must reach, 0 to 1; else the hand stays as it is.
    """
    if hand.landmarks is None or (region := region_of_landmarks(hand.landmarks)).side < 1:
        return hand
    again = detector.look(image, region)
    return replace(again, palm_score=hand.palm_score) if again.score >= presence else hand


def confirmed(detector: LandmarkDetector, image: Image, hand: Hand, presence: float) -> Hand | None:
    """Return the hand as the landmark network sees it when it looks again, or None if it then doubts it.

    The network looks twice where the landmarks say that the hand is, as MediaPipe does from one video frame
    to the next, and then at that place a little turned, larger and smaller. A real hand stays present in all
    looks; of what only resembles one, some look shows that.

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
        again = refined(detector, image, hand, presence)
        if again is hand:
            return None
        hand = again
    assert hand.landmarks is not None
    place = region_of_landmarks(hand.landmarks)
    nearby = (place.turned(TURN), place.turned(-TURN), place.scaled(LARGER), place.scaled(SMALLER))
    return hand if all(detector.look(image, region).score >= presence for region in nearby) else None
