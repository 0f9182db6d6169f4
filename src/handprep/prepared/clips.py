"""Clips among the photos of a folder: each becomes a folder of its frames, in order and followed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.configurable import check_range
from handprep.errors import SampleSkipped
from handprep.images.encoding import encode
from handprep.pipeline import Pipeline
from handprep.prepared.naming import FIRST
from handprep.prepared.origin import Origin
from handprep.prepared.record import Record
from handprep.sample import Sample
from handprep.text import printable
from handprep.threads import ordered_map
from handprep.video import frames

if TYPE_CHECKING:
    from handprep.prepared.ensure import Preparation, Task

SIDE = 32  # pixels of the small grey images that are compared
WRITING = 4  # threads that wait until the disk has what they wrote


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


def frame_name(output: str, number: int) -> str:
    """Return the name of a frame's image.

    >>> frame_name("rock/clip.mp4/000000.png", 120)
    'rock/clip.mp4/000120.png'
    """
    folder, _, ending = output.rpartition(FIRST)
    return f"{folder}/{number:06d}{ending}"


def write_frames(work: Preparation, task: Task) -> Iterator[Record]:
    """Prepare the frames of a clip, write their images, and yield their records, in order.

    The last image's record says how many there are: so a clip whose frames are all there is finished.
    """

    def write(image: tuple[Record, bytes]) -> Record:
        record, content = image
        work.outputs.write(record.origin.output, content)
        return record

    with closing(ordered_map(write, _images(work, task), workers=WRITING)) as records:
        yield from records


def _images(work: Preparation, task: Task) -> Iterator[tuple[Record, bytes]]:
    path = work.photos.path(task.source)
    last, count = None, 0
    try:
        for sample in _followed(work.pipeline, path, work.choice):
            if task.stop.is_set():  # a clip can take long
                raise RuntimeError("stopped")
            if last is None or difference(sample, last) >= work.choice.different:
                if last is not None:
                    yield _sealed(work, task, last, 0)
                last, count = sample, count + 1
    except Exception:
        if last is not None:  # the last good frame, which does not call the clip finished
            yield _sealed(work, task, last, 0)
        raise
    if last is None:
        raise SampleSkipped(f"no hand found in {printable(path)}")
    yield _sealed(work, task, last, count)


def _followed(pipeline: Pipeline, path: str, choice: Choice) -> Iterator[Sample]:
    """Yield the prepared frames of a clip; where a cropper looks for hands, these are followed."""
    chosen = frames(path, every=choice.every, fps=choice.fps)
    if (cropper := pipeline.cropper) is not None:
        yield from pipeline.stream(chosen, search="first" if cropper.search else "never")
        return
    for frame in chosen:
        yield pipeline.run(frame)


def _sealed(work: Preparation, task: Task, sample: Sample, images: int) -> tuple[Record, bytes]:
    number = int((sample.source or "").rpartition("#")[2])
    size = sample.frames[0].size if sample.frames else sample.size
    origin = Origin(
        source=f"{task.source}#{number:06d}",
        folder=work.whole,
        output=frame_name(task.output, number),
        size=task.stamp[0],
        digest=task.digest,
        photo=size,
        fingerprint=work.fingerprint + work.choice.suffix,
        hand=1 if sample.hands else 0,
        clip=task.source,
        frame=number,
        images=images,
    )
    record, image = Record.of(sample, origin), encode(sample, work.format)
    return record, record.sealed_into(image) if work.keeps_record else image


def found(work: Preparation, source: str, output: str) -> list[tuple[Record, bytes]]:
    """Return the records of a clip's frames, with no content, if all are there; else none."""
    records = []
    for name in work.outputs.inside(output.rpartition("/")[0]):
        held = work.held(name, work.choice.suffix)
        if held is not None and held[0].origin.clip == source:
            records.append((held[0], b""))
    return records if sum(record.origin.images for record, _ in records) == len(records) else []
