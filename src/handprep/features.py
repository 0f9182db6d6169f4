"""Numbers made of a hand's landmarks, for classifiers that need no pixels.

None of them depends on where, how large, how turned or how mirrored the hand is in the photo. A hand without
`Hand.handedness` counts as a right one; one that lacks what the numbers are made of is an `InputError`.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.linalg import norm
from numpy.typing import NDArray

from handprep.configurable import check_choice
from handprep.errors import InputError
from handprep.landmarks import FINGERS, LANDMARK_NAMES, HandLandmark
from handprep.sample import Hand

Source = Literal["depth", "world"]

TINY = 1e-9  # in place of a length that is none, where all landmarks lie in one point
CHAINS = [[HandLandmark.WRIST, *finger] for finger in FINGERS]
TIPS = [finger[-1] for finger in FINGERS]

NAMES: dict[str, tuple[str, ...]] = {
    "normalised": tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy"),
    "palm_frame": tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xyz"),
    "joint_angles": (
        *(f"{LANDMARK_NAMES[joint]}_angle" for finger in FINGERS for joint in finger[:-1]),
        *(f"{one}_{other}_spread" for one, other in pairwise(("thumb", "index", "middle", "ring", "pinky"))),
        *(f"{LANDMARK_NAMES[tip]}_to_wrist" for tip in TIPS),
        *(f"{LANDMARK_NAMES[tip]}_to_thumb_tip" for tip in TIPS[1:]),
    ),
}  #: The names of each function's numbers, in the order of its array, flattened.


def normalised(hand: Hand) -> NDArray[np.float32]:
    """Return the landmarks as those of an upright right hand of size 1.

    Parameters
    ----------
    hand
        A hand with landmarks.

    Returns
    -------
    ndarray
        ``(21, 2)`` float32: the wrist at (0, 0), the middle finger's knuckle straight above it, as y points
        down, and the landmark that is farthest from the wrist at a distance of 1.

    Examples
    --------
    >>> points = np.random.default_rng(0).uniform(0, 100, (21, 2))
    >>> hand = Hand(landmarks=points, box=(0, 0, 100, 100), score=1.0)
    >>> normalised(hand).shape
    (21, 2)
    """
    points = _points(hand, "landmarks")
    knuckle = points[HandLandmark.MIDDLE_FINGER_MCP]
    x, y = knuckle / max(TINY, float(norm(knuckle)))
    turned = points @ np.array([[-y, -x], [x, -y]])
    return np.asarray(turned / max(TINY, float(norm(turned, axis=1).max())), np.float32)


def palm_frame(hand: Hand, source: Source = "depth") -> NDArray[np.float32]:
    """Return the landmarks in space, turned until the palm of a right hand faces the viewer, fingers up.

    However the hand was held, only its pose is left.

    Parameters
    ----------
    hand
        A hand with what `source` names.
    source
        ``"depth"``: the landmarks in the image and their depth. ``"world"``: the world landmarks.

    Returns
    -------
    ndarray
        ``(21, 3)`` float32: x to the right, where the thumb is; y down, the middle finger's knuckle straight
        above the wrist, which is at 0; z away from the viewer. The unit is the distance of these two.
    """
    points = _points(hand, source)
    knuckle = points[HandLandmark.MIDDLE_FINGER_MCP]
    size = max(TINY, float(norm(knuckle)))
    down = -knuckle / size
    across = points[HandLandmark.INDEX_FINGER_MCP] - points[HandLandmark.PINKY_MCP]
    across = across - (across @ down) * down
    right = across / max(TINY, float(norm(across)))
    axes = np.array([right, down, np.cross(right, down)])
    return np.asarray(points @ axes.T / size, np.float32)


def joint_angles(hand: Hand, source: Source = "depth") -> NDArray[np.float32]:
    """Return how the fingers are bent and spread, and how far their tips are from wrist and thumb.

    Parameters
    ----------
    hand, source
        As for `palm_frame`.

    Returns
    -------
    ndarray
        ``(28,)`` float32. Radians: the bend at the three joints of each finger, 0 if straight, from thumb to
        little finger; the angles between neighbouring fingers' first bones. In units of the distance from the
        wrist to the middle finger's knuckle: from the five tips to the wrist, and from four to the thumb's.
    """
    points = _points(hand, source)
    bones = np.stack([np.diff(points[chain], axis=0) for chain in CHAINS])  # (5, 4, 3)
    bends = _angles(bones[:, :-1], bones[:, 1:])
    spreads = _angles(bones[:-1, 1], bones[1:, 1])
    to_thumb = norm(points[TIPS[1:]] - points[TIPS[0]], axis=1)
    lengths = np.concatenate([norm(points[TIPS], axis=1), to_thumb])
    size = max(TINY, float(norm(points[HandLandmark.MIDDLE_FINGER_MCP])))
    return np.concatenate([bends.ravel(), spreads, lengths / size]).astype(np.float32)


FEATURES: dict[str, Callable[[Hand], NDArray[np.float32]]] = {
    function.__name__: function for function in (normalised, palm_frame, joint_angles)
}


def names_of(features: str | Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns of one feature function or of several, by the function's name, which is checked.

    Examples
    --------
    >>> names_of("joint_angles")["joint_angles"][0]
    'joint_angles_thumb_cmc_angle'
    """
    if not isinstance(features, Iterable):
        raise InputError(f"features must be a name or several, not {features!r:.100}")
    chosen = (features,) if isinstance(features, str) else tuple(features)
    for name in chosen:
        check_choice("features", name, tuple(FEATURES))
    return {name: tuple(f"{name}_{column}" for column in NAMES[name]) for name in chosen}


def _points(hand: Hand, source: str) -> NDArray[np.float64]:
    """Return the landmarks of a hand as those of a right hand, seen from the wrist."""
    arrays = {"world": (hand.world,), "depth": (hand.landmarks, hand.depth), "landmarks": (hand.landmarks,)}
    check_choice("source", source, tuple(arrays))
    found = [array for array in arrays[source] if array is not None]
    if len(found) < len(arrays[source]):
        raise InputError(f"these features need a hand with {source}, as MediaPipe's networks give it")
    points = np.column_stack(found).astype(np.float64)
    points -= points[HandLandmark.WRIST]
    if hand.handedness == "Left":
        points[:, 0] *= -1
    return points


def _angles(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    # unlike the arc cosine, exact also where the vectors are nearly parallel
    return np.asarray(np.arctan2(norm(np.cross(one, other), axis=-1), (one * other).sum(-1)))
