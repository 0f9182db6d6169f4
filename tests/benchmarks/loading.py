"""Many samples through a DataLoader's workers, however they are started: no hang, no crash, the same results.

    python -m tests.benchmarks.loading --items 20000 --start fork spawn forkserver

The rendered hands go round and round; each item's digest is compared with what the main process gives.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from pathlib import Path
from typing import Any

import PIL.Image
import torch

from handprep import Greyscale, HandCropper, Pipeline, ResizePad
from handprep.transforms.base import Transform
from tests.rendered import photos

PIPELINE = Pipeline([HandCropper(), ResizePad(64), Greyscale()])


class Digests(torch.utils.data.Dataset[Any]):
    """The first 8 bytes of the SHA-256 of each prepared photo, as one number."""

    def __init__(self, paths: list[Path], transform: Transform, items: int) -> None:
        self.paths, self.transform, self.items = paths, transform, items

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, index: int) -> int:
        with PIL.Image.open(self.paths[index % len(self.paths)]) as photo:
            prepared = self.transform(photo).tobytes()
        return int.from_bytes(hashlib.sha256(prepared).digest()[:8], "big", signed=True)


def seconds_of_epochs(transform: Transform, workers: list[int], items: int, rounds: int = 3) -> list[float]:
    """Return the median seconds of an epoch with each number of workers, which have started before."""
    dataset = Digests([photo.path for photo in photos()], transform, items)
    loaders = [
        torch.utils.data.DataLoader(dataset, batch_size=20, num_workers=count, persistent_workers=True)
        for count in workers
    ]
    for loader in loaders:  # open the models
        list(loader)
    seconds: list[list[float]] = [[] for _ in loaders]
    for _ in range(rounds):
        for loader, measured in zip(loaders, seconds, strict=True):
            start = time.perf_counter()
            list(loader)
            measured.append(time.perf_counter() - start)
    return [statistics.median(measured) for measured in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--start", nargs="+", default=["fork", "spawn", "forkserver"])
    given = parser.parse_args()
    paths = [photo.path for photo in photos()]
    here = Digests(paths, PIPELINE, len(paths))  # models are open here before anything is forked
    expected = torch.tensor([here[index] for index in range(len(paths))])
    for start in given.start:
        begun, seen = time.perf_counter(), 0
        loader = torch.utils.data.DataLoader(
            Digests(paths, PIPELINE, given.items),
            batch_size=50,
            num_workers=given.workers,
            multiprocessing_context=start,
            persistent_workers=True,
            timeout=120,
        )
        for batch in loader:
            numbers = torch.arange(seen, seen + len(batch)) % len(paths)
            assert torch.equal(batch, expected[numbers]), f"{start}: other results from item {seen} on"
            seen += len(batch)
        seconds = time.perf_counter() - begun
        print(
            f"{start}: {seen} items, all as expected, {seconds:.0f} s, {seen / seconds:.1f} a second",
            flush=True,
        )


if __name__ == "__main__":
    main()
