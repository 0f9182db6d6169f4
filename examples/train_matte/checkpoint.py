"""What a training needs to go on: all of its state, or the weights alone, small enough to commit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

DECAY = 0.999  # of the moving average of the weights, which is what is exported
CONVOLUTION = 4  # dimensions of a convolution's weights


class Average:
    """The moving average of a model's weights."""

    def __init__(self, model: nn.Module) -> None:
        self.model = copy.deepcopy(model).eval()
        self.seen = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's present weights."""
        self.seen += 1
        decay = min(DECAY, (1 + self.seen) / (10 + self.seen))
        for mine, new in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(new, 1 - decay)
            else:
                mine.copy_(new)


def save(path: Path, model: nn.Module, average: Average, optimiser: Any, step: int) -> None:
    """Write everything that the next step depends on, whole or not at all."""
    state = {
        "model": model.state_dict(),
        "average": average.model.state_dict(),
        "seen": average.seen,
        "optimiser": optimiser.state_dict(),
        "step": step,
    }
    _write(path, state)


def load(path: Path, model: nn.Module, average: Average, optimiser: Any) -> int:
    """Restore what `save` wrote and return the number of steps that were made."""
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    average.model.load_state_dict(state["average"])
    average.seen = state["seen"]
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def save_small(path: Path, average: Average) -> None:
    """Write the averaged weights as 16-bit floats: a start for another training, on any machine."""
    _write(path, {name: _halved(value) for name, value in average.model.state_dict().items()})


def load_small(path: Path, model: nn.Module) -> None:
    """Give a model the weights that `save_small` wrote, of a network no wider than this one.

    What a narrower network knew goes to the first channels; the others begin at random, and what they say
    is not asked by the first ones yet.
    """
    given: dict[str, Tensor] = torch.load(path, weights_only=True)
    state = model.state_dict()
    for name, mine in state.items():
        if name not in given or any(a > b for a, b in zip(given[name].shape, mine.shape, strict=True)):
            continue
        corner = tuple(slice(0, length) for length in given[name].shape)
        if mine.dim() == CONVOLUTION:
            mine[corner[0]] = 0
        mine[corner] = given[name].to(mine.dtype)
    model.load_state_dict(state)


def _halved(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _write(path: Path, state: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, part)
    part.replace(path)
