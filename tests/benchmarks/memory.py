"""Whether memory stays flat over a folder: resident memory by quarter of the photos (Linux).

python -m tests.benchmarks.memory PHOTOS [--workers N] [--remove-background]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path
from time import perf_counter

from handprep import prepare
from handprep.pipeline import Pipeline
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad


def resident_mib() -> float:
    """Return the memory that this process holds now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--remove-background", action="store_true")
    options = parser.parse_args()
    removing = [BackgroundRemover()] if options.remove_background else []
    pipeline = Pipeline([HandCropper(), *removing, ResizePad(300), Greyscale()])
    samples: list[float] = []
    start = perf_counter()
    with tempfile.TemporaryDirectory() as out:
        result = prepare(
            options.photos,
            out,
            pipeline,
            workers=options.workers,
            progress=lambda done, total: samples.append(resident_mib()),
        )
    seconds = perf_counter() - start
    quarter = len(samples) // 4
    ends = [samples[quarter * n - 1] for n in (1, 2, 3, 4)]
    peaks = [max(samples[quarter * n : quarter * (n + 1)]) for n in range(4)]
    print(result.detection.text())
    print(f"{len(samples)} photos in {seconds:.0f} s, {len(samples) / seconds:.1f} a second; {result.counts}")
    print("MiB at the end of each quarter: " + ", ".join(f"{mib:.0f}" for mib in ends))
    print("peak MiB in each quarter: " + ", ".join(f"{mib:.0f}" for mib in peaks))
    print(f"peak in the last quarter / at the end of the first: {peaks[3] / ends[0]:.3f}")


if __name__ == "__main__":
    main()
