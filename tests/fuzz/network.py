"""Damaged ONNX files of the user's own, for YOLO and for matting: ``python -m tests.fuzz.network``.

These networks are run by ONNX Runtime as they are; a crash of the process is a fault of its, not handprep's.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from handprep.detection.yolo import YoloDetector
from handprep.errors import ModelError
from handprep.segmentation.matte import NETWORK, HandMatte
from tests.detection import tiny_yolo
from tests.fuzz.campaign import main, scratch
from tests.fuzz.mutation import mutated

MATTING = 1_000_000  # bytes, from which a file is a matting network: YOLO's here is a quarter of that
PICTURE = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
TOKENS = (
    *(b"Conv", b"Reshape", b"Concat", b"Gather", b"Loop", b"If", b"Resize", b"images", b"output0"),
    *(b"ai.onnx",),
    *(b"names", b"stride", b"imgsz", b"../../etc/passwd", b"\x08\x01", b"\x12\x00", b"\xff" * 10, b"\0" * 8),
)


def whole() -> bytes:
    """Return a network as it should be."""
    return tiny_yolo.PATH.read_bytes()


def make(random: Random) -> bytes:
    """Return a damaged network; half of the damage is outside of the weights, which are most of it."""
    content = whole() if random.random() < 0.9 else NETWORK.read_bytes()
    if random.random() < 0.5:
        return mutated(content, random, tokens=TOKENS)
    start = random.choice((0, len(content) - 3000))
    part = mutated(content[start : start + 3000], random, tokens=TOKENS)
    return content[:start] + part + content[start + 3000 :]


def check(content: bytes) -> str:
    """Open it and look at a picture; it gives boxes within it, or a `ModelError` that names the file."""
    path = _scratch() / f"{zlib.crc32(content):08x}.onnx"
    path.write_bytes(content)
    try:
        with ThreadPoolExecutor(1) as fresh:  # with which the opened network goes
            return fresh.submit(_matte if len(content) > MATTING else _boxes, path).result()
    except ModelError as error:
        assert str(path) in str(error), str(error)
        return f"ModelError ({type(error.__cause__).__name__})"
    finally:
        path.unlink()


def _matte(path: Path) -> str:
    alpha = HandMatte(network=str(path)).segment(PICTURE, ())
    assert alpha.shape == PICTURE.shape[:2]
    assert alpha.dtype == np.uint8
    return "alpha"


def _boxes(path: Path) -> str:
    hands = YoloDetector(path, confidence=0.1, max_hands=5).detect(PICTURE)
    for x0, y0, x1, y1 in (hand.box for hand in hands):
        assert 0 <= x0 < x1 <= PICTURE.shape[1]
        assert 0 <= y0 < y1 <= PICTURE.shape[0]
    return "hands" if hands else "no hands"


_scratch = cache(scratch)


if __name__ == "__main__":
    raise SystemExit(main("network"))
