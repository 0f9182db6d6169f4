"""Clips among the photos of a folder: each becomes a folder of its frames, in order and followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Event

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.configurable import check_range
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.video import frames

SIDE = 32  # pixels of the small grey images that are compared


@dataclass(frozen=True, slots=True)
class Choice:
    """Which frames of a clip become images: of every so many, so many a second, and only different ones.

    It raises InputError if a number is out of its range.
    """

    every: int = 1
    fps: float | None = None
    different: float = 0.0

    def __post_init__(self) -> None:
        frames("", every=self.every, fps=self.fps)
        check_range("different", self.different, 0, 1)

    @property
    def suffix(self) -> str:
        """What the fingerprint says of the choice."""
        return f"-every{self.every}-fps{self.fps or 0:g}-different{self.different:g}"


def difference(one: Sample, other: Sample) -> float:
    """Return how much two images differ, 0 to 1.

    Both are made grey and reduced to 32 × 32 pixels, by the mean of each area; the difference is the mean of
    the absolute differences of these pixels, as a share of white. Of a still hand, followed through the noise
    of a camera (sigma 3 to 8 of 255) and cropped to 96 × 96 pixels, it was 0.017 at most from frame to frame;
    of 36 photos of different rendered hands, 0.059 at least and 0.25 in the median.
    """
    return float(np.mean(np.abs(_small(one) - _small(other)))) / 255


def _small(sample: Sample) -> NDArray[np.float32]:
    grey = cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if sample.transparent and sample.alpha is not None:
        grey *= sample.alpha / np.float32(255)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def chosen_frames(pipeline: Pipeline, path: str, choice: Choice, stop: Event) -> Iterator[tuple[Sample, int]]:
    """Yield the prepared frames of a clip, each with 0, but the last one with how many there are.

    Where a cropper looks for hands, these are followed. A damaged clip's good frames come before its error.
    """
    cropper = pipeline.cropper
    samples: Iterable[Sample] = frames(path, every=choice.every, fps=choice.fps)
    if cropper is None:
        samples = map(pipeline.run, samples)
    else:
        samples = pipeline.stream(samples, search="first" if cropper.search else "never")
    last, count = None, 0
    try:
        for sample in samples:
            if stop.is_set():  # a clip can take long
                return
            if last is None or difference(sample, last) >= choice.different:
                if last is not None:
                    yield last, 0
                last, count = sample, count + 1
    except Exception:
        if last is not None:
            yield last, 0
        raise
    if last is not None:
        yield last, count
