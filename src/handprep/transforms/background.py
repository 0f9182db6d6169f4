"""Remove the background."""

import os
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from handprep import images, models
from handprep.configurable import check_choice, check_colour, model_files_of
from handprep.detection import detector_named
from handprep.detection.base import HandDetector
from handprep.errors import ImageError, InputError
from handprep.runtime import per_thread
from handprep.sample import Alpha, Image, Sample
from handprep.segmentation import SEGMENTERS, HandMatte, RembgSegmenter
from handprep.segmentation.base import RatingSegmenter, Segmenter
from handprep.transforms.base import Transform, refuse_missing
from handprep.transforms.compositing import blurred_background, covering, hand_colours, over
from handprep.transforms.resize import grey_of

EFFECTS = ("transparent", "blur", "keep", "mask")
OF_REMBG = ("model", "model_path", "alpha_matting", "post_process")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundRemover(Transform):
    """Remove everything but the hands and forearms.

    The landmarks guide the segmenter. If no `HandCropper` detected hands before, this transform detects them
    itself, at confidence 0.1 with search. All hands in the image stay.

    `Sample.alpha` then says how much of each pixel is hand. Along the hand's edge, the old background is
    removed from the colours, too, so that it leaves no rim. The step's ``mask_confidence``, 0 to 1, says how
    well the mask agrees with what the network alone takes for hand: where it is low, look at the mask.

    Parameters
    ----------
    method
        What finds the hand's pixels: ``"auto"`` (`HandMatte`: the best), ``"fast"`` (the same, with its
        network alone, in about half of the time), ``"rembg"`` (`RembgSegmenter`), ``"alpha"`` (the
        image's own, with which it then is read: for cut-outs), or any `Segmenter`.
    model, model_path, alpha_matting, post_process
        For ``method="rembg"`` alone: `RembgSegmenter`'s model, path, alpha_matting and post_process.
    background
        What comes in the background's place: one grey or ``(red, green, blue)``, 0 to 255, or a name or code
        such as ``"white"`` or ``"#ff8000"``; the path of an image, scaled to cover; ``"transparent"``: alpha
        becomes the image's fourth channel, with black under what is transparent; ``"blur"``: the background,
        strongly blurred, with nothing of the hand in it; ``"mask"``: the result is alpha itself, as a grey
        image; ``"keep"``: the image stays as it is, and only `Sample.alpha` is set.
    detector
        What detects hands if no detector ran before: a name as for `HandCropper`, or any `HandDetector`.
    on_missing
        What to do when there is no hand: ``"keep"`` the image with its background (and opaque, if
        `background` is ``"transparent"``); ``"segment"`` what `method` takes for the main object;
        ``"raise"`` `HandNotFoundError`; or ``"skip"`` the sample, as in `HandCropper`.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Examples
    --------
    >>> BackgroundRemover(background="#00b140").background
    (0, 177, 64)
    """

    method: str | Segmenter = "auto"
    model: str = "u2net"
    model_path: str | None = None
    alpha_matting: bool = False
    post_process: bool = False
    background: int | tuple[int, int, int] | str = 0
    detector: str | HandDetector = "litert"
    on_missing: Literal["keep", "segment", "raise", "skip"] = "keep"

    def __post_init__(self) -> None:
        if not isinstance(self.method, str | Segmenter):
            raise InputError(f"method must be a name or have a segment method, not {self.method!r}")
        object.__setattr__(self, "background", _checked(self.background))
        check_choice("on_missing", self.on_missing, ("keep", "segment", "raise", "skip"))
        self.finder()  # so that an unknown name is refused here, not at the first image
        self.segmenter()

    def finder(self) -> HandDetector | None:
        """Return the detector that it runs if no transform before it did: none for a cut-out's own alpha."""
        detector = detector_named(self.detector)  # which refuses unknown ones in any case
        return None if self.reads_alpha else detector

    def segmenter(self) -> Segmenter:
        """Return the segmenter that these parameters stand for, but for ``"alpha"``, which needs none."""
        if self.method == "rembg":
            options = {name.removeprefix("model_"): getattr(self, name) for name in OF_REMBG}
            return RembgSegmenter(**options)
        for name in self.changed:
            if name in OF_REMBG:
                raise InputError(f"{name} is for method='rembg' alone, not for {self.method!r}")
        if not isinstance(self.method, str):
            return self.method
        check_choice("method", self.method, SEGMENTERS)
        return HandMatte(fast=self.method == "fast")

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the detector and of the segmenter, and the background's, if it is an image."""
        segmenter = None if self.reads_alpha else self.segmenter()
        is_image = isinstance(self.background, str) and self.background not in EFFECTS
        own = {models.own_file(str(self.background))} if is_image else set()
        return model_files_of((self.finder(), segmenter)) | own

    @property
    def reads_alpha(self) -> bool:
        """Whether the method is ``"alpha"``."""
        return self.method == "alpha"

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with alpha, and with another background."""
        finder = self.finder()
        if finder is None:
            return self._with_own_alpha(sample)
        hands = sample.hands if sample.hands is not None else finder.detect(sample.rgb)
        sample = replace(sample, hands=hands)
        if not hands and self.on_missing != "segment":
            return self._without_hand(sample)
        segmenter, confidence = self.segmenter(), None
        if isinstance(segmenter, RatingSegmenter):
            alpha, confidence = segmenter.segment_rated(sample.rgb, hands)
        else:
            alpha = segmenter.segment(sample.rgb, hands)
        rated = {} if confidence is None else {"mask_confidence": round(confidence, 3)}
        details = {"found": len(hands), "hand_share": _share(alpha), **rated}
        return self._with_alpha(sample, alpha).with_step("BackgroundRemover", **details)

    def _with_own_alpha(self, sample: Sample) -> Sample:
        alpha = sample.alpha
        if alpha is None:
            raise ImageError(
                f"{sample.name} has no alpha of its own, which method='alpha' needs: choose another method"
            )
        if self.background != "transparent":  # which it is, with the colours that it came with
            sample = self._with_alpha(replace(sample, transparent=False), alpha)
        return sample.with_step("BackgroundRemover", hand_share=_share(alpha))

    def _without_hand(self, sample: Sample) -> Sample:
        refuse_missing(sample, self.on_missing, "hand", "choose on_missing='keep', 'segment' or 'skip'")
        if self.background == "transparent":  # as many channels as all the others
            opaque = np.full(sample.image.shape[:2], 255, np.uint8)
            sample = replace(sample, alpha=opaque, transparent=True)
        elif self.background == "mask":
            empty = np.zeros(sample.image.shape[:2], np.uint8)
            sample = replace(sample, image=empty, alpha=empty)
        return sample.with_step("BackgroundRemover", found=0, on_missing=self.on_missing)

    def _with_alpha(self, sample: Sample, alpha: Alpha) -> Sample:
        if self.background in ("keep", "mask"):
            return replace(sample, alpha=alpha, image=alpha if self.background == "mask" else sample.image)
        image, transparent = sample.rgb, self.background == "transparent"
        image = hand_colours(image, alpha) if transparent else over(image, alpha, self._behind(sample, alpha))
        if sample.image.ndim == 2:  # all three channels are equal
            image = image[..., 0]
        return replace(sample, image=image, alpha=alpha, transparent=transparent)

    def _behind(self, sample: Sample, alpha: Alpha) -> Image | tuple[int, int, int]:
        """Return the colour or the image that comes in the background's place."""
        grey = sample.image.ndim == 2
        if self.background == "blur":
            return blurred_background(sample.rgb, alpha)
        if isinstance(self.background, str):
            path = self.background
            key = "background", path, models.fingerprint(models.own_file(path))
            image = covering(per_thread(key, lambda: images.read(path).rgb), sample.size)
            return np.dstack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)] * 3) if grey else image
        if isinstance(self.background, int) or grey:
            return (grey_of(self.background),) * 3
        return self.background


def _share(alpha: Alpha) -> float:
    return round(float(np.mean(alpha)) / 255, 4)


def _checked(background: object) -> int | tuple[int, int, int] | str:
    """Return a background as a colour, an effect or a path, or raise InputError."""
    if isinstance(background, os.PathLike):
        background = os.fsdecode(background)
    if isinstance(background, str) and (background in EFFECTS or os.path.isfile(background)):  # noqa: PTH113
        return background
    try:
        return check_colour("background", background)
    except InputError as error:
        effects = ", ".join(map(repr, EFFECTS))
        raise InputError(f"{error}; nor is it {effects} or the path of an image") from error
