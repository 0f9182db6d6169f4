"""Measure a network on what it was not trained on: python -m train_matte.evaluate DATA WEIGHTS.

The pictures are made as those of the training are, but of held-out hands before held-out backgrounds, with
all the training's faults: harder than photos. How good the exported network is in whole pictures, beside
other methods, ``tests.benchmarks.background`` tells.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from train_matte import checkpoint
from train_matte.compose import Composer, Example
from train_matte.model import MatteNet
from train_matte.train import SIDE

SEED = 1_000_000  # no training has this one


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path, help="hand_matte.fp16.pt of a training")
    parser.add_argument("--count", type=int, default=400, help="pictures (400)")
    parser.add_argument("--side", type=int, default=SIDE, help="of the window")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = MatteNet().eval()
    checkpoint.load_small(options.weights, model)
    composer = Composer(options.data, options.side, SEED, held_out=True)
    scores = defaultdict(list)
    for number in range(options.count):
        example = composer.example(number)
        given = "landmarks" if example.image[..., 3].any() else "no landmarks"
        scores[given].append(overlap(answer(model, example), example))
    print("| given | pictures | mean IoU | median | under 0.5 | under 0.7 |\n|---|---|---|---|---|---|")
    for given, values in sorted(scores.items()):
        array = np.array(values)
        shares = " | ".join(f"{np.mean(array < least):.1%}" for least in (0.5, 0.7))
        print(f"| {given} | {len(array)} | {array.mean():.3f} | {np.median(array):.3f} | {shares} |")


def answer(model: MatteNet, example: Example) -> NDArray[np.float32]:
    """Return the network's ``(S, S)`` alpha, 0 … 1."""
    window = torch.from_numpy(example.image.transpose(2, 0, 1)[None].copy()).float()
    with torch.inference_mode():
        return np.asarray(torch.sigmoid(model(window))[0, 0].numpy())


def overlap(alpha: NDArray[np.float32], example: Example) -> float:
    """Return the intersection over union within the picture."""
    found, wanted = (alpha > 0.5) & example.valid, (example.alpha > 127) & example.valid
    return float((found & wanted).sum() / max(1, (found | wanted).sum()))


if __name__ == "__main__":
    main()
