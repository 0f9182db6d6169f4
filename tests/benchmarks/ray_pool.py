"""Photos a second of Ray Data on one machine over those of the thread pool, in one run, as ratios.

    python -m tests.benchmarks.ray_pool [PHOTOS] [--count N] [--rounds N] [--workers N]

Rounds alternate between the two, so that a busy machine slows both; medians are compared. A small folder is
timed as well: what both take for it is what they take for any, such as starting actors, and the rate of what
the large one has more is the rate on a folder without end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray

import handprep
from handprep.integrations.ray import prepare
from handprep.pipeline import Pipeline
from handprep.prepared.listing import listing
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.rendered import RENDERED

PIPELINE = Pipeline([HandCropper(), ResizePad(300), Greyscale()])
FEW = 16


def many(photos: Path, count: int, to: Path) -> Path:
    """Link to photos, again and again under other names, until there are so many."""
    found = listing(photos).sources
    for number in range(count):
        photo = photos / found[number % len(found)]
        place = to / (photo.parent.name or "hands")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06}{photo.suffix}").symlink_to(photo.resolve())
    return to


def seconds(run: Callable[[Path, Path], object], photos: Path, scratch: Path) -> float:
    """Return the seconds of one run into an empty folder."""
    out = scratch / "out"
    start = perf_counter()
    run(photos, out)
    taken = perf_counter() - start
    shutil.rmtree(out)
    return taken


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="?", default=RENDERED / "photos")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    contestants: dict[str, Callable[[Path, Path], object]] = {
        "thread pool": lambda src, dst: handprep.prepare(src, dst, PIPELINE, workers=options.workers),
        "Ray Data": lambda src, dst: prepare(src, dst, PIPELINE, concurrency=options.workers),
    }
    start = perf_counter()
    ray.init("local", num_cpus=options.workers, include_dashboard=False, log_to_driver=False)
    print(f"Ray {ray.__version__}: a cluster of this machine up in {perf_counter() - start:.1f} s")
    ray.data.DataContext.get_current().enable_progress_bars = False
    times: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folders = {n: many(options.photos, n, scratch / str(n)) for n in (FEW, options.count)}
        for _ in range(options.rounds):
            for size, photos in folders.items():
                for who, run in contestants.items():
                    times.setdefault((who, size), []).append(seconds(run, photos, scratch))
    report({key: statistics.median(taken) for key, taken in times.items()}, list(contestants), options.count)


def report(medians: dict[tuple[str, int], float], contestants: list[str], count: int) -> None:
    """Print photos a second, and ratios to the first contestant."""
    whole = {who: count / medians[who, count] for who in contestants}
    lasting = {who: (count - FEW) / (medians[who, count] - medians[who, FEW]) for who in contestants}
    first = contestants[0]
    for who in contestants:
        print(
            f"{who:12} {FEW} photos {medians[who, FEW]:6.1f} s, {count} photos {medians[who, count]:6.1f} s: "
            f"{whole[who]:6.1f} photos/s ({whole[who] / whole[first]:.3f} ×), "
            f"after the start {lasting[who]:6.1f} ({lasting[who] / lasting[first]:.3f} ×)"
        )


if __name__ == "__main__":
    main()
