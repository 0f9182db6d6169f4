"""Train the network: python -m train_matte.train DATA OUT --steps 20000.

Resumes from OUT/last.pt where that is there. Without it, ``--start FILE`` begins with the weights of
another training (such as hand_matte.fp16.pt beside this file) instead of random ones. Images are made
where the network is trained: on a GPU, where there is one, 1,800 a second. The same seed, data and machine
give the same network, however often it was resumed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from train_matte import checkpoint, material
from train_matte.compose import Composer
from train_matte.losses import loss
from train_matte.model import MatteNet

SIDE = 192  # of the window
WARM_UP = 150  # steps
DECAY = 0.02  # of weights, not of biases and norms


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    composer = Composer(material.load(options.data, device()), options.side, options.seed)
    for step, value in train(composer, options):
        if step % 50 == 0:
            print(f"{time.strftime('%H:%M:%S')} step {step} loss {value:.4f}", flush=True)


def device() -> str:
    """Return where networks are trained: ``"cuda"`` or ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def train(composer: Composer, options: argparse.Namespace) -> Iterator[tuple[int, float]]:
    """Train up to a number of steps, keep checkpoints, and yield each step with its smoothed loss."""
    model = MatteNet().to(composer.device, memory_format=torch.channels_last)
    if options.start is not None:
        checkpoint.load_small(options.start, model)
    average = checkpoint.Average(model)
    weights = [[p for p in model.parameters() if (p.dim() > 1) == decays] for decays in (True, False)]
    groups = [{"params": p, "weight_decay": d} for p, d in zip(weights, (DECAY, 0.0), strict=True)]
    optimiser = torch.optim.AdamW(groups, lr=options.rate)
    last, begun = options.out / "last.pt", 0
    if last.exists():
        begun = checkpoint.load(last, model, average, optimiser)
    smooth = None
    for step in range(begun + 1, options.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, options)
        batch = composer.batch(step, options.batch)
        with torch.autocast(composer.device, torch.bfloat16):
            logits = model(batch.windows.contiguous(memory_format=torch.channels_last))
        value = loss(logits.float(), batch.alpha, batch.valid)
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
    """Return the learning rate of a step: a short rise, then half a cosine to a two-hundredth."""
    share = min(1.0, step / options.steps)
    fall = 0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * share))
    return float(options.rate * min(1.0, step / WARM_UP) * fall)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=20_000, help="of the whole training (20000)")
    parser.add_argument("--batch", type=int, default=256, help="images of a step (256); 32 on a CPU")
    parser.add_argument("--rate", type=float, default=2.5e-3, help="highest learning rate (0.0025)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=SIDE, help="of the window (192): 128 is quicker")
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--keep", type=int, default=250, help="steps between two checkpoints (250)")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU (1)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
