"""Streams: time, trembling, identities, a whole clip, and memory, beside MediaPipe's own video mode.

    python -m tests.benchmarks.video [--classic PYTHON] [--recording FOLDER] [--tables ...]

The clips are rendered hands that move over a background, so that their landmarks are known. Contestants take
turns frame by frame. ``--classic`` is an interpreter that has mediapipe 0.10.21, whose classic API runs there
with ``static_image_mode=False``. ``--recording`` is a folder of images in the order of the numbers in their
names, all of one recording.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import Greyscale, HandCropper, Pipeline, ResizePad, images
from handprep.detection.litert import LiteRTDetector
from handprep.detection.tracking import OneEuro, Tracker
from handprep.video import frames as frames_of
from tests import clips, moving
from tests.benchmarks import machine
from tests.benchmarks.timing import Elsewhere, Timing, table

WORKER = Path(__file__).with_name("classic_video_worker.py")
MATCHED = 0.25  # of the hand's size: landmarks that are further from a true hand on average are not its
PAIRS = ((4, 1), (13, 34), (28, 16), (10, 7), (4, 10))  # of the rendered hands, that cross

Image: TypeAlias = NDArray[np.uint8]
Found: TypeAlias = list[tuple[Any, NDArray[np.float32]]]  # what a hand is called, and its landmarks
Contestant: TypeAlias = Callable[[int], tuple[Found, Elsewhere | None]]


@contextmanager
def classic(python: Path | None, images: Sequence[Image], hands: int) -> Iterator[dict[str, Contestant]]:
    """Give MediaPipe's video mode in another interpreter, which times itself; nothing if there is none."""
    if python is None:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/frames.npy", np.stack(images))
        command = [str(python), str(WORKER), f"{folder}/frames.npy", str(hands)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as run:
            assert run.stdin is not None
            assert run.stdout is not None
            assert run.stdout.readline().startswith("ready")

            def process(number: int) -> tuple[Found, Elsewhere]:
                run.stdin.write(f"{number}\n")  # type: ignore[union-attr]
                run.stdin.flush()  # type: ignore[union-attr]
                wall, processor, seen = json.loads(run.stdout.readline())  # type: ignore[union-attr]
                found = [(label, np.array(points, np.float32)) for label, points in seen]
                return found, Elsewhere(wall=wall, processor=processor)

            yield {"MediaPipe, video mode": process}
            run.stdin.close()


def detecting(images: Sequence[Image], hands: int) -> Contestant:
    """Return what detects in each frame anew."""
    detector = LiteRTDetector(max_hands=hands)
    return lambda number: ([(None, h.landmarks) for h in detector.detect(images[number])], None)  # type: ignore[misc]


def following(images: Sequence[Image], hands: int, smooth: OneEuro | None = None) -> Contestant:
    """Return what follows the hands."""
    tracker = Tracker(LiteRTDetector(max_hands=max(2, hands)), most=hands, smooth=smooth)
    return lambda number: ([(h.track, h.landmarks) for h in tracker(images[number], number / 30)], None)  # type: ignore[misc]


def in_turns(
    contestants: dict[str, Contestant], count: int, warm: int = 3
) -> tuple[dict[str, Timing], dict[str, list[Found]]]:
    """Return each contestant's times, without those of the first frames, and what it found."""
    timings, found = {name: Timing() for name in contestants}, {name: [] for name in contestants}
    for number in range(count):
        for name, call in contestants.items():
            wall, processor = perf_counter(), process_time()
            hands, elsewhere = call(number)
            taken = elsewhere or Elsewhere(wall=perf_counter() - wall, processor=process_time() - processor)
            found[name].append(hands)
            if number >= warm:
                timings[name].wall.append(taken.wall)
                timings[name].processor.append(taken.processor)
    return timings, found


def _nearest(found: Found, true: NDArray[np.float64]) -> float:
    return min((float(np.hypot(*(points - true).T).mean()) for _, points in found), default=np.nan)


def speed(options: argparse.Namespace) -> str:
    """One hand that moves: time, and distance from the truth."""
    frames = list(moving.one(options.frames, 4, speed=2))
    shown = [frame.image for frame in frames]
    with classic(options.classic, shown, 1) as peer:
        ours = {
            "a full detection": detecting(shown, 1),
            "followed": following(shown, 1),
            "followed and smoothed": following(shown, 1, OneEuro()),
        }
        timings, found = in_turns(ours | peer, len(frames))
    errors = {
        name: np.array([_nearest(f, t.landmarks[0]) for f, t in zip(each, frames, strict=True)])
        for name, each in found.items()
    }
    lines = [
        f"| {name} | {np.nanmean(error) / moving.HAND:.2%} | {int(np.isnan(error).sum())} |"
        for name, error in errors.items()
    ]
    head = [
        "",
        "| | landmarks' mean distance, of the hand's length | frames without a hand |",
        "|---|---|---|",
    ]
    return "\n".join([table(timings, limit="a full detection"), *head, *lines])


def hand_free(options: argparse.Namespace) -> str:
    """Frames without a hand."""
    rng = np.random.default_rng(0)
    shown = [moving.noisy(moving.background(seed), 3, rng) for seed in range(options.frames // 2)]
    contestants = {"a single look": detecting(shown, 2), "a stream": following(shown, 1)}
    with classic(options.classic, shown, 1) as peer:
        timings, _ = in_turns(contestants | peer, len(shown))
    return table(timings, limit="a single look")


def trembling(options: argparse.Namespace) -> str:
    """A still hand before a camera that is noisy: how far landmarks stray from their mean."""
    rows = ["| noise, grey levels | " + " | ".join(("hand", *CONTESTANTS)) + " |", "|---" * 6 + "|"]
    for hand in (4, 10, 16):
        for sigma in (4.0, 12.0):
            shown = [f.image for f in moving.one(options.frames // 2, hand, speed=0, sigma=sigma)]
            with classic(options.classic, shown, 1) as peer:
                ours = [detecting(shown, 1), following(shown, 1), following(shown, 1, OneEuro())]
                _, found = in_turns(dict(zip(CONTESTANTS, ours, strict=False)) | peer, len(shown))
            spread = {}
            for name, each in found.items():
                places = np.stack([hands[0][1] for hands in each[len(each) // 4 :] if hands])
                spread[name] = float(np.hypot(*places.std(0).T).mean())
            first = spread[CONTESTANTS[0]]
            cells = (
                f"{spread[name]:.2f} ({spread[name] / first:.2f} ×)" if name in spread else ""
                for name in CONTESTANTS
            )
            rows.append(f"| {sigma:.0f} | {hand} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


CONTESTANTS = ("a full detection", "followed", "followed and smoothed", "MediaPipe, video mode")


def identities(options: argparse.Namespace) -> str:
    """Two hands that cross, in 600 frames: how often one has another name than before."""
    count = options.frames * 4 // len(PAIRS)
    rows: dict[str, list[tuple[int, int]]] = {}
    for pair in PAIRS:
        frames = list(moving.crossing(count, pair))
        shown = [frame.image for frame in frames]
        with classic(options.classic, shown, 2) as peer:
            _, found = in_turns({"handprep": following(shown, 2)} | peer, count)
        named = {"handprep, Hand.track": found.pop("handprep")}
        for each in found.values():
            named["MediaPipe, by place in its list"] = [[(i, p) for i, (_, p) in enumerate(f)] for f in each]
            named["MediaPipe, by its label"] = each
        for name, each in named.items():
            truths = [frame.landmarks for frame in frames]
            rows.setdefault(name, []).append(_swaps(each, truths))
    lines = ["| | changes of name | hands not found |", "|---|---|---|"]
    for name, each in rows.items():
        swaps, missing = np.sum(each, axis=0)
        lines.append(f"| {name} | {swaps} | {missing} of {2 * count * len(PAIRS)} |")
    return "\n".join(lines)


def _swaps(found: list[Found], truths: Iterable[tuple[NDArray[np.float64], ...]]) -> tuple[int, int]:
    """Return how often a true hand has another name than when it was seen last, and how often none."""
    last: dict[int, Any] = {}
    swaps = missing = 0
    for hands, truth in zip(found, truths, strict=True):
        pairs = sorted(
            (float(np.hypot(*(points - true).T).mean()), i, j)
            for i, (_, points) in enumerate(hands)
            for j, true in enumerate(truth)
        )
        names: dict[int, Any] = {}
        used: set[int] = set()
        for apart, i, j in pairs:
            if apart < MATCHED * moving.HAND and i not in used and j not in names:
                names[j] = hands[i][0]
                used.add(i)
        swaps += sum(j in last and last[j] != name for j, name in names.items())
        missing += len(truth) - len(names)
        last |= names
    return swaps, missing


def whole_clip(options: argparse.Namespace) -> str:
    """A minute of 640 x 480, from the file to 64 x 64 grey crops."""
    pipeline = Pipeline([HandCropper(), ResizePad(64), Greyscale()])
    with tempfile.TemporaryDirectory() as folder:
        second = [frame.image for frame in moving.one(60, 4)]
        path = clips.write(Path(folder) / "minute.mp4", (second + second[::-1]) * 15, "mp4v", fps=30)
        lines = [
            "| | frames | with a hand | frames a second | frames a second of processor time |",
            "|---" * 5 + "|",
        ]
        ways = {"stream": pipeline.stream, "stream, smoothed": partial(pipeline.stream, smooth=True)}
        for name, way in ({"map": pipeline.map} | ways).items():
            wall, processor = perf_counter(), process_time()
            hands = [bool(sample.hands) for sample in way(frames_of(path))]
            wall, processor = perf_counter() - wall, process_time() - processor
            rates = f"{len(hands) / wall:.0f} | {len(hands) / processor:.0f}"
            lines.append(f"| {name} | {len(hands)} | {sum(hands)} | {rates} |")
    return "\n".join(lines)


def memory(options: argparse.Namespace) -> str:
    """10,000 frames of one clip: what the process holds after each 2,000."""
    pipeline = Pipeline([HandCropper(), ResizePad(64)])
    with tempfile.TemporaryDirectory() as folder:
        some = [cv2.resize(frame.image, (320, 240)) for frame in moving.one(100, 4)]
        path = clips.write(Path(folder) / "long.avi", chain.from_iterable(repeat(some, 100)))
        held = []
        for number, _ in enumerate(pipeline.stream(frames_of(path), smooth=True), start=1):
            if number % 2000 == 0:
                resident = int(Path("/proc/self/statm").read_text().split()[1])
                held.append(f"{resident * 4096 / 1e6:.1f}")
    return f"MB after each 2,000 of {number} frames: {', '.join(held)}"


def recording(options: argparse.Namespace) -> str:
    """Real images of one recording, in order: time, and how many show a hand."""
    if options.recording is None:
        return "Skipped: --recording names no folder."
    paths = sorted(options.recording.iterdir(), key=lambda path: int(re.findall(r"\d+", path.name)[-1]))
    shown = [images.read(path).image for path in paths[: options.frames]]
    with classic(options.classic, shown, 1) as peer:
        ours = [detecting(shown, 1), following(shown, 1), following(shown, 1, OneEuro())]
        timings, found = in_turns(dict(zip(CONTESTANTS, ours, strict=False)) | peer, len(shown))
    counts = ", ".join(f"{name} {sum(map(bool, each))}" for name, each in found.items())
    return f"{table(timings, limit=CONTESTANTS[0])}\n\nHands in {len(shown)} frames: {counts}."


TABLES = {
    "One hand that moves": speed,
    "No hand": hand_free,
    "A still hand": trembling,
    "Two hands that cross": identities,
    "A minute of video": whole_clip,
    "Memory": memory,
    "A recording": recording,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.video",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--classic", type=Path, metavar="PYTHON")
    parser.add_argument("--recording", type=Path, metavar="FOLDER")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine.description())
    for title in options.tables:
        print(f"\n## {title}\n\n{TABLES[title](options)}", flush=True)


if __name__ == "__main__":
    main()
