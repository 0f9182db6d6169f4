"""Reading prepared photos: `PreparedImageFolder` beside torchvision's `ImageFolder` on the same pictures.

    python -m tests.benchmarks.image_folder [PHOTOS] [--rounds N] [--workers N]

PHOTOS holds a folder for each class; by default, the rendered hands. They are prepared before the clock
starts: by `handprep.prepare` to the PNG files that the ImageFolder reads, and to a cache. Rounds
alternate between the contestants, so that a busy machine slows all of them; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import PIL.Image
from torch.utils.data import DataLoader

import handprep
from handprep.pipeline import Pipeline
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.images.any_torchvision import require_torchvision
from tests.rendered import RENDERED

LEAST = 2000  # items in a round: as often round the photos as it takes


def as_it_is(path: str) -> PIL.Image.Image:
    """Load a picture as ImageFolder does, but without turning grey into RGB, which takes time as well."""
    with open(path, "rb") as file:  # noqa: PTH123 - as torchvision does
        picture = PIL.Image.open(file)
        picture.load()
        return picture


def contestants_for(photos: Path, place: Path, size: int) -> dict[str, Any]:
    """Prepare the photos in both ways, and return the datasets by name, the one to compare with first."""
    from torchvision.datasets import ImageFolder

    from handprep.integrations.image_folder import PreparedImageFolder

    pipeline = Pipeline([HandCropper(search=False), ResizePad(size), Greyscale()])
    handprep.prepare(photos, place / "prepared", pipeline)
    prepared = {
        "PreparedImageFolder": PreparedImageFolder(photos, pipeline, cache=place / "cache"),
        "PreparedImageFolder, with hands": PreparedImageFolder(
            photos, pipeline, cache=place / "cache", with_hands=True
        ),
    }
    prepared["PreparedImageFolder"].prepare()
    plain = {
        "ImageFolder": ImageFolder(place / "prepared"),
        "ImageFolder, kept grey": ImageFolder(place / "prepared", loader=as_it_is),
    }
    for dataset in prepared.values():
        assert len(dataset) == len(plain["ImageFolder"])
    return plain | prepared


def seconds_an_item(calls: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Return each contestant's median time; a call returns how many items it read."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):  # the first warms up, and is not counted
        for name, call in calls.items():
            start = perf_counter()
            items = call()
            times[name].append((perf_counter() - start) / items)
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}


def read_all(dataset: Any) -> int:
    """Read all items, over and over, in this process."""
    rounds = -(-LEAST // len(dataset))
    for _ in range(rounds):
        for index in range(len(dataset)):
            dataset[index]
    return rounds * len(dataset)


def workers_of(dataset: Any, workers: int) -> DataLoader[Any]:
    """Return a loader whose workers stay, and send no pictures, only how many there are."""
    return DataLoader(dataset, batch_size=32, num_workers=workers, persistent_workers=True, collate_fn=len)


def read_by(loader: Any, length: int) -> int:
    """Read all items, over and over, with workers."""
    rounds = -(-LEAST // length)
    for _ in range(rounds):
        for _ in loader:
            pass
    return rounds * length


def show(title: str, seconds: dict[str, float]) -> None:
    """Print items a second, and their ratio to the plain ImageFolder's."""
    reference = seconds["ImageFolder"]
    print(f"\n{title}")
    for name, time in seconds.items():
        print(f"  {name:36}{1 / time:9.0f} items/s{reference / time:8.2f} ×")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="?", default=RENDERED / "photos")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    require_torchvision()
    for size in (300, 64):
        with tempfile.TemporaryDirectory() as place:
            datasets = contestants_for(options.photos, Path(place), size)
            here = {name: partial(read_all, dataset) for name, dataset in datasets.items()}
            show(f"{size}×{size} grey, in one process", seconds_an_item(here, options.rounds))
            with_workers = {
                name: partial(read_by, workers_of(dataset, options.workers), len(dataset))
                for name, dataset in datasets.items()
            }
            show(
                f"{size}×{size} grey, {options.workers} workers",
                seconds_an_item(with_workers, options.rounds),
            )


if __name__ == "__main__":
    main()
