"""One hand of an image."""

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.geometry import Affine, Box, Points
from handprep.landmarks import HandLandmark

LANDMARKS = len(HandLandmark)
OTHER_HAND = {"Left": "Right", "Right": "Left"}


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that cannot be written to, and leave the given one as it is."""
    if type(array) is np.ndarray and not array.flags.writeable:
        return array
    view = array.view(np.ndarray)  # a view, so that the caller's own array stays writable
    view.flags.writeable = False
    return view


# Shapes of a Hand's arrays, all float32.
HAND_ARRAYS = {"landmarks": (LANDMARKS, 2), "depth": (LANDMARKS,), "world": (LANDMARKS, 3)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Hand:
    """One hand, in continuous pixel coordinates of the image it belongs to.

    Every transform that moves the image moves all of it: turned, mirrored and scaled.

    Attributes
    ----------
    box
        ``(x0, y0, x1, y1)`` in pixels. For hands with landmarks, the smallest box around these.
    score
        Presence of a hand, 0 to 1.
    palm_score
        Score of the palm network, 0 to 1; 0 where none ran.
    landmarks
        ``(21, 2)`` float32 pixels in MediaPipe's order, `HandLandmark`; None for detectors that give boxes
        only.
    depth
        ``(21,)`` float32 pixels of the image, or None: the z of MediaPipe's landmarks. About 0 at the wrist;
        smaller is nearer to the camera.
    handedness
        ``"Left"`` or ``"Right"``: which hand it is if the image is not mirrored, as in MediaPipe's Tasks
        API. Labels of its classic API assume a mirrored (selfie) image and are the other way round.
    handedness_score
        How sure the network is of `handedness`, 0.5 to 1, or None.
    world
        ``(21, 3)`` float32 metres about the hand's centre, or None. The axes are the image's: x to the right,
        y down, z away from the camera.
    view
        Which view of the image the hand was found in, such as ``"as-is"``.
    track
        In a stream of frames (`Pipeline.stream`), the hand's number, counted from 0: it keeps this from frame
        to frame. Else None.

    An array of the wrong shape, or a number that is not finite, is an `InputError`.

    Examples
    --------
    >>> import numpy as np
    >>> hand = Hand(box=(0, 0, 20, 10), score=0.9, handedness="Left")
    >>> hand
    <Hand Left 0.90, box 0 0 20 10, no landmarks, view as-is>
    >>> hand.transformed(np.array([[-1.0, 0, 100], [0, 1, 0]])).handedness  # mirrored
    'Right'
    """

    box: Box
    score: float
    palm_score: float = 0.0
    landmarks: Points | None = None
    depth: NDArray[np.float32] | None = None
    handedness: str | None = None
    handedness_score: float | None = None
    world: NDArray[np.float32] | None = None
    view: str = "as-is"
    track: int | None = None

    def __post_init__(self) -> None:
        numbers = (*self.box, self.score, self.palm_score, self.handedness_score or 0.0)
        if len(self.box) != 4 or not all(isinstance(n, Real) and math.isfinite(n) for n in numbers):
            raise InputError(f"a hand needs four finite box numbers and finite scores, not {numbers}")
        if self.handedness not in (None, "Left", "Right"):
            raise InputError(f"handedness must be 'Left', 'Right' or None, not {self.handedness!r:.100}")
        for name, shape in HAND_ARRAYS.items():
            array = getattr(self, name)
            if array is None:
                continue
            array = np.asarray(array, dtype=np.float32)
            if array.shape != shape or not np.isfinite(array).all():
                raise InputError(f"{name} must be finite numbers of shape {shape}, not {array.shape}")
            object.__setattr__(self, name, read_only(array))

    def __repr__(self) -> str:
        box = " ".join(f"{side:.0f}" for side in self.box)
        seen = "no landmarks" if self.landmarks is None else "landmarks"
        return f"<Hand {self.caption}, box {box}, {seen}, view {self.view}>"

    @property
    def caption(self) -> str:
        """Side and score, such as ``"Right 0.98"``."""
        return f"{self.handedness or ''} {self.score:.2f}".strip()

    def transformed(self, forward: Affine) -> "Hand":
        """Return the hand as it lies after the image was moved by a ``(2, 3)`` affine map.

        A map that scales both axes differently scales `depth` by their geometric mean, and turns `world` by
        the nearest rotation.
        """
        handedness = self.handedness
        if handedness is not None and geometry.mirrors(forward):
            handedness = OTHER_HAND[handedness]
        world = self.world
        if world is not None:
            turned = world[:, :2] @ geometry.nearest_turn(forward).T.astype(np.float32)
            world = np.column_stack([turned, world[:, 2]])
        moved = replace(self, handedness=handedness, world=world)
        if self.landmarks is None:
            return replace(moved, box=geometry.apply_to_box(forward, self.box))
        points = geometry.apply(forward, self.landmarks)
        depth = None if self.depth is None else self.depth * np.float32(geometry.scale_of(forward))
        box = geometry.enclosing_box(points)
        return replace(moved, landmarks=points.astype(np.float32), depth=depth, box=box)
