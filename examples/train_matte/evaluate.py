"""Measure a network on what it was not trained on: python -m train_matte.evaluate DATA WEIGHTS.

The images are made as those of the training are, but of held-out hands before held-out backgrounds, with
all the training's faults: harder than photos. How good the exported network is in whole images, beside
other methods, ``tests.benchmarks.background`` and ``tests.benchmarks.real_masks`` tell.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train_matte import checkpoint, material
from train_matte.compose import Batch, Composer
from train_matte.model import MatteNet
from train_matte.train import SIDE, device

SEED = 1_000_000  # no training has this one
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path, help="hand_matte.fp16.pt of a training")
    parser.add_argument("--count", type=int, default=448, help=f"images, a multiple of {BATCH} (448)")
    parser.add_argument("--side", type=int, default=SIDE, help="of the window")
    options = parser.parse_args()
    torch.set_num_threads(1)
    composer = Composer(material.load(options.data, device(), held_out=True), options.side, SEED)
    model = MatteNet().to(composer.device).eval()
    checkpoint.load_small(options.weights, model)
    scores = defaultdict(list)
    for number in range(options.count // BATCH):
        batch = composer.batch(number, BATCH)
        drawn = batch.windows[:, 3].amax((1, 2)) > 0
        for known, value in zip(drawn.tolist(), overlaps(answer(model, batch.windows), batch), strict=True):
            scores["landmarks" if known else "no landmarks"].append(value)
    print("| given | images | mean IoU | median | under 0.5 | under 0.75 |\n|---|---|---|---|---|---|")
    for given, values in sorted(scores.items()):
        array = np.array(values)
        shares = " | ".join(f"{np.mean(array < least):.1%}" for least in (0.5, 0.75))
        print(f"| {given} | {len(array)} | {array.mean():.3f} | {np.median(array):.3f} | {shares} |")


def answer(model: nn.Module, windows: Tensor) -> Tensor:
    """Return the network's ``(N, 1, S, S)`` alpha, 0 … 1."""
    with torch.inference_mode():
        return torch.sigmoid(model(windows))


def overlaps(alpha: Tensor, batch: Batch) -> NDArray[np.float32]:
    """Return ``(N,)`` intersections over unions within the images; hands that are all hidden count 1."""
    found, wanted = ((a > 0.5) & (batch.valid > 0) for a in (alpha, batch.alpha))
    both, either = ((f(found, wanted)).sum((1, 2, 3)) for f in (torch.logical_and, torch.logical_or))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0).cpu().numpy()


if __name__ == "__main__":
    main()
