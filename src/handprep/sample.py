"""The one value that flows through every pipeline: an image and all that is known of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.geometry import Affine
from handprep.hand import LANDMARKS, Hand, read_only
from handprep.text import printable

__all__ = ["LANDMARKS", "Alpha", "Frame", "Hand", "Image", "Sample", "Step"]

Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3) RGB, or (H, W) once grey
Alpha: TypeAlias = NDArray[np.uint8]  # (H, W): 0 background … 255 hand


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

    An array of the wrong shape or dtype is an `InputError`.

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
        object.__setattr__(self, "image", read_only(self.image))
        if (alpha := self.alpha) is not None:
            if alpha.dtype != np.uint8 or alpha.shape != shape[:2]:
                raise InputError(
                    f"a sample's alpha must be uint8 {shape[:2]}, not {alpha.dtype} {alpha.shape}"
                )
            object.__setattr__(self, "alpha", read_only(alpha))
        if np.shape(self.to_source) != (2, 3):
            raise InputError(f"to_source must have shape (2, 3), not {np.shape(self.to_source)}")
        object.__setattr__(self, "to_source", read_only(np.asarray(self.to_source, dtype=np.float64)))

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
        from handprep import drawing, images  # noqa: PLC0415 - of samples

        return images.encode(Sample(image=drawing.thumbnail(self)), "png")

    def show(self) -> None:
        """Show the image with its hands drawn in a viewer, or raise OutputError if there is none."""
        from handprep import drawing  # noqa: PLC0415

        drawing.show(drawing.thumbnail(self))

    def save(self, path: str | os.PathLike[str], *, quality: int = 95) -> None:
        """Write the image to a file, PNG, JPEG or WebP as its name ends, that carries all of the sample.

        `handprep.read` gives the sample back with its hands, alpha and the map to its photo, to the last bit
        from a PNG. `handprep.images.write` writes the image alone.

        Parameters
        ----------
        path
            The file.
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
        """Map pixels of `image`, ``(..., 2)`` x and y, to pixels of the photo.

        They are continuous: (0, 0) is the outer corner of the first pixel.

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

    def transformed(self, forward: Affine, image: Image, alpha: Alpha | None) -> "Sample":
        """Return the sample after its image was moved, with the new image, and the new alpha if there is one.

        `forward` is the ``(2, 3)`` affine map from pixels of the present image to pixels of the new one.
        """
        return replace(
            self,
            image=image,
            alpha=alpha,
            hands=None if self.hands is None else tuple(hand.transformed(forward) for hand in self.hands),
            to_source=geometry.compose(geometry.invert(forward), self.to_source),
            frames=(*self.frames, Frame(size=self.size, to_source=self.to_source)),
        )

    def with_first(self, hand: Hand) -> "Sample":
        """Return the sample with one of its hands first, as the hand that the image is about."""
        others = (other for other in self.hands or () if other is not hand)
        return replace(self, hands=(hand, *others))

    def with_step(self, name: str, **details: Any) -> "Sample":
        """Return the sample with one more step on record."""
        return replace(self, steps=(*self.steps, Step(name=name, details=details)))
