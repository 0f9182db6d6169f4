"""Where a hand's pixels are likely to be, from its landmarks or from its box alone."""

from __future__ import annotations

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
FOREARM_WIDTH = 0.5
FOREARM_LENGTH = 2.0
FOREARM_ODDS = 2.0  # log-odds on its axis, at the wrist
FOREARM_LOSS = 0.7  # log-odds lost in one palm length along it: it may be sleeved
BOX_ODDS = 1.5  # log-odds at the middle of a box; 0 on the ellipse that touches its sides
BOX_STEEPNESS = 10.0  # log-odds lost in one palm length outside of it: the forearm leaves it somewhere
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
    lengths = np.hypot(
        *(
            points[[HandLandmark.INDEX_FINGER_MCP, HandLandmark.MIDDLE_FINGER_MCP, HandLandmark.PINKY_MCP]]
            - points[HandLandmark.WRIST]
        ).T
    )
    across = np.hypot(*(points[HandLandmark.INDEX_FINGER_MCP] - points[HandLandmark.PINKY_MCP]))
    extent = np.ptp(points, axis=0).max()
    return float(max(1.0, *lengths, 1.3 * across, 0.4 * extent))


def reach(hand: Hand) -> Box:
    """Return the box beyond which no pixel belongs to the hand and what is kept of its forearm."""
    length = palm_length(hand)
    x0, y0, x1, y1 = hand.box
    if hand.landmarks is not None:
        elbow = hand.landmarks[HandLandmark.WRIST] + FOREARM_LENGTH * length * _down_the_arm(hand.landmarks)
        x0, y0, x1, y1 = enclosing_box([*hand.landmarks, elbow])
    room = ROOM * length
    return x0 - room, y0 - room, x1 + room, y1 + room


def log_odds(shape: tuple[int, int], hand: Hand) -> LogOdds:
    """Return the log-odds of hand against background for each pixel of a picture.

    Parameters
    ----------
    shape
        Height and width of the picture.
    hand
        The hand, in pixels of that picture; it may lie partly or wholly outside.
    """
    x, y = np.meshgrid(
        np.arange(shape[1], dtype=np.float32) + 0.5, np.arange(shape[0], dtype=np.float32) + 0.5
    )
    if hand.landmarks is None:
        return _log_odds_of_box(x, y, hand)
    bones = skeleton(shape, hand)
    if not bones.any():  # then there is no distance to them either
        return np.full(shape, -STEEPNESS, np.float32)
    distance = cv2.distanceTransform(1 - bones, cv2.DIST_L2, cv2.DIST_MASK_5) / palm_length(hand)
    fingers = STEEPNESS * (HALF_A_FINGER - distance)
    return np.asarray(np.maximum(fingers, _log_odds_of_forearm(x, y, hand)), np.float32)


def skeleton(shape: tuple[int, int], hand: Hand) -> NDArray[np.uint8]:
    """Draw where the hand certainly is, as 1 on 0: palm and finger bones, or the middle of a box.

    Parameters
    ----------
    shape
        Height and width of the picture.
    hand
        The hand, in pixels of that picture.
    """
    drawn = np.zeros(shape, np.uint8)
    if hand.landmarks is None:
        x0, y0, x1, y1 = hand.box
        middle = np.array([[2 * x0 + x1, 2 * y0 + y1], [x0 + 2 * x1, y0 + 2 * y1]]) / 3
        first, last = _fixed_point(middle).tolist()
        cv2.rectangle(drawn, first, last, 1, cv2.FILLED, cv2.LINE_8, BITS)
        return drawn
    points = _fixed_point(hand.landmarks)
    cv2.fillPoly(drawn, [points[PALM]], 1, cv2.LINE_8, BITS)
    cv2.polylines(drawn, [points[finger] for finger in FINGERS], False, 1, 1, cv2.LINE_8, BITS)
    return drawn


def _fixed_point(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return points in pixel centres as OpenCV's drawing wants them, without overflow far outside."""
    return np.asarray(np.round((np.clip(points, -1e5, 1e5) - 0.5) * 2**BITS), np.int32)


def _down_the_arm(landmarks: Points) -> NDArray[np.float64]:
    down = landmarks[HandLandmark.WRIST].astype(np.float64) - landmarks[KNUCKLES].mean(0)
    return np.asarray(down / max(1e-6, float(np.hypot(*down))))


def _log_odds_of_forearm(x: LogOdds, y: LogOdds, hand: Hand) -> LogOdds:
    assert hand.landmarks is not None
    dx, dy = _down_the_arm(hand.landmarks).astype(np.float32)
    x, y = (x - hand.landmarks[HandLandmark.WRIST, 0]), (y - hand.landmarks[HandLandmark.WRIST, 1])
    length = np.float32(palm_length(hand))
    along, across = (dx * x + dy * y) / length, np.abs(dy * x - dx * y) / length
    beyond = np.maximum(0, -along) + np.maximum(0, along - FOREARM_LENGTH)
    distance = np.hypot(np.maximum(0, across - FOREARM_WIDTH / 2), beyond)
    near = np.minimum(FOREARM_ODDS, STEEPNESS * (HALF_A_FINGER - distance))
    return near - FOREARM_LOSS * np.maximum(0, along)  # type: ignore[no-any-return]


def _log_odds_of_box(x: LogOdds, y: LogOdds, hand: Hand) -> LogOdds:
    x0, y0, x1, y1 = hand.box
    half_width, half_height = max(0.5, (x1 - x0) / 2), max(0.5, (y1 - y0) / 2)
    right, down = np.abs(x - (x0 + x1) / 2), np.abs(y - (y0 + y1) / 2)
    inside = BOX_ODDS * (1 - (right / half_width) ** 2 - (down / half_height) ** 2)
    outside = np.hypot(np.maximum(0, right - half_width), np.maximum(0, down - half_height))
    return (inside - BOX_STEEPNESS * outside / palm_length(hand)).astype(np.float32)  # type: ignore[no-any-return]
