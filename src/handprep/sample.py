"""The one value that flows through every pipeline: an image and all that is known of it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.geometry import Affine, Box, Points
from handprep.landmarks import HandLandmark
from handprep.text import printable

Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3) RGB, or (H, W) once grey
Alpha: TypeAlias = NDArray[np.uint8]  # (H, W): 0 background … 255 hand

LANDMARKS = len(HandLandmark)
OTHER_HAND = {"Left": "Right", "Right": "Left"}


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
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

    Raises
    ------
    InputError
        If an array has the wrong shape or a number is not finite.

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
            object.__setattr__(self, name, _read_only(array))

    def __repr__(self) -> str:
        box = " ".join(f"{side:.0f}" for side in self.box)
        seen = "no landmarks" if self.landmarks is None else "landmarks"
        return f"<Hand {self.caption}, box {box}, {seen}, view {self.view}>"

    @property
    def caption(self) -> str:
        """Side and score, such as ``"Right 0.98"``."""
        return f"{self.handedness or ''} {self.score:.2f}".strip()

    def transformed(self, forward: Affine) -> Hand:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one transform did to a sample: its name, and details of what it did as JSON values."""

    name: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """Where an image lay in the photo: its width and height, and the map from its pixels to the photo's."""

    size: tuple[int, int]
    to_source: Affine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sample:
    """An image on its way through a pipeline, with all that is known of it.

    A notebook shows it with its hands drawn, and ``np.asarray(sample)`` is its image.

    Attributes
    ----------
    image
        uint8, ``(H, W, 3)`` RGB, or ``(H, W)`` once grey. Read-only: to change pixels, change
        ``sample.image.copy()``.
    hands
        None: not looked for. ``()``: looked for, none found. Else the hands, the chosen one first.
    alpha
        None, or uint8 ``(H, W)``: how much of each pixel is hand, 0 to 255. Read-only.
    transparent
        True if the image is to be given back and saved with `alpha` as its fourth channel.
    to_source
        ``(2, 3)`` float64 affine map from pixels of `image` to pixels of the photo it came from, at
        the photo's full size and turned upright by its EXIF orientation.
    source
        Path or name of the photo for messages and manifests, or None.
    steps
        One `Step` for each transform so far.
    time
        Seconds from the beginning of the clip that the image is a frame of, or None.
    frames
        Every image that this one was cut, turned or scaled from, the photo first: what of the present
        image lies outside of any of these is filling.

    Raises
    ------
    InputError
        If an array has the wrong shape or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> Sample(image=np.zeros((4, 6, 3), np.uint8), source="photo.jpg")
    <Sample 6x4 RGB, hands not looked for, photo.jpg>
    """

    image: Image
    hands: tuple[Hand, ...] | None = None
    alpha: Alpha | None = None
    transparent: bool = False
    to_source: Affine = field(default_factory=geometry.identity)
    source: str | None = None
    steps: tuple[Step, ...] = ()
    time: float | None = None
    frames: tuple[Frame, ...] = ()

    def __post_init__(self) -> None:
        shape, dtype = self.image.shape, self.image.dtype
        if dtype != np.uint8 or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)) or 0 in shape:
            raise InputError(f"a sample's image must be uint8 (H, W, 3) or (H, W), not {dtype} {shape}")
        if self.alpha is not None and (self.alpha.dtype != np.uint8 or self.alpha.shape != shape[:2]):
            raise InputError(
                f"a sample's alpha must be uint8 {shape[:2]}, not {self.alpha.dtype} {self.alpha.shape}"
            )
        if np.shape(self.to_source) != (2, 3):
            raise InputError(f"to_source must have shape (2, 3), not {np.shape(self.to_source)}")
        object.__setattr__(self, "image", _read_only(self.image))
        if self.alpha is not None:
            object.__setattr__(self, "alpha", _read_only(self.alpha))
        object.__setattr__(self, "to_source", _read_only(np.asarray(self.to_source, dtype=np.float64)))

    def __repr__(self) -> str:
        colours = "RGBA" if self.transparent else "RGB" if self.image.ndim == 3 else "grey"
        found = "hands not looked for" if self.hands is None else "no hand"
        found = ", ".join(hand.caption for hand in self.hands or ()) or found
        steps = "".join(f" > {step.name}" for step in self.steps)
        width, height = self.size
        return f"<Sample {width}x{height} {colours}, {found}, {self.name}{steps}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return `image` for ``np.asarray``."""
        if copy is None:  # which numpy 1 does not know
            return np.asarray(self.image, dtype=dtype)
        return np.array(self.image, dtype=dtype, copy=copy)

    def _repr_png_(self) -> bytes:
        from handprep import drawing  # noqa: PLC0415 - which draws samples

        return drawing.as_png(drawing.thumbnail(self))

    def show(self) -> None:
        """Show the image with its hands drawn, in the viewer that ``PIL.Image.show`` opens.

        Raises
        ------
        OutputError
            If there is no viewer, as on a server.
        """
        from handprep import drawing  # noqa: PLC0415

        drawing.show(drawing.thumbnail(self))

    def save(self, path: str | os.PathLike[str], *, quality: int = 95) -> None:
        """Write the image to a PNG, JPEG or WebP file that carries all of the sample.

        `handprep.read` gives the sample back with its hands, alpha and the map to its photo, to the last bit
        from a PNG. `handprep.images.write` writes the image alone.

        Parameters
        ----------
        path
            Where to; its ending decides the format.
        quality
            1 to 100, for JPEG and WebP.

        Raises
        ------
        InputError, OutputError
            If the ending names no format, or the file cannot be written.
        """
        from handprep.prepared import record  # noqa: PLC0415 - of samples

        record.save(self, path, quality=quality)

    def to_photo(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map pixels of `image` to pixels of the photo.

        Parameters
        ----------
        points
            ``(..., 2)`` x, y; continuous, so that (0, 0) is the outer corner of the first pixel.

        Examples
        --------
        >>> cut = Sample(image=np.zeros((9, 9), np.uint8), to_source=geometry.translation(100, 50))
        >>> cut.to_photo([(1, 2)]).tolist()
        [[101.0, 52.0]]
        """
        return geometry.apply(self.to_source, points)

    def from_photo(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map pixels of the photo to pixels of `image`: the inverse of `to_photo`."""
        return geometry.apply(geometry.invert(self.to_source), points)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def rgb(self) -> Image:
        """The image as uint8 ``(H, W, 3)``, also where it is grey."""
        return self.image if self.image.ndim == 3 else np.repeat(self.image[..., None], 3, axis=2)

    @property
    def hand(self) -> Hand | None:
        """The hand that the image is about: the first of `hands`, or None."""
        return self.hands[0] if self.hands else None

    @property
    def name(self) -> str:
        """The photo's name for messages, printable whatever bytes it is made of."""
        return printable(self.source) if self.source else "the given image"

    def transformed(self, forward: Affine, image: Image, alpha: Alpha | None) -> Sample:
        """Return the sample after its image was moved.

        Parameters
        ----------
        forward
            ``(2, 3)`` affine map from pixels of the present image to pixels of the new one.
        image, alpha
            The new image, and the new alpha or None where there is none.
        """
        return replace(
            self,
            image=image,
            alpha=alpha,
            hands=None if self.hands is None else tuple(hand.transformed(forward) for hand in self.hands),
            to_source=geometry.compose(geometry.invert(forward), self.to_source),
            frames=(*self.frames, Frame(size=self.size, to_source=self.to_source)),
        )

    def with_first(self, hand: Hand) -> Sample:
        """Return the sample with one of its hands first, as the hand that the image is about."""
        others = (other for other in self.hands or () if other is not hand)
        return replace(self, hands=(hand, *others))

    def with_step(self, name: str, **details: Any) -> Sample:
        """Return the sample with one more step on record."""
        return replace(self, steps=(*self.steps, Step(name=name, details=details)))
