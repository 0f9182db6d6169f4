"""The 21 landmarks of a hand: their names, the bones between them, the fingers."""

from enum import IntEnum


class HandLandmark(IntEnum):
    """MediaPipe's names of the rows of `Hand.landmarks`, `Hand.depth` and `Hand.world`.

    Of a finger's joints, ``MCP`` is the knuckle, ``PIP`` and ``DIP`` follow it, and ``TIP`` lies under the
    nail; the thumb has ``CMC``, ``MCP``, ``IP`` and ``TIP``. Source: MediaPipe's ``HandLandmark``.

    Examples
    --------
    >>> HandLandmark.INDEX_FINGER_TIP
    <HandLandmark.INDEX_FINGER_TIP: 8>
    """

    WRIST = 0
    THUMB_CMC = 1
    THUMB_MCP = 2
    THUMB_IP = 3
    THUMB_TIP = 4
    INDEX_FINGER_MCP = 5
    INDEX_FINGER_PIP = 6
    INDEX_FINGER_DIP = 7
    INDEX_FINGER_TIP = 8
    MIDDLE_FINGER_MCP = 9
    MIDDLE_FINGER_PIP = 10
    MIDDLE_FINGER_DIP = 11
    MIDDLE_FINGER_TIP = 12
    RING_FINGER_MCP = 13
    RING_FINGER_PIP = 14
    RING_FINGER_DIP = 15
    RING_FINGER_TIP = 16
    PINKY_MCP = 17
    PINKY_PIP = 18
    PINKY_DIP = 19
    PINKY_TIP = 20


LANDMARK_NAMES = [landmark.name.lower() for landmark in HandLandmark]  # as in tables

# Lists, so that they index arrays of landmarks.
KNUCKLES = [5, 9, 13, 17]  # of index, middle, ring and little finger
PALM = [0, 1, *KNUCKLES]  # the palm's outline
FINGERS = [[root, root + 1, root + 2, root + 3] for root in (1, *KNUCKLES)]  # thumb first, each to its tip

# The 21 bones, as pairs of landmarks: mediapipe.solutions.hands.HAND_CONNECTIONS.
CONNECTIONS: tuple[tuple[int, int], ...] = (
    *((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17)),
    *((joint, joint + 1) for finger in FINGERS for joint in finger[:-1]),
)
