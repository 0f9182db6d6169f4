"""Looking again at a hand: whether the landmark network sees it from several crops."""

from __future__ import annotations

from dataclasses import replace

from handprep.detection.base import LandmarkDetector
from handprep.detection.region import region_of_landmarks
from handprep.sample import Hand, Image

TRACKED = 2  # looks at where the last look's landmarks lie
TURN, LARGER, SMALLER = 0.3, 1.25, 0.87  # radians and factors of the looks around it


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
