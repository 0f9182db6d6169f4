"""OpenVINO beside LiteRT on MediaPipe's two networks: time, and how far landmarks move.

    python -m tests.benchmarks.runtimes [PHOTOS] [--count N]

Without a folder PHOTOS the rendered hands are looked at. Contestants take turns, so that a busy machine slows
all of them. Beside the time on the wall, which others' work lengthens, it gives that of the processor.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from handprep import images
from handprep.detection.graph import MediaPipeHands
from handprep.detection.litert import LiteRTDetector
from handprep.detection.openvino import OpenVINODetector
from handprep.errors import ModelError
from handprep.sample import Image
from tests.benchmarks.speed import networks_alone
from tests.benchmarks.timing import Contestant, Timing
from tests.rendered import photos

TURN = 4  # calls in a row, so that a network finds its weights where its last call left them
SECONDS = 40


def detectors() -> dict[str, MediaPipeHands]:
    """Return the contestants that this machine can run, LiteRT first."""
    runnable: dict[str, MediaPipeHands] = {"LiteRT": LiteRTDetector()}
    for precision in ("f32", "bf16"):
        detector = OpenVINODetector(precision=precision)
        try:
            detector.detect(np.zeros((9, 9, 3), np.uint8))
            runnable[f"OpenVINO {precision}"] = detector
        except ModelError as error:
            print(error)
    return runnable


def looking(detector: MediaPipeHands, pictures: list[Image]) -> Contestant:
    """Return a call that looks at the picture of a number."""
    return lambda number: detector.detect(pictures[number % len(pictures)])


def race(title: str, contestants: dict[str, Contestant]) -> None:
    """Print median milliseconds of each, on the wall and of the processor, and the first one's over it."""
    timings = {name: Timing() for name in contestants}
    end, number = perf_counter() + SECONDS, 0
    while perf_counter() < end:
        for name, call in contestants.items():
            for turn in range(TURN):
                start, worked = perf_counter(), process_time()
                call(number + turn)
                timings[name].wall.append(perf_counter() - start)
                timings[name].processor.append(process_time() - worked)
        number += TURN
    print(f"\n{title}, {number} calls\n{'':16}{'wall ms':>10}{'gain':>8}{'processor ms':>16}{'gain':>8}")
    first = next(iter(timings.values()))
    for name, own in timings.items():
        wall = f"{own.wall_ms:10.2f}{first.wall_ms / own.wall_ms:8.2f}"
        print(f"{name:16}{wall}{own.processor_ms:16.2f}{first.processor_ms / own.processor_ms:8.2f}")


def distances(pictures: list[Image], runnable: dict[str, MediaPipeHands]) -> None:
    """Print how far the landmarks and scores of each contestant lie from LiteRT's."""
    first, *others = runnable
    wanted = [runnable[first].detect(image) for image in pictures]
    print(f"\n{'':16}{'hands':>6}{'landmarks: median, 95 %, most px':>36}{'presence: median, most':>26}")
    for name in others:
        found = [runnable[name].detect(image) for image in pictures]
        same = [pair for pair in zip(found, wanted, strict=True) if len(pair[0]) == len(pair[1])]
        hands = [pair for ours, theirs in same for pair in zip(ours, theirs, strict=True)]
        far = np.array([np.linalg.norm(a.landmarks - b.landmarks, axis=1) for a, b in hands])
        score = [abs(a.score - b.score) for a, b in hands]
        px = f"{np.median(far):.4f} {np.quantile(far, 0.95):9.4f} {far.max():9.3f}"
        print(f"{name:16}{len(hands):6}{px:>36}{f'{np.median(score):.5f} {max(score):9.5f}':>26}")
        if len(same) < len(pictures):
            print(f"  another number of hands in {len(pictures) - len(same)} of {len(pictures)} pictures")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=120, help="pictures of the folder, drawn at random")
    options = parser.parse_args()
    paths = [photo.path for photo in photos()]
    if options.photos:
        there = sorted(p for p in options.photos.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
        paths = random.Random(0).sample(there, min(options.count, len(there)))
    pictures = [images.read(path).image for path in paths]
    runnable = detectors()
    race("networks alone", {name: networks_alone(d) for name, d in runnable.items()})
    race("detect", {name: looking(d, pictures) for name, d in runnable.items()})
    distances(pictures, runnable)


if __name__ == "__main__":
    main()
