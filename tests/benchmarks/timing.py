"""Contestants timed in turns, so that a busy machine slows all of them, and tables of their medians."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import TypeAlias

Contestant: TypeAlias = Callable[[int], object]  # takes the number of a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What a contestant returns whose work was done, and timed, in another process: its seconds."""

    wall: float
    processor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The seconds of each call of one contestant."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def wall_ms(self) -> float:
        """Median milliseconds that passed."""
        return 1000 * statistics.median(self.wall)

    @property
    def processor_ms(self) -> float:
        """Median milliseconds of processor time, of all threads together."""
        return 1000 * statistics.median(self.processor)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles of the processor time, as a share of its median."""
        low, middle, high = (
            statistics.quantiles(self.processor, n=4) if len(self.processor) > 1 else [1.0] * 3
        )
        return (high - low) / 2 / middle


def take_turns(contestants: Mapping[str, Contestant], *, pictures: int = 1, rounds: int) -> dict[str, Timing]:
    """Return the times of each contestant over all pictures, after one call that opens what it needs."""
    timings = {name: Timing() for name in contestants}
    for call in contestants.values():
        call(0)
    for _ in range(rounds):
        for picture in range(pictures):
            for name, call in contestants.items():
                wall, processor = perf_counter(), process_time()
                result = call(picture)
                taken = Elsewhere(wall=perf_counter() - wall, processor=process_time() - processor)
                taken = result if isinstance(result, Elsewhere) else taken
                timings[name].wall.append(taken.wall)
                timings[name].processor.append(taken.processor)
    return timings


def table(timings: Mapping[str, Timing], *, limit: str) -> str:
    """Return the medians of contestants, with ratios to that of one of them, as a Markdown table."""
    to = timings[limit].processor_ms
    rows = [
        f"| {name} | {timing.processor_ms:.2f} | ± {timing.spread:.0%} | {timing.wall_ms:.2f} "
        f"| {timing.processor_ms / to:.3f} |"
        for name, timing in timings.items()
    ]
    head = ["| | processor, ms | quartiles | wall, ms | ratio |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def grid(rows: Mapping[str, Mapping[str, Timing]], columns: Sequence[str], ours: Mapping[str, str]) -> str:
    """Return a Markdown table with a task a row: processor milliseconds, with ratios to our own.

    Parameters
    ----------
    rows
        The timings of each task by contestant.
    columns
        The contestants, in order.
    ours
        For each contestant the one of ours that takes the same kind of picture.
    """
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for task, timings in rows.items():
        cells = []
        for name in columns:
            timing, own = timings[name].processor_ms, timings[ours[name]].processor_ms
            cells.append(f"{timing:.2f}" if ours[name] == name else f"{timing:.2f} ({timing / own:.2f} ×)")
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_skipped(table: str, skipped: Iterable[str]) -> str:
    """Return a table and below it, each in a line, the peers that took no part, with the reason."""
    return table + "\n" + "".join(f"\nSkipped: {' '.join(peer.split())}." for peer in skipped)
