"""Where a hand's pixels are likely to be, from its landmarks."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.geometry import Box, Points, enclosing_box
from handprep.landmarks import FINGERS, KNUCKLES, PALM, HandLandmark
from handprep.sample import Hand

LogOdds: TypeAlias = NDArray[np.float32]  # (H, W): log of P(hand) / P(background)

# Lengths count in palm lengths, wrist to middle knuckle: about 10 cm. Fitted to rendered hands and to
# keyed photos with the landmarks that a detector finds, so that its errors are accounted for.
HALF_A_FINGER = 0.1  # where one pixel in two is hand
STEEPNESS = 25.0  # log-odds lost in one palm length away from the bones
FOREARM = 2.0  # how far below the wrist anything may be kept
ARM_WIDTH = 0.3  # of what is as likely as the bones
ROOM = 0.5  # around the landmarks: no hand beyond

BITS = 3  # of OpenCV's fixed-point coordinates


def palm_length(hand: Hand) -> float:
    """Return the distance from wrist to middle knuckle in pixels, as if not foreshortened.

    Where the palm points at the camera, its other lengths and the whole hand's extent stand in. A hand
    without landmarks is half its box long.
    """
    if hand.landmarks is None:
        x0, y0, x1, y1 = hand.box
        return max(1.0, 0.5 * max(x1 - x0, y1 - y0))
    points = hand.landmarks.astype(np.float64)
    index, middle, _, little = points[KNUCKLES]
    lengths = np.hypot(*(np.stack([index, middle, little]) - points[HandLandmark.WRIST]).T)
    across = np.hypot(*(index - little))
    extent = np.ptp(points, axis=0).max()
    return float(max(1.0, *lengths, 1.3 * across, 0.4 * extent))


def on_the_arm(hand: Hand, lengths: float) -> NDArray[np.float64]:
    """Return the point so many palm lengths below the wrist of a hand with landmarks."""
    assert hand.landmarks is not None
    down = down_the_arm(hand.landmarks)
    return np.asarray(hand.landmarks[HandLandmark.WRIST] + lengths * palm_length(hand) * down)


def reach(hand: Hand) -> Box:
    """Return the box beyond which no pixel belongs to the hand and what is kept of its forearm."""
    x0, y0, x1, y1 = hand.box
    if hand.landmarks is not None:
        x0, y0, x1, y1 = enclosing_box([*hand.landmarks, on_the_arm(hand, FOREARM)])
    room = ROOM * palm_length(hand)
    return x0 - room, y0 - room, x1 + room, y1 + room


def log_odds(shape: tuple[int, ...], hand: Hand) -> LogOdds:
    """Return the log-odds of hand against background for each pixel, from the landmarks alone; else 0."""
    if hand.landmarks is None:
        return np.zeros(shape, np.float32)
    drawn = bones(shape, hand)
    if not drawn.any():  # then there is no distance to them either
        return np.full(shape, -STEEPNESS, np.float32)
    length = palm_length(hand)
    first, last = fixed_point(np.stack([on_the_arm(hand, 0), on_the_arm(hand, FOREARM)])).tolist()
    cv2.line(drawn, first, last, 1, max(1, round(ARM_WIDTH * length)), cv2.LINE_8, BITS)
    distance = cv2.distanceTransform(1 - drawn, cv2.DIST_L2, cv2.DIST_MASK_5) / length
    return np.asarray(STEEPNESS * (HALF_A_FINGER - distance), np.float32)


def bones(shape: tuple[int, ...], hand: Hand) -> NDArray[np.uint8]:
    """Draw what is certainly hand, palm and finger bones, as 1 on 0; nothing is without landmarks."""
    drawn = np.zeros(shape, np.uint8)
    if hand.landmarks is not None:
        points = fixed_point(hand.landmarks)
        cv2.fillPoly(drawn, [points[PALM]], 1, cv2.LINE_8, BITS)
        cv2.polylines(drawn, [points[finger] for finger in FINGERS], False, 1, 1, cv2.LINE_8, BITS)
    return drawn


def fixed_point(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return points in pixel centres as OpenCV's drawing wants them, without overflow far outside."""
    return np.asarray(np.round((np.clip(points, -1e5, 1e5) - 0.5) * 2**BITS), np.int32)


def down_the_arm(landmarks: Points) -> NDArray[np.float64]:
    """Return the unit vector from the knuckles to the wrist, (0, 1) where they coincide."""
    down = landmarks[HandLandmark.WRIST].astype(np.float64) - landmarks[KNUCKLES].mean(0)
    length = float(np.hypot(*down))
    return down / length if length > 1e-6 else np.array([0.0, 1.0])
