"""Damaged picture files, given to the reader and to whole pipelines: ``python -m tests.fuzz.reader``."""

from __future__ import annotations

import re
import traceback
import warnings
import zlib
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

import handprep
from handprep import images
from handprep.errors import HandprepError, ImageError
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.fuzz.campaign import main, scratch
from tests.fuzz.mutation import mutated
from tests.fuzz.seeds import seeds

NAME = "a photo.jpg"  # what each picture is called, and what errors must call it
OUR_LINES = Path(handprep.__file__).parent
SMALL = Pipeline([ResizePad(32), Greyscale()])
CROP = Pipeline([HandCropper(search=False, upright=True), ResizePad(32), Greyscale()])
SEARCH = Pipeline([HandCropper(on_missing="raise"), ResizePad(32)])


def whole() -> bytes:
    """Return a picture file as it should be."""
    return seeds()["jpeg hand"]


def make(random: Random) -> bytes:
    """Return a damaged picture file."""
    files = seeds()
    kind = random.choice(sorted(files))
    relatives = [files[other] for other in files if other.split()[0] == kind.split()[0]]
    others = relatives if random.random() < 0.8 else list(files.values())
    return mutated(files[kind], random, others)


def check(content: bytes) -> str:
    """Read it, in one of several ways, which the content decides; a file that cannot be read is named."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            sample = _read(content, zlib.crc32(content) % 1000)
        except HandprepError as error:
            assert NAME in str(error), f"does not name the picture: {error}"
            assert str(error).isprintable(), repr(str(error))
            assert isinstance(error, ImageError) or "no hand found" in str(error), repr(error)
            return f"{type(error).__name__}: {_gist(str(error))}{_cause(error)}"
    _check_sample(sample)
    return "picture, with a hand" if sample.hands else "picture"


def _read(content: bytes, way: int) -> Sample:
    if way < 2:  # half a second where no hand is found
        return SEARCH.run(content, name=NAME)
    if way < 20:
        return CROP.run(content, name=NAME)
    if way < 150:
        path = _scratch() / NAME
        path.write_bytes(content)
        return SMALL.run(path)
    if way < 350:
        return images.read(content, name=NAME, at_least=1 + way % 40, max_pixels=1_000_000)
    return SMALL.run(content, name=NAME)


_scratch = cache(scratch)


def _check_sample(sample: Sample) -> None:
    assert sample.image.dtype == np.uint8
    assert sample.image.ndim in (2, 3)
    assert not sample.image.flags.writeable
    assert np.isfinite(sample.to_source).all()
    for hand in sample.hands or ():
        assert hand.landmarks is not None
        assert np.isfinite(hand.landmarks).all()


def _cause(error: HandprepError) -> str:
    """Return what kind of error was the cause. An odd one must be Pillow's, and not from our own lines."""
    cause = error.__cause__
    if cause is None:
        return ""
    if not isinstance(cause, HandprepError | MemoryError):
        where = Path(traceback.extract_tb(cause.__traceback__)[-1].filename)
        assert not where.is_relative_to(OUR_LINES), f"{cause!r} was raised in {where}"
    return f" ({type(cause).__name__})"


def _gist(message: str) -> str:
    """Return what kind of problem a message tells, without names and numbers."""
    said = message.partition("cannot be read: ")[2] or message.partition(NAME)[0]
    said = re.sub(r"\(.*", "", said.partition(". ")[0])
    said = re.sub(r"[0-9]+( x [0-9]+)?", "N", said).partition("it begins with")[0]
    return said.partition("hold numbers from")[0].partition("which keeps")[0].strip(" ,")


if __name__ == "__main__":
    raise SystemExit(main("reader"))
