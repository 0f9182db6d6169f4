"""The arms: how photos are prepared before a network sees them.

All else is equal, but for `Arm.features` and `Arm.augment`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handprep import (
    BackgroundRemover,
    Greyscale,
    HandCropper,
    Pipeline,
    ResizePad,
    Sample,
    Skeleton,
    Transform,
    features,
)
from handprep.segmentation import RembgSegmenter

BASELINE = "raw"  # what every other arm is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A way to prepare images.

    Attributes
    ----------
    name
        For the command line and for files.
    title
        For tables and figures.
    pipeline
        What it does.
    features
        Names in `handprep.features.FEATURES`. If there are any, the network sees these numbers of the hand
        in place of the image.
    augment
        Whether training turns, scales and shifts images at random.
    """

    name: str
    title: str
    pipeline: Pipeline
    features: tuple[str, ...] = ()
    augment: bool = False

    @property
    def looks(self) -> bool:
        """Whether it looks for hands."""
        return self.name != BASELINE

    def input_of(self, sample: Sample) -> NDArray[np.generic]:
        """Return what the network sees of a prepared sample: uint8 ``(64, 64)``, or float32 ``(F,)``.

        Without a hand, all features are 0.
        """
        if not self.features:
            return sample.image if sample.image.ndim == 2 else sample.image[..., 0]  # a file is read as RGB
        if sample.hand is None:
            width = sum(len(features.NAMES[name]) for name in self.features)
            return np.zeros(width, np.float32)
        return np.concatenate([features.FEATURES[name](sample.hand).ravel() for name in self.features])


def _arm(name: str, title: str, *steps: Transform) -> Arm:
    """Return an arm that ends as the study's preprocessor: 300 pixels and grey, then 64 pixels."""
    return Arm(
        name=name, title=title, pipeline=Pipeline([*steps, ResizePad(300), Greyscale(), ResizePad(64)])
    )


UPRIGHT = HandCropper(upright=True, mirror="right")
# rembg by itself, as the study tried it: the whole image, wherever a hand may be. The detector looks, for
# the manifest, but the answer does not depend on what it finds.
REMBG = BackgroundRemover(method=RembgSegmenter(model="u2net", only_hand=False), on_missing="segment")
EXACT = HandCropper(refine=True)

ARMS = {  # those that tell most come first, as a long run may be looked at before its end
    arm.name: arm
    for arm in (
        _arm(BASELINE, "raw"),
        _arm("cropped", "cropped (the study's)", HandCropper(search=False)),
        _arm("upright", "cropped upright and mirrored", UPRIGHT),
        _arm("background", "cropped, background removed", HandCropper(), BackgroundRemover()),
        _arm("all", "all of it", UPRIGHT, BackgroundRemover()),
        _arm("searched", "cropped with search", HandCropper()),
        Arm(
            name="skeleton",
            title="the hand's bones, drawn with the palm to the viewer",
            pipeline=Pipeline([EXACT, Skeleton(view="palm", size=64)]),
            augment=True,
        ),
        Arm(
            name="landmarks",
            title="features of the landmarks (no image; a network of its own)",
            pipeline=Pipeline([EXACT]),
            features=("normalised", "palm_frame"),
        ),
        _arm("rembg", "background removed by rembg only", REMBG),
    )
}
STEPS = (  # pairs of arms: with a step, without it; each differs in one transform, but for the last
    ("the search", "searched", "cropped"),
    ("turning upright and mirroring", "upright", "searched"),
    ("removing the background", "background", "searched"),
    ("removing it of hands turned upright", "all", "upright"),
    ("drawing the bones in place of all of it", "skeleton", "all"),
)
QUICK = tuple(name for name in ARMS if name != "rembg")  # whose network is 176 MB and takes 1.4 s an image
