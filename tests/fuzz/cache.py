"""Damaged pictures and indexes in the cache of prepared pictures: ``python -m tests.fuzz.cache``."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from handprep.cache.entries import DamagedError, Prepared, from_png, to_png
from handprep.cache.index import Index
from handprep.cache.store import Store
from handprep.errors import HandNotFoundError
from handprep.pipeline import Pipeline
from handprep.sample import Hand, Sample
from tests.fuzz.campaign import main, scratch
from tests.fuzz.journal import NAMES, TOKENS
from tests.fuzz.mutation import mutated

DIGEST = "0123456789abcdef" * 2
KINDS = (b"\x89PNG", b"{")  # what a picture and what a verdict begin with; all else is an index


@cache
def _files() -> tuple[bytes, ...]:
    """Return prepared pictures, a verdict and an index."""
    hand = Hand(box=(1, 2, 3, 4), score=0.5, landmarks=np.ones((21, 2), np.float32), handedness="Left")
    grey = Sample(image=np.arange(60, dtype=np.uint8).reshape(6, 10), hands=(hand,), source="a.png")
    clear = replace(grey, image=np.zeros((6, 10, 3), np.uint8), alpha=grey.image, transparent=True, hands=())
    entry = {"photo": "a.png", "size": 1, "modified": 1, "inode": 1, "digest": DIGEST}
    lines = [{"root": "/photos"}, entry, *({**entry, "photo": name} for name in NAMES[:5])]
    index = b"\n" + b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return to_png(grey), to_png(clear), b'{"error": "HandNotFoundError", "message": "none"}\n', index


@cache
def _place() -> Path:
    folder = scratch()
    (folder / "photos").mkdir()
    (folder / "photos" / "a.png").write_bytes(b"1")
    return folder


def whole() -> bytes:
    """Return a prepared picture as it should be."""
    return _files()[0]


def make(random: Random) -> bytes:
    """Return a damaged file of the cache."""
    return mutated(random.choice(_files()), random, _files(), TOKENS)


def check(content: bytes) -> str:
    """Read it: what is damaged counts as missing, and nothing comes back that was not put in."""
    if content.startswith(KINDS[0]):
        return _check_picture(content)
    return _check_verdict(content) if content.startswith(KINDS[1]) else _check_index(content)


def _check_picture(content: bytes) -> str:
    try:
        prepared = from_png(content, with_hands=True)
    except DamagedError:
        return "damaged picture"
    assert _told(prepared) in [_told(from_png(file, with_hands=True)) for file in _files()[:2]]
    return "picture"  # as it was: the damage was in bytes that say nothing


def _told(prepared: Prepared) -> tuple[bytes, str]:
    return prepared.picture.tobytes(), repr(prepared.hands)


def _check_verdict(content: bytes) -> str:
    store = Store(_place() / "cache", Pipeline([]))
    path = store.folder / DIGEST[:2] / f"{DIGEST}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    try:
        assert store.read(DIGEST, "a.png", with_hands=True) is None
    except HandNotFoundError:
        return "verdict"
    return "damaged verdict"


def _check_index(content: bytes) -> str:
    root = str(_place() / "photos")
    index = Index(_place() / "cache", root)
    index._path.parent.mkdir(parents=True, exist_ok=True)
    index._path.write_bytes(content)
    index = Index(_place() / "cache", root)
    found = [index.digest_of(f"{root}/{name}") for name in ("a.png", "gone.png")]
    assert all(digest is None or re.fullmatch("[0-9a-f]{32}", digest) for digest in found), found
    return "index"


if __name__ == "__main__":
    raise SystemExit(main("cache"))
