"""Who finds the hand's pixels."""

from __future__ import annotations

from handprep.errors import InputError
from handprep.segmentation.base import Segmenter
from handprep.segmentation.matte import HandMatte
from handprep.segmentation.rembg import RembgSegmenter

SEGMENTERS = ("auto", "fast", "rembg")


def segmenter_named(method: str | Segmenter, *, model: str) -> Segmenter:
    """Return a segmenter by its name, or the given one.

    Parameters
    ----------
    model
        rembg's network, for the method of that name.

    Raises
    ------
    InputError
        If there is no segmenter of that name.
    """
    if not isinstance(method, str):
        return method
    if method not in SEGMENTERS:
        raise InputError(f"method must be one of {', '.join(map(repr, SEGMENTERS))}, not {method!r}")
    return RembgSegmenter(model=model) if method == "rembg" else HandMatte(fast=method == "fast")
