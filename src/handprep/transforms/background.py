"""Take the background away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from handprep.configurable import check_choice, check_colour, model_files_of
from handprep.detection import detector_named
from handprep.detection.base import HandDetector
from handprep.errors import HandNotFoundError, InputError, SampleSkipped
from handprep.sample import Alpha, Image, Sample
from handprep.segmentation import segmenter_named
from handprep.segmentation.base import Segmenter
from handprep.transforms.base import Transform
from handprep.transforms.compositing import blurred_background, hand_colours, over
from handprep.transforms.resize import grey_of

CONFIDENCE = 0.1  # of the detector, as in HandCropper
EFFECTS = ("transparent", "blur", "keep")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundRemover(Transform):
    """Take away what is not hand and forearm.

    Segmenters are guided by the hands' landmarks. Where a `HandCropper` before it has found hands, these
    serve. Where nobody has looked yet, this transform looks for itself, at confidence 0.1 with search.
    All hands in the picture stay.

    `Sample.alpha` then says how much of each pixel is hand. Along the hand's edge, the old background is
    taken out of the colours, too, so that it leaves no rim.

    Parameters
    ----------
    method
        Who finds the hand's pixels: ``"matte"`` (`HandMatte`: handprep's own network), ``"grabcut"``
        (`GrabCut`: no network, for hands that stand out in colour), ``"rembg"`` (`RembgSegmenter`),
        ``"auto"`` (the best for hands: at present ``"matte"``), or any `Segmenter`.
    model
        rembg's network for ``method="rembg"``.
    background
        What comes in the background's place: one grey or ``(red, green, blue)``, 0 to 255;
        ``"transparent"``: alpha becomes the picture's fourth channel; ``"blur"``: the background, strongly
        blurred, with nothing of the hand in it; ``"keep"``: the picture stays as it is, and only
        `Sample.alpha` is set.
    detector
        Who looks for hands where nobody has: ``"litert"``, ``"mediapipe"`` or any `HandDetector`.
    on_missing
        What to do when there is no hand: ``"keep"`` the picture with its background (and opaque, if
        `background` is ``"transparent"``); ``"segment"`` what `method` takes for the main object;
        ``"raise"`` `HandNotFoundError`; or ``"skip"`` the sample, as in `HandCropper`.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Examples
    --------
    >>> BackgroundRemover(background=(0, 177, 64)).background
    (0, 177, 64)
    """

    method: str | Segmenter = "auto"
    model: str = "u2net"
    background: int | tuple[int, int, int] | str = 0
    detector: str | HandDetector = "litert"
    on_missing: Literal["keep", "segment", "raise", "skip"] = "keep"

    def __post_init__(self) -> None:
        if not isinstance(self.method, str | Segmenter):
            raise InputError(f"method must be a name or have a segment method, not {self.method!r}")
        if not isinstance(self.detector, str | HandDetector):
            raise InputError(f"detector must be a name or have a detect method, not {self.detector!r}")
        if isinstance(self.background, str):
            check_choice("background", self.background, EFFECTS)
        else:
            object.__setattr__(self, "background", check_colour("background", self.background))
        check_choice("on_missing", self.on_missing, ("keep", "segment", "raise", "skip"))
        self.finder()  # so that an unknown name is refused here, not at the first picture
        self.segmenter()

    def finder(self) -> HandDetector:
        """Return the detector that looks where nobody has."""
        return detector_named(self.detector, confidence=CONFIDENCE, search=True)

    def segmenter(self) -> Segmenter:
        """Return the segmenter that these parameters stand for."""
        return segmenter_named(self.method, model=self.model)

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the detector and of the segmenter."""
        return model_files_of((self.finder(), self.segmenter()))

    @property
    def looks(self) -> bool:
        """True."""
        return True

    def model_files_after(self, looked: bool) -> frozenset[str]:
        """Return those of both, or the segmenter's alone where the hands are known."""
        return model_files_of(self.segmenter()) if looked else self.model_files

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with alpha, and with another background."""
        image = sample.rgb
        hands = sample.hands if sample.hands is not None else self.finder().detect(image)
        sample = replace(sample, hands=hands)
        if not hands and self.on_missing != "segment":
            return self._without_hand(sample)
        alpha = self.segmenter().segment(image, hands)
        share = round(float(np.mean(alpha)) / 255, 4)
        return self._with_alpha(sample, image, alpha).noted(
            "BackgroundRemover", found=len(hands), hand_share=share
        )

    def _without_hand(self, sample: Sample) -> Sample:
        if self.on_missing == "raise":
            raise HandNotFoundError(
                f"no hand found in {sample.name}, so its background is unknown; "
                "choose on_missing='keep', 'segment' or 'skip'"
            )
        if self.on_missing == "skip":
            raise SampleSkipped(f"no hand found in {sample.name}, which is skipped (on_missing='skip')")
        if self.background == "transparent":  # as many channels as all the others
            opaque = np.full(sample.image.shape[:2], 255, np.uint8)
            sample = replace(sample, alpha=opaque, transparent=True)
        return sample.noted("BackgroundRemover", found=0, on_missing=self.on_missing)

    def _with_alpha(self, sample: Sample, image: Image, alpha: Alpha) -> Sample:
        if self.background == "keep":
            return replace(sample, alpha=alpha)
        if self.background == "transparent":
            image = hand_colours(image, alpha)
        elif self.background == "blur":
            image = over(image, alpha, blurred_background(image, alpha))
        else:
            image = over(image, alpha, self._colour(sample.image))
        if sample.image.ndim == 2:  # all three channels are equal
            image = image[..., 0]
        return replace(sample, image=image, alpha=alpha, transparent=self.background == "transparent")

    def _colour(self, image: Image) -> tuple[int, int, int]:
        assert not isinstance(self.background, str)
        if isinstance(self.background, int) or image.ndim == 2:
            return (grey_of(self.background),) * 3
        return self.background
