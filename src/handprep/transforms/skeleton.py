"""A drawing of the hand in place of the image."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.configurable import check_choice, check_colour, check_range
from handprep.detection import detector_named
from handprep.detection.base import HandDetector
from handprep.drawing import SHIFT, draw_bones, fixed_point
from handprep.errors import InputError
from handprep.features import TINY, normalised, palm_frame
from handprep.landmarks import CONNECTIONS
from handprep.sample import Hand, Sample
from handprep.transforms.base import Transform, refuse_missing
from handprep.transforms.resize import ResizePad, grey_of

BORDER = 0.06  # of the drawing's sides, left free around the hand
LIGHTEST, GREYS = 255.0, 160.0  # the grey of the nearest bone, and how much darker the farthest is
_ENDS = np.array(CONNECTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton(Transform):
    """Draw the hand's bones in place of the image, so that nothing but the hand's pose is left.

    If a `HandCropper` before it detected hands, the first of these is drawn. If no detector ran before, this
    transform detects hands itself, at confidence 0.1 with search.

    Parameters
    ----------
    view
        ``"image"``: the hand as it lies in the image. ``"upright"``: turned so that the line from the wrist
        to the middle finger's knuckle points up, and mirrored to a right hand. ``"palm"``: turned in space
        until the palm of a right hand faces the viewer (`handprep.features.palm_frame`), so that it no longer
        matters how the hand was held.
    size
        Pixels: one number for a square, or ``(height, width)``. None, for ``"image"`` only: the image's.
    width
        Of a line, as a share of the drawing's long side.
    background
        One grey or ``(red, green, blue)``, 0 to 255; or ``"keep"``, for ``"image"`` only: the image itself.
    colours
        ``"depth"``: a grey image, in which bones nearer to the viewer stand out more from the background;
        ``"fingers"``: a colour for each finger.
    detector
        Who detects hands if no detector ran before: a name as for `HandCropper`, or any `HandDetector`.
    on_missing
        What to do when there is no hand with landmarks: a ``"blank"`` drawing (with ``background="keep"`` the
        image as it is), ``"raise"`` `HandNotFoundError`, or ``"skip"`` the sample, as in `HandCropper`.

    Raises
    ------
    InputError
        If a parameter is out of its range, or does not go with another one.

    Notes
    -----
    The landmarks that come out are those of the drawing. `Sample.to_source` leads back to the photo exactly
    for ``"image"`` and ``"upright"``. A hand that was turned in space has no such map: for ``"palm"`` it is
    the affine map that fits the landmarks best, and `Hand.world` is None.

    Examples
    --------
    >>> Skeleton(view="palm", size=64).output_size
    (64, 64)
    """

    view: Literal["image", "upright", "palm"] = "palm"
    size: int | tuple[int, int] | None = 64
    width: float = 0.03
    background: int | tuple[int, int, int] | str = 0
    colours: Literal["depth", "fingers"] = "depth"
    detector: str | HandDetector = "litert"
    on_missing: Literal["blank", "raise", "skip"] = "blank"

    def __post_init__(self) -> None:
        check_choice("view", self.view, ("image", "upright", "palm"))
        check_choice("colours", self.colours, ("depth", "fingers"))
        check_choice("on_missing", self.on_missing, ("blank", "raise", "skip"))
        check_range("width", self.width, 0, 1)
        if self.size is not None:
            object.__setattr__(self, "size", ResizePad(self.size).size)
        if self.background != "keep":
            object.__setattr__(self, "background", check_colour("background", self.background))
        if self.view != "image" and (self.size is None or self.background == "keep"):
            raise InputError(f"view={self.view!r} needs a size and a background colour, as the image is gone")
        self.finder()

    def finder(self) -> HandDetector:
        """Return the detector that it runs if no transform before it did."""
        return detector_named(self.detector)

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of every result, if `size` is given."""
        return self.size  # type: ignore[return-value]  # made a pair above

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with the drawing, and with hands that fit it."""
        if sample.hands is None:
            sample = replace(sample, hands=self.finder().detect(sample.rgb))
        found = sample.hand is not None and sample.hand.landmarks is not None
        if not found:
            advice = "choose on_missing='blank' or 'skip'"
            refuse_missing(sample, self.on_missing, "hand with landmarks", advice)
        keep = self.background == "keep"
        placed = self._placed(sample, sample.hand if found else None)
        canvas = np.array(placed.rgb) if keep else self._blank(sample)
        if found:
            self._draw(canvas, placed.hands[0])  # type: ignore[index]
        alpha, transparent = (placed.alpha, placed.transparent) if keep else (None, False)
        drawn = replace(placed, image=canvas, alpha=alpha, transparent=transparent, steps=sample.steps)
        side = sample.hand.handedness if sample.hand else None
        in_space = {"photo_handedness": side} if self.view == "palm" and found else {}
        return drawn.with_step("Skeleton", found=len(sample.hands or ()), view=self.view, **in_space)

    def _blank(self, sample: Sample) -> NDArray[np.uint8]:
        size: Any = self.size or sample.image.shape[:2]
        colour: Any = self.background
        if self.colours == "depth":
            return np.full(size, grey_of(colour), np.uint8)
        return np.full((*size, 3), colour, np.uint8)

    def _placed(self, sample: Sample, hand: Hand | None) -> Sample:
        """Return the sample as the drawing will show it; its image is that of before, if it is not kept."""
        if self.view != "image" and hand is not None:
            return self._turned(sample, hand)
        if self.size is None:
            return sample
        if self.background == "keep":
            return ResizePad(self.size).apply(sample)
        (height, width), scale = self.size, self._scale(sample.size)  # type: ignore[misc]
        middle = geometry.translation(*(np.subtract((width, height), scale * np.array(sample.size)) / 2))
        forward = geometry.compose(geometry.scaling(scale, scale), middle)
        return sample.transformed(forward, sample.image, None)

    def _turned(self, sample: Sample, hand: Hand) -> Sample:
        points = normalised(hand) if self.view == "upright" else palm_frame(hand)
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        scale = (1 - 2 * BORDER) * self._scale(np.maximum(high - low, TINY))
        landmarks = np.array(self.size[::-1]) / 2 + scale * (points[:, :2] - (low + high) / 2)  # type: ignore[index]
        known = np.ones((len(points), 3))
        known[:, :2] = hand.landmarks
        forward = np.linalg.lstsq(known, landmarks, rcond=None)[0].T  # the affine map of least squared error
        if self.view == "upright":
            return sample.transformed(forward, sample.image, None)
        turned = replace(
            hand,
            landmarks=landmarks,
            depth=scale * points[:, 2],
            box=geometry.enclosing_box(landmarks),
            handedness=hand.handedness and "Right",
            world=None,
        )
        return replace(replace(sample, hands=None).transformed(forward, sample.image, None), hands=(turned,))

    def _scale(self, size: Any) -> float:
        """Return how much a width and height are to be enlarged to fit into the drawing."""
        return float(np.min(np.array(self.size[::-1]) / size))  # type: ignore[index]

    def _draw(self, canvas: NDArray[np.uint8], hand: Hand) -> None:
        assert hand.landmarks is not None
        width = max(1.0, self.width * max(canvas.shape))
        if self.colours == "fingers":
            draw_bones(canvas, hand.landmarks, width, depth=hand.depth)
            return
        greys, order = np.full(len(_ENDS), LIGHTEST), np.arange(len(_ENDS))
        if hand.depth is not None:
            depth = hand.depth[_ENDS].mean(1) - hand.depth.mean()
            reach = max(1.0, max(hand.box[2] - hand.box[0], hand.box[3] - hand.box[1]) / 2)
            greys = LIGHTEST - GREYS * (1 + np.clip(depth / reach, -1, 1)) / 2
            order = np.argsort(-depth)  # the nearest is drawn last
        if not isinstance(self.background, str) and grey_of(self.background) > GREYS:
            greys = LIGHTEST - greys
        ends, levels = fixed_point(hand.landmarks)[_ENDS].tolist(), greys.astype(int).tolist()
        for bone in order.tolist():
            (start, end), grey = ends[bone], levels[bone]
            cv2.line(canvas, start, end, (grey, grey, grey), round(width), cv2.LINE_AA, SHIFT)
