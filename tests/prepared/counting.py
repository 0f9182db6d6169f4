"""A transform that notes which photos it was given, in whatever process, and folders of photos for it."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from handprep.errors import ModelError
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.rendered import Rendered, photos

HANDS = photos()[7:16]  # three of every class, all found at the first look
CROP = Pipeline([HandCropper(search=False), ResizePad(32), Greyscale()])
RESIZE = Pipeline([ResizePad(16)])  # where it does not matter what the pipeline is


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Transform):
    """Leave the picture as it is, and write its source to a file, which may take some time."""

    file: str
    seconds: float = 0.0

    def apply(self, sample: Sample) -> Sample:
        time.sleep(self.seconds)
        with Path(self.file).open("ab", buffering=0) as file:
            file.write(os.fsencode(str(sample.source)) + b"\n")
        return sample


@dataclass(frozen=True, slots=True)
class Needy(Transform):
    """Meet a missing model when it is used."""

    def apply(self, sample: Sample) -> Sample:
        raise ModelError("no such model here")


def counted(place: Path, pipeline: Pipeline = RESIZE, *, seconds: float = 0.0) -> Pipeline:
    """Return a pipeline whose photos can be counted."""
    return Pipeline([Counted(file=str(place / "counted"), seconds=seconds), *pipeline.transforms])


def count(place: Path) -> int:
    """Return how many photos were prepared."""
    file = place / "counted"
    return len(file.read_bytes().splitlines()) if file.exists() else 0


def copied(folder: Path, hands: list[Rendered] = HANDS) -> list[str]:
    """Copy rendered hands to CLASS/NAME, so that they look as if they had lain there for long."""
    paths = []
    for hand in hands:
        (folder / hand.label).mkdir(parents=True, exist_ok=True)
        paths.append(settled(Path(shutil.copy(hand.path, folder / hand.label))))
    return sorted(paths)


def settled(photo: Path, seconds: float = 1000) -> str:
    """Make a photo look as if it was last changed some time ago."""
    past = time.time() - seconds
    os.utime(photo, (past, past))
    return str(photo)
