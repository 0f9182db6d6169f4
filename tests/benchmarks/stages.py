"""Where the time of a pipeline goes: the share of each stage, its own time without that of those within."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import thread_time
from typing import Any
from unittest import mock

from ai_edge_litert.interpreter import Interpreter

from handprep import images
from handprep.detection import graph
from handprep.detection.graph import MediaPipeHands
from handprep.detection.litert import LiteRTDetector
from handprep.detection.region import Cutter
from handprep.pipeline import Pipeline
from handprep.sample import Image
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad


def _side(cutter: Cutter) -> int:
    return len(cutter._picture)


# What is timed, and how it is called in the table.
STAGES: tuple[tuple[Any, str, Callable[..., str]], ...] = (
    (images, "as_view", lambda *_: "taking the picture over, giving the result back"),
    (images, "to_type_of", lambda *_: "taking the picture over, giving the result back"),
    (Cutter, "__call__", lambda cutter, *_: f"cutting the {_side(cutter)} × {_side(cutter)} input"),
    (MediaPipeHands, "_see", lambda *_: "filling inputs, fetching outputs"),
    (Interpreter, "invoke", lambda *_: "the two networks"),
    (graph, "decode", lambda *_: "decoding palms, suppression, hand region"),
    (graph, "suppress", lambda *_: "decoding palms, suppression, hand region"),
    (graph, "proposal", lambda *_: "decoding palms, suppression, hand region"),
    (LiteRTDetector, "detect", lambda *_: "landmarks to the picture, `Hand`"),
    (HandCropper, "apply", lambda *_: "crop"),
    (ResizePad, "apply", lambda *_: "resize and pad"),
    (Greyscale, "apply", lambda *_: "grey"),
)


class _Clock:
    """The processor seconds of each stage, without those of stages that it called."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within = [0.0]

    def time(self, stage: str, call: Callable[..., Any], *given: Any) -> Any:
        start = thread_time()
        self._within.append(0.0)
        try:
            return call(*given)
        finally:
            taken = thread_time() - start
            own = taken - self._within.pop()
            self._within[-1] += taken
            self.seconds[stage] = self.seconds.get(stage, 0.0) + own


@contextmanager
def _timed() -> Iterator[_Clock]:
    clock = _Clock()
    with ExitStack() as stack:
        for owner, name, label in STAGES:
            stack.enter_context(mock.patch.object(owner, name, _timing(clock, label, getattr(owner, name))))
        yield clock


def _timing(clock: _Clock, label: Callable[..., str], call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: clock.time(label(*given), call, *given)


def shares(pipeline: Pipeline, pictures: list[Image], *, rounds: int) -> str:
    """Return the table of stages: median microseconds (processor time), and shares of the whole call."""
    seconds: dict[str, list[float]] = {}
    pipeline(pictures[0])  # opens the networks
    with _timed() as clock:
        for _ in range(rounds):
            for picture in pictures:
                clock.seconds = {}
                clock.time("the pipeline itself", pipeline, picture)
                for stage, taken in clock.seconds.items():
                    seconds.setdefault(stage, []).append(taken)
    medians = {stage: statistics.median(taken) for stage, taken in seconds.items()}
    whole = sum(medians.values())
    lines = ["| stage | µs | share |", "|---|---|---|"]
    for stage, taken in sorted(medians.items(), key=lambda item: -item[1]):
        lines.append(f"| {stage} | {1e6 * taken:.0f} | {taken / whole:.1%} |")
    return "\n".join(lines)
