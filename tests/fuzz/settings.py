"""Hostile pipelines as JSON, which must make nothing happen: ``python -m tests.fuzz.settings``."""

from __future__ import annotations

import json
import re
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import numpy as np

from handprep.detection.litert import LiteRTDetector
from handprep.detection.search import SearchingDetector
from handprep.detection.views import View
from handprep.errors import HandprepError, InputError, ModelError
from handprep.pipeline import Pipeline, study_pipeline
from handprep.segmentation.matte import HandMatte
from handprep.segmentation.rembg import RembgSegmenter
from handprep.text import printable
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.fuzz.campaign import main
from tests.fuzz.mutation import mutated

HANDS = LiteRTDetector().model_files
PICTURE = np.zeros((24, 32, 3), np.uint8)
NAMES = (
    *("os.system", "subprocess.Popen", "builtins.eval", "eval", "exec", "__import__", "__class__"),
    *("__init__",),
    *("__reduce__", "__globals__", "Configurable", "Transform", "type", "object", "handprep.cli.main"),
    *("self", "cls"),
    *("Pipeline", "HandCropper", "YoloDetector", "HandMatte", "SearchingDetector", "View", "ResizePad"),
    *("name", "parameters", "transforms", "detector", "views", "model", "network", "method", "_"),
)
PATHS = (
    *("/etc/passwd", "../../../../etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/mem", "~", "", "."),
    *("\0", "a\0b"),
    *("http://127.0.0.1/x.onnx", "file:///etc/passwd", "x" * 300, "x/" * 3000, "\ud800", "\\\\host\\share"),
    *("CON",),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 255, 256, 4096, 16_384, 2**31, 2**63, 2**64, 10**400, -0.0, 0.5),
    *(1e-320, 1e308),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [[]], [{}], [None], "auto", "litert", "rembg"),
    *("keep",),
    *({"name": "ResizePad"}, {"parameters": {}}, {"name": "ResizePad", "parameters": {"size": 8}}, [0] * 3),
    *([9, 9],),
)
TOKENS = (
    *(b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN"),
    *(b"-Infinity",),
    *(b"1e999", b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"\xff\xfe", b"\0", b'"name"', b'"parameters"'),
    *(json.dumps(name).encode() for name in NAMES),
)
HARMLESS = ("object.", "builtins.id", "sys._getframe")  # what dataclasses and repr do


@cache
def pipelines() -> tuple[str, ...]:
    """Return pipelines that name every part there is, as JSON."""
    looks = SearchingDetector(LiteRTDetector(presence=0.4), views=(View(pad=0.5, light="balanced smoothed"),))
    made = (
        study_pipeline(16),
        Pipeline([HandCropper(detector=LiteRTDetector(presence=0.2)), Greyscale(), ResizePad(16)]),
        Pipeline(
            [HandCropper(detector=looks, upright=True, mirror="right"), ResizePad((9, 12), fill=(1, 2, 3))]
        ),
        Pipeline(
            [
                BackgroundRemover(method=HandMatte(fast=True), background="blur"),
                Pipeline([Greyscale(channels=3)]),
            ]
        ),
        Pipeline([BackgroundRemover(method=HandMatte(keep="hand")), ResizePad(8, interpolation="area")]),
        Pipeline([BackgroundRemover(method=RembgSegmenter(model="u2netp"), background=(0, 9, 0))]),
        Pipeline([ResizePad(8, upscale=False), Greyscale()]),
    )
    yolo = {
        "name": "YoloDetector",
        "parameters": {"model": "hands.onnx", "classes": [0], "anchors": [[1, 2]]},
    }
    cropper = {"name": "HandCropper", "parameters": {"detector": yolo}}
    named = {"pipeline": {"name": "Pipeline", "parameters": {"transforms": [cropper]}}}
    return (*(pipeline.to_json() for pipeline in made), json.dumps(named))


def whole() -> bytes:
    """Return the text of a pipeline as it should be."""
    return pipelines()[0].encode()


def make(random: Random) -> bytes:
    """Return the text of a pipeline with parts of it exchanged, damaged, or both."""
    text = random.choice(pipelines())
    if random.random() < 0.75:
        tree = json.loads(text)
        for _ in range(random.choice((1, 1, 2, 3, 6))):
            _change(tree, random)
        text = json.dumps(tree)
    content = text.encode()
    return content if random.random() < 0.6 else mutated(content, random, tokens=TOKENS)


def _change(tree: Any, random: Random) -> None:
    """Exchange one thing somewhere in a tree for another, take it away, or add one."""
    where = random.choice([place for place in _places(tree) if place] or [{}])
    if isinstance(where, dict):
        key = random.choice([*where, random.choice(NAMES)])
        if random.random() < 0.15:
            where.pop(key, None)
        else:
            where[key] = _value(tree, random)
    else:
        where[random.randrange(len(where))] = _value(tree, random)


def _value(tree: Any, random: Random) -> Any:
    kind = random.random()
    if kind < 0.2:
        return random.choice(NAMES)
    if kind < 0.35:
        return random.choice(PATHS)
    if kind < 0.5:  # another part of the same tree, in a place where it does not belong
        return json.loads(json.dumps(random.choice(list(_places(tree)) or [0])))
    return deepcopy(random.choice(VALUES))


def _places(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        yield tree
        for below in tree.values() if isinstance(tree, dict) else tree:
            yield from _places(below)


def check(content: bytes) -> str:
    """Build the pipeline; if that works, it must survive JSON and, where it is cheap, take a picture."""
    _know_all_parts()
    text = content.decode("utf-8", "replace")
    try:
        with nothing_happens():
            pipeline = Pipeline.from_json(text)
            files = pipeline.model_files
            assert Pipeline.from_json(pipeline.to_json()) == pipeline
            assert hash(pipeline) == hash(Pipeline.from_json(pipeline.to_json()))
    except HandprepError as error:
        assert isinstance(error, InputError | ModelError), repr(error)
        assert str(error).replace("\n", "").isprintable(), repr(str(error)[:300])  # a Pipeline has lines
        return f"{type(error).__name__}"
    if not _is_cheap(pipeline, files, zlib.crc32(content)):
        return "pipeline"
    try:
        sample = pipeline.run(PICTURE)
    except HandprepError as error:
        return f"pipeline, then {type(error).__name__}"
    assert sample.image.dtype == np.uint8
    return "pipeline, then a picture"


def _is_cheap(pipeline: Pipeline, files: frozenset[str], lot: int) -> bool:
    """Tell whether it may be run here: it reads no file of the user's, and takes little time and memory."""
    if max(pipeline.output_size or (0,)) > 256 or re.search(r"threads=\d\d", repr(pipeline)):
        return False
    slow = (
        "search=True" in repr(pipeline)
        or "SearchingDetector" in repr(pipeline)
        or "Remover" in repr(pipeline)
    )
    return not files or (files <= HANDS and lot % (400 if slow else 10) == 0)


@cache
def _know_all_parts() -> None:
    for text in pipelines()[:-1]:
        Pipeline.from_json(text)
    printable("\0")  # imports a codec
    sys.addaudithook(_heed)


_WATCHED = threading.local()


@contextmanager
def nothing_happens() -> Iterator[None]:
    """Raise `AssertionError` where this thread imports, opens, starts, compiles or connects to anything."""
    _WATCHED.events = []
    try:
        yield
    finally:
        events, _WATCHED.events = _WATCHED.events, None
        assert not events, f"a pipeline's JSON made this happen: {events}"


def _heed(event: str, arguments: tuple[Any, ...]) -> None:
    events = getattr(_WATCHED, "events", None)
    if events is not None and not event.startswith(HARMLESS):
        events.append((event, *map(repr, arguments[:1])))


if __name__ == "__main__":
    raise SystemExit(main("settings"))
