"""What the adapters add to the pipeline's own time, and how DataLoader workers scale.

    python -m tests.benchmarks.adapters

What an adapter adds is less than the noise of finding a hand. So it is measured around the same pipeline
without its cropper, as the difference of the best of many rounds, and reported as a share of the whole
pipeline's time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import PIL.Image

from handprep import Greyscale, HandCropper, Pipeline, ResizePad
from tests.benchmarks.loading import seconds_of_epochs
from tests.images.any_torchvision import require_torchvision
from tests.rendered import photos

PIPELINE = Pipeline([HandCropper(), ResizePad(64), Greyscale()])
LIGHT = Pipeline([ResizePad(64), Greyscale()])
PICTURES = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--items", type=int, default=600, help="items an epoch of the DataLoader")
    given = parser.parse_args()
    pictures = [PIL.Image.open(photo.path).convert("RGB") for photo in photos()[:PICTURES]]
    whole = best_seconds({"alone": adapters(PIPELINE, pictures)["alone"]}, given.rounds // 4)["alone"]
    print(f"the whole pipeline: {1000 * whole:.2f} ms a picture")
    seconds = best_seconds(adapters(LIGHT, pictures), given.rounds)
    for name, measured in seconds.items():
        if name != "alone":
            added = measured - seconds["alone"]
            print(f"{name}: adds {1e6 * added:.0f} us, {100 * added / whole:.2f} %")
    one, two = seconds_of_epochs(PIPELINE, [1, 2], given.items)
    print(f"DataLoader, {given.items} items: 2 workers {one / two:.2f} x as fast as 1")


def best_seconds(ways: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Return the seconds a picture of each way's best round, the ways taking turns."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            for index in range(PICTURES):
                way(index)
            best[name] = min(best[name], (time.perf_counter() - start) / PICTURES)
    return best


def adapters(pipeline: Pipeline, pictures: list[PIL.Image.Image]) -> dict[str, Callable[[int], Any]]:
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
    wrapped, augment = V2Transform(pipeline), PrepareHands(pipeline)
    return {
        "alone": lambda n: pipeline.run(arrays[n]),
        "PIL image": lambda n: pipeline(pictures[n]),
        "uint8 tensor": lambda n: pipeline(tensors[n]),
        "V2Transform, tensor": lambda n: wrapped(tensors[n]),
        "V2Transform, tensor, boxes, points and mask": lambda n: wrapped(tensors[n], target),
        "albumentations": lambda n: augment(image=arrays[n]),
    }


if __name__ == "__main__":
    main()
