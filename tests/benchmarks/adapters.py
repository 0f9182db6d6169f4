"""What the adapters add to the pipeline's own time, and how DataLoader workers scale.

    python -m tests.benchmarks.adapters

Each adapter and the pipeline alone take the same pictures in turn, many rounds of each, and the medians of
the rounds are compared. An adapter's share is also measured by what it adds to a pipeline that does nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import PIL.Image

from handprep import Greyscale, HandCropper, Pipeline, ResizePad
from tests.benchmarks.loading import seconds_of_epochs
from tests.images.any_torchvision import require_torchvision
from tests.rendered import photos

PIPELINE = Pipeline([HandCropper(), ResizePad(64), Greyscale()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--items", type=int, default=600, help="items an epoch of the DataLoader")
    given = parser.parse_args()
    pictures = [PIL.Image.open(photo.path).convert("RGB") for photo in photos()[:12]]
    ways = adapters(pictures)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, way in ways.items():  # side by side, so that a busy machine is as busy for all
            start = time.perf_counter()
            for index in range(len(pictures)):
                way(index)
            seconds[name].append((time.perf_counter() - start) / len(pictures))
    alone = seconds.pop("pipeline.run alone")
    print(f"pipeline.run alone: {1000 * statistics.median(alone):.2f} ms a picture")
    for name, measured in seconds.items():
        ratios = [one / base for one, base in zip(measured, alone, strict=True)]
        print(f"{name}: {statistics.median(ratios):.4f} x")
    one, two = seconds_of_epochs(PIPELINE, [1, 2], given.items)
    print(f"DataLoader, {given.items} items: 2 workers {one / two:.2f} x as fast as 1")


def adapters(pictures: list[PIL.Image.Image]) -> dict[str, Callable[[int], Any]]:
    """Return a function of a picture's number for each way to call the pipeline."""
    require_torchvision()
    import numpy as np
    import torch
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    from handprep.integrations.albumentations import PrepareHands
    from handprep.integrations.torchvision import V2Transform

    arrays = [np.asarray(picture) for picture in pictures]
    tensors = [v2.functional.pil_to_tensor(picture) for picture in pictures]
    size = tuple(tensors[0].shape[-2:])
    target = {
        "boxes": tv_tensors.BoundingBoxes([[9, 9, 99, 99]], format="XYXY", canvas_size=size),
        "points": tv_tensors.KeyPoints(torch.zeros(21, 2), canvas_size=size),
        "mask": tv_tensors.Mask(torch.zeros(size, dtype=torch.uint8)),
    }
    wrapped, augment = V2Transform(PIPELINE), PrepareHands(PIPELINE)
    return {
        "pipeline.run alone": lambda n: PIPELINE.run(arrays[n]),
        "PIL image": lambda n: PIPELINE(pictures[n]),
        "uint8 tensor": lambda n: PIPELINE(tensors[n]),
        "V2Transform, tensor": lambda n: wrapped(tensors[n]),
        "V2Transform, tensor, boxes, points and mask": lambda n: wrapped(tensors[n], target),
        "albumentations": lambda n: augment(image=arrays[n]),
    }


if __name__ == "__main__":
    main()
