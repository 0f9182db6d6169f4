"""Damaged and forged records in prepared images: ``python -m tests.fuzz.record``."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import numpy as np

from handprep.images import encode
from handprep.prepared.container import DamagedError
from handprep.prepared.origin import Origin
from handprep.prepared.record import Record
from handprep.sample import Hand, Sample, Step
from tests.fuzz.campaign import main
from tests.fuzz.index import NAMES, TOKENS, VALUES
from tests.fuzz.mutation import mutated


@cache
def _samples() -> tuple[tuple[Sample, str], ...]:
    hand = Hand(box=(1, 2, 3, 4), score=0.5, landmarks=np.ones((21, 2), np.float32), handedness="Left")
    step = Step(name="Greyscale", details={"channels": 1})
    grey = Sample(image=np.arange(60, dtype=np.uint8).reshape(6, 10), hands=(hand,), steps=(step,))
    clear = replace(grey, image=np.zeros((6, 10, 3), np.uint8), alpha=grey.image, transparent=True, hands=())
    apart = replace(clear, transparent=False)
    return (grey, "png"), (clear, "png"), (apart, "jpg"), (clear, "webp")


@cache
def _files() -> tuple[bytes, ...]:
    origin = Origin(source="rock/a.jpg", output="rock/a.png", photo=(640, 480), fingerprint="f.png")
    return tuple(Record.of(s, origin).sealed_into(encode(s, format)) for s, format in _samples())


def whole() -> bytes:
    """Return a prepared image as it should be."""
    return _files()[0]


def make(random: Random) -> bytes:
    """Return a damaged file, or one that is sealed over values that were exchanged."""
    at = random.randrange(len(_files()))
    if random.random() < 0.5:
        return mutated(_files()[at], random, _files(), TOKENS)
    record, (sample, format) = Record.read(_files()[at]), _samples()[at]
    plain = json.loads(json.dumps(dict(record.plain)))
    for _ in range(random.choice((1, 1, 2, 3))):
        _exchange(plain, random)
    if random.random() < 0.2:
        record = replace(record, alpha=mutated(_files()[1], random, _files(), TOKENS))
    return replace(record, plain=plain).sealed_into(encode(sample, format))


def _exchange(tree: Any, random: Random) -> None:
    """Put another value into some place of a tree of JSON."""
    while True:
        key = random.choice([*tree, "surplus"] if isinstance(tree, dict) else range(len(tree)))
        inner = tree[key] if isinstance(tree, list) or key in tree else None
        if not (isinstance(inner, dict | list) and inner and random.random() < 0.7):
            break
        tree = inner
    tree[key] = random.choice(NAMES if random.random() < 0.3 else VALUES)


def check(content: bytes) -> str:
    """Read it: either it is damaged, or everything in it is of the right kind."""
    try:
        record = Record.read(content)
        sample = record.sample(content)
    except DamagedError as error:
        return "changed" if "changed" in str(error) else "of a wrong kind"
    for hand in sample.hands or ():
        assert np.isfinite(hand.box).all()
        assert isinstance(hand.view, str)
    assert np.isfinite(sample.to_source).all()
    assert sample.alpha is None or sample.alpha.shape == sample.image.shape[:2]
    assert all(isinstance(step.name, str) for step in sample.steps), sample.steps
    assert record.origin.photo >= (0, 0)
    return "right"


if __name__ == "__main__":
    raise SystemExit(main("record"))
