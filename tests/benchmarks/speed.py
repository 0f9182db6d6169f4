"""What stands between a pipeline and the limit, its networks alone, beside MediaPipe's own APIs.

`python -m tests.benchmarks` runs it, with the other tables.
"""

from __future__ import annotations

import io
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import PIL.Image

from handprep import images
from handprep.detection.graph import LANDMARK_SIZE, PALM_SIZE, MediaPipeHands
from handprep.detection.litert import LiteRTDetector
from handprep.pipeline import Pipeline
from handprep.sample import Image
from handprep.threads import ordered_map
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.benchmarks import peers
from tests.benchmarks.timing import Contestant, table, take_turns, with_skipped

WIDTH, HEIGHT = 300, 200  # of the study's photos
PIPELINE = Pipeline([HandCropper(search=False), ResizePad(64), Greyscale()])
LIMIT = "the two networks alone (the limit)"


def one_hand_pictures(photos: list[Path], count: int) -> list[Image]:
    """Return photos scaled to 300×200 in which one hand is found, so that each network runs once for each."""
    found: list[Image] = []
    for path in photos:
        image = np.asarray(
            cv2.resize(images.read(path).image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
        )
        if len(found) < count and len(LiteRTDetector().detect(image)) == 1:
            found.append(image)
    if not found:
        sys.exit("in none of the photos one hand is found at 300×200, so that each network would run once")
    return found


def networks_alone(detector: MediaPipeHands) -> Contestant:
    """Return a call that runs palm and landmark network once, on black."""
    opener, *options = detector._runtime
    palm, landmark = (opener(name, *options) for name in ("palm_detection_full", "hand_landmark_full"))
    small, large = (np.zeros((1, side, side, 3), np.float32) for side in (PALM_SIZE, LANDMARK_SIZE))
    return lambda _: (palm(small), landmark(large))


def hands(pictures: list[Image], *, rounds: int, python: Path | None) -> str:
    """Return the table of finding a hand, and of all that the study did, in decoded 300×200 photos."""
    detector = LiteRTDetector()
    known = [replace(images.read(picture), hands=detector.detect(picture)) for picture in pictures]
    encoded = [_jpeg(picture) for picture in pictures]
    contestants: dict[str, Contestant] = {
        LIMIT: networks_alone(detector),
        "detect": lambda number: detector.detect(pictures[number]),
        "detect + crop + resize to 64 + grey": lambda number: PIPELINE(pictures[number]),
        "the same, from a JPEG": lambda number: PIPELINE(encoded[number]),
        "crop + resize to 64 + grey of a hand that is known": lambda number: PIPELINE.run(known[number]),
    }
    skipped = []
    with ExitStack() as stack:
        for name, peer in {
            "MediaPipe Tasks, call alone": lambda: peers.tasks(pictures),
            "MediaPipe's classic API, call alone": lambda: stack.enter_context(
                peers.classic(python, pictures)
            ),
        }.items():
            try:
                contestants[name] = peer()
            except peers.PeerMissingError as reason:
                skipped.append(f"{name} ({reason})")
        timings = take_turns(contestants, pictures=len(pictures), rounds=rounds)
    return with_skipped(table(timings, limit=LIMIT), skipped)


def _jpeg(picture: Image) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(picture).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def two_threads(picture: Image, *, photos: int, rounds: int) -> str:
    """Return photos a second of two threads over one, for the pipeline and for its networks alone."""
    calls: dict[str, Callable[[Image], object]] = {
        LIMIT: lambda _: networks_alone(LiteRTDetector())(0),
        "detect + crop + resize to 64 + grey": PIPELINE.run,
    }
    lines = ["| | 1 thread, photos/s | 2 threads, photos/s | ratio |", "|---|---|---|---|"]
    for name, call in calls.items():
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for workers, taken in seconds.items():
                start = perf_counter()
                list(ordered_map(call, [picture] * photos, workers=workers))
                taken.append(perf_counter() - start)
        one, two = (photos / statistics.median(taken) for taken in seconds.values())
        lines.append(f"| {name} | {one:.1f} | {two:.1f} | {two / one:.2f} |")
    return "\n".join(lines)


def twelve_megapixels(photo: Path, *, rounds: int) -> str:
    """Return the table of a 12-megapixel JPEG to 300×300: decoded reduced beside decoded fully."""
    with PIL.Image.open(photo) as picture:
        large = np.asarray(picture.resize((4000, 3000), PIL.Image.Resampling.BICUBIC)).astype(np.int16)
    # A sensor's grain, without which a JPEG is too easy to decode.
    grain = np.random.default_rng(0).normal(0, 4, large.shape)
    content = _jpeg(np.clip(large + grain, 0, 255).astype(np.uint8))
    pipeline = Pipeline([HandCropper(), ResizePad(300), Greyscale()])
    contestants: dict[str, Contestant] = {
        "read as small as is enough, whole pipeline": lambda _: pipeline.run(content),
        "read fully, whole pipeline": lambda _: pipeline.apply(images.read(content)),
        "read as small as is enough": lambda _: images.read(content, at_least=900),
        "read fully": lambda _: images.read(content),
    }
    return table(take_turns(contestants, rounds=rounds), limit="read as small as is enough, whole pipeline")
