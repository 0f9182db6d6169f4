"""Train the network: python -m train_matte.train DATA OUT --steps 20000.

Resumes from OUT/last.pt where that is there. Without it, ``--start FILE`` begins with the weights of
another training (such as hand_matte.fp16.pt beside this file) instead of random ones. On a GPU the same
command uses the GPU. The same seed, data and machine give the same network, however often it was resumed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from train_matte import checkpoint
from train_matte.compose import Composer
from train_matte.losses import loss
from train_matte.model import MatteNet

SIDE = 160  # of the window
WARM_UP = 200  # steps


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """The training pictures from a number on, each made when it is asked for."""

    def __init__(self, composer: Composer, first: int, last: int) -> None:
        self.composer, self.first, self.last = composer, first, last

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        cv2.setNumThreads(0)
        example = self.composer.example(self.first + index)
        truth = np.stack([example.alpha, example.valid * np.uint8(255)])
        return torch.from_numpy(example.image.transpose(2, 0, 1).copy()), torch.from_numpy(truth)


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    composer = Composer(options.data, options.side, options.seed)
    for step, value in train(composer, options):
        if step % 50 == 0:
            print(f"{time.strftime('%H:%M:%S')} step {step} loss {value:.4f}", flush=True)


def train(composer: Composer, options: argparse.Namespace) -> Iterator[tuple[int, float]]:
    """Train up to a number of steps, keep checkpoints, and yield each step with its smoothed loss."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = MatteNet().to(device, memory_format=torch.channels_last)
    if options.start is not None:
        checkpoint.load_small(options.start, model)
    average = checkpoint.Average(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.01)
    last, begun = options.out / "last.pt", 0
    if last.exists():
        begun = checkpoint.load(last, model, average, optimiser)
    smooth = None
    pictures = Pictures(composer, begun * options.batch, options.steps * options.batch)
    for step, (pixels, truths) in enumerate(
        DataLoader(pictures, options.batch, num_workers=options.workers), begun + 1
    ):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, options)
        windows = pixels.to(device, torch.float32, memory_format=torch.channels_last)
        truth = truths.to(device, torch.float32) / 255
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(windows)
        value = loss(logits.float(), truth[:, :1], truth[:, 1:])
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        average.update(model)
        smooth = value.item() if smooth is None else 0.98 * smooth + 0.02 * value.item()
        if step % options.keep == 0 or step == options.steps:
            checkpoint.save(last, model, average, optimiser, step)
            checkpoint.save_small(options.out / "hand_matte.fp16.pt", average)
        yield step, smooth


def rate(step: int, options: argparse.Namespace) -> float:
    """Return the learning rate of a step: a short rise, then half a cosine to a hundredth."""
    share = min(1.0, step / options.steps)
    fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))
    return float(options.rate * min(1.0, step / WARM_UP) * fall)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=20_000, help="of the whole training (20000)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate (0.002)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--side", type=int, default=SIDE, help="of the window: 128 is quicker, for a beginning"
    )
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--keep", type=int, default=250, help="steps between two checkpoints (250)")
    parser.add_argument("--workers", type=int, default=1, help="processes that make pictures (1)")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU (1)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
