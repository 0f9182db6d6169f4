"""The arms: how pictures are prepared before the network sees them. All else is equal."""

from __future__ import annotations

from dataclasses import dataclass

from handprep import (
    BackgroundRemover,
    Greyscale,
    HandCropper,
    Pipeline,
    RembgSegmenter,
    ResizePad,
    Transform,
)

BASELINE = "raw"  # what every other arm is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A way to prepare pictures.

    Attributes
    ----------
    name
        For the command line and for files.
    title
        For tables and figures.
    pipeline
        What it does.
    """

    name: str
    title: str
    pipeline: Pipeline

    @property
    def looks(self) -> bool:
        """Whether it looks for hands."""
        return self.name != BASELINE


def _arm(name: str, title: str, *steps: Transform) -> Arm:
    """Return an arm that ends as the study's preprocessor: 300 pixels and grey, then 64 pixels."""
    return Arm(
        name=name, title=title, pipeline=Pipeline([*steps, ResizePad(300), Greyscale(), ResizePad(64)])
    )


UPRIGHT = HandCropper(upright=True, mirror="right")
# rembg by itself, as the study tried it: the whole picture, wherever a hand may be. The detector looks, for
# the manifest, but the answer does not depend on what it finds.
REMBG = BackgroundRemover(method=RembgSegmenter(model="u2net", only_hand=False), on_missing="segment")

ARMS = {  # those that tell most come first, as a long run may be looked at before its end
    arm.name: arm
    for arm in (
        _arm(BASELINE, "raw"),
        _arm("cropped", "cropped (the study's)", HandCropper(search=False)),
        _arm("upright", "cropped upright and mirrored", UPRIGHT),
        _arm("background", "cropped, background removed", HandCropper(), BackgroundRemover()),
        _arm("all", "all of it", UPRIGHT, BackgroundRemover()),
        _arm("searched", "cropped with search", HandCropper()),
        _arm("rembg", "background removed by rembg only", REMBG),
    )
}
STEPS = (  # pairs of arms that one step makes the difference between: with it, without it
    ("the search", "searched", "cropped"),
    ("turning upright and mirroring", "upright", "searched"),
    ("removing the background", "background", "searched"),
    ("removing it of hands turned upright", "all", "upright"),
)
QUICK = tuple(name for name in ARMS if name != "rembg")  # whose network is 176 MB and takes 1.4 s a picture
