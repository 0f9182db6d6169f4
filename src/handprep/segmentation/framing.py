"""How a hand is shown to the matting network: turned upright in a square window, with its bones drawn."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.geometry import Affine, Points
from handprep.landmarks import FINGERS, PALM, HandLandmark
from handprep.sample import Hand
from handprep.segmentation.prior import BITS, down_the_arm, fixed_point, on_the_arm, palm_length

# Lengths count in palm lengths, as in `prior`. Training depends on all of these: a network knows the
# windows that it was trained on.
ROOM = 0.35  # around landmarks and forearm
FOREARM = 1.2  # how far below the wrist the window reaches
ROOM_OF_BOX = 0.45  # around a box without landmarks, in its long sides
BONE = 0.14  # width of a drawn bone
STUB = 0.6  # length of the forearm that is drawn, at half strength
SOFTNESS = 1.5  # standard deviation, in pixels, of the drawing's blur


def window(hand: Hand, side: int) -> Affine:
    """Return the map from an image's pixels to those of the network's window, `side` pixels wide and high.

    With landmarks, the fingers point up in it and there is room for a part of the forearm below; with a box
    alone, it stands upright around it.
    """
    if hand.landmarks is None:
        upright = geometry.identity()
        x0, y0, x1, y1 = hand.box
        room = ROOM_OF_BOX * max(x1 - x0, y1 - y0, 1.0)
    else:
        down = down_the_arm(hand.landmarks)
        upright = geometry.rotation(math.pi / 2 - math.atan2(down[1], down[0]))
        points = geometry.apply(upright, np.vstack([hand.landmarks, on_the_arm(hand, FOREARM)]))
        x0, y0, x1, y1 = geometry.enclosing_box(points)
        room = ROOM * palm_length(hand)
    wide = max(x1 - x0, y1 - y0) + 2 * room
    corner = geometry.translation((wide - x0 - x1) / 2, (wide - y0 - y1) / 2)
    return geometry.compose(upright, corner, geometry.scaling(side / wide, side / wide))


def drawing(hand: Hand, side: int) -> NDArray[np.uint8]:
    """Return palm and bones of a hand in the window as the network's fourth channel.

    uint8 ``(side, side)``: 255 palm and fingers, 128 where the forearm begins, 0 elsewhere, with soft edges;
    all 0 for a hand without landmarks.
    """
    drawn = np.zeros((side, side), np.uint8)
    if hand.landmarks is None:
        return drawn
    width = max(1, round(BONE * palm_length(hand)))
    points = fixed_point(np.vstack([hand.landmarks, on_the_arm(hand, STUB)]))
    first, last = points[[HandLandmark.WRIST, -1]].tolist()
    cv2.line(drawn, first, last, 128, 2 * width, cv2.LINE_8, BITS)
    cv2.fillPoly(drawn, [points[PALM]], 255, cv2.LINE_8, BITS)
    cv2.polylines(drawn, [points[finger] for finger in FINGERS], False, 255, width, cv2.LINE_8, BITS)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), SOFTNESS), np.uint8)


def wrist_line(landmarks: Points, length: float, below: float) -> tuple[NDArray[np.float64], float]:
    """Return the line that parts hand and forearm, as a unit vector towards the arm and an offset.

    It lies `below` palm lengths below the wrist. A point is on the arm's side where its product with the
    vector exceeds the offset.
    """
    down = landmarks[HandLandmark.WRIST].astype(np.float64) - landmarks[HandLandmark.MIDDLE_FINGER_MCP]
    reach = float(np.hypot(*down))
    down = down / reach if reach > 1e-6 else np.array([0.0, 1.0])
    return down, float(landmarks[HandLandmark.WRIST] @ down + below * length)
