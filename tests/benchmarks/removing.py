"""Finding the hand's pixels: handprep's segmenters beside rembg's own call, on the same crops.

How good the masks are is measured by `tests.benchmarks.background`.
"""

from __future__ import annotations

from handprep.sample import Image, Sample
from handprep.segmentation.base import Segmenter
from handprep.segmentation.matte import HandMatte
from handprep.transforms.crop import HandCropper
from tests.benchmarks import peers
from tests.benchmarks.timing import Contestant, table, take_turns, with_skipped

OURS = "HandMatte"
RIVALS = ("u2netp", "u2net")


def compare(pictures: list[Image], *, rounds: int) -> str:
    """Return the table of segmenters, one thread each, on the crops of hands."""
    crops = [HandCropper(search=False).run(picture) for picture in pictures]
    contestants: dict[str, Contestant] = {
        OURS: _segmenting(HandMatte(), crops),
        "HandMatte(fast=True)": _segmenting(HandMatte(fast=True), crops),
    }
    skipped = []
    for model in RIVALS:
        try:
            contestants |= peers.rembg(model, crops)
        except peers.PeerMissingError as reason:
            skipped.append(f"rembg's {model} ({reason})")
    timings = take_turns(contestants, pictures=len(crops), rounds=rounds)
    return with_skipped(table(timings, limit=OURS), skipped)


def _segmenting(segmenter: Segmenter, crops: list[Sample]) -> Contestant:
    return lambda number: segmenter.segment(crops[number].image, crops[number].hands or ())
