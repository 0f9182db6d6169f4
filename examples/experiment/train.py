"""One network: trained on some images, asked about the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from experiment.model import network
from experiment.preparation import Pictures
from handprep.errors import InputError

ASKED_AT_ONCE = 512  # images
TURN, SCALE, SHIFT = 0.25, 0.12, 0.08  # of augmentation, at most: radians, share of the size, of half a side


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How networks are trained; the study's by default.

    Attributes
    ----------
    epochs
        Rounds through all training images. The last one counts: nothing is chosen by any result.
    batch
        Images a step.
    rate
        Adam's learning rate.
    """

    epochs: int = 100
    batch: int = 64
    rate: float = 0.001

    @property
    def every(self) -> int:
        """After how many epochs accuracy is taken: 10 of 100."""
        return max(1, self.epochs // 10)


def device_named(name: str) -> str:
    """Return the device for a name: ``"auto"`` is a GPU where there is one, else the processor.

    Raises
    ------
    InputError
        If there is no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # torch raises either
        raise InputError(
            f"networks cannot be trained on {name!r}: {error}. Take --device auto or cpu"
        ) from error
    return name


def train(
    pictures: Pictures,
    chosen: NDArray[np.bool_],
    sets: dict[str, NDArray[np.bool_]],
    *,
    settings: Settings,
    seed: int,
    device: str,
    tick: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Train a network and return how it did, as JSON values.

    Parameters
    ----------
    pictures
        All images.
    chosen
        ``(N,)``: which to train on.
    sets
        Name and ``(N,)`` mask of the sets whose accuracy is followed.
    settings
        How.
    seed
        Decides first weights, order and dropout. One thread does all, so that on one machine's processor the
        same seed gives the same result.
    device
        ``"cpu"`` or a GPU.
    tick
        Called after each epoch.

    Returns
    -------
    dict
        ``epochs`` at which accuracy was taken; ``accuracy`` of each set at these; ``loss``; the
        ``probabilities`` of the classes for each image that was not trained on, in their order;
        ``seconds``, ``device`` and ``torch`` (its version).
    """
    start = time.perf_counter()
    _reproducible(seed, device)
    inputs = _tensor(pictures).to(device)
    labels = torch.from_numpy(pictures.labels).to(device)
    net = network(int(pictures.labels.max()) + 1, pictures.inputs.shape[1:])
    net = net.to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(net.parameters(), settings.rate)
    order, indices = torch.Generator().manual_seed(seed), torch.from_numpy(np.flatnonzero(chosen))
    told: dict[str, Any] = {"epochs": [], "loss": [], "accuracy": {name: [] for name in sets}}
    for epoch in range(1, settings.epochs + 1):
        loss = torch.zeros((), device=device)
        shuffled = indices[torch.randperm(len(indices), generator=order)].to(device)
        net.train()
        for batch in shuffled.split(settings.batch):
            optimiser.zero_grad()
            shown = _as_floats(inputs[batch])
            if pictures.augment:
                shown = augmented(shown)
            error = nn.functional.cross_entropy(net(shown), labels[batch])
            error.backward()
            optimiser.step()
            loss += error.detach() * len(batch) / len(indices)
        if epoch % settings.every == 0 or epoch == settings.epochs:
            answers = _asked(net, inputs)
            told["epochs"].append(epoch)
            told["loss"].append(round(float(loss), 5))
            right = answers.argmax(1) == pictures.labels
            for name, mask in sets.items():
                told["accuracy"][name].append(float(right[mask].mean()))
        tick()
    told["probabilities"] = answers[~chosen].round(4).tolist()
    told |= {"seconds": time.perf_counter() - start, "device": device, "torch": torch.__version__}
    return told


def _reproducible(seed: int, device: str) -> None:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=device != "cpu")  # a GPU lacks some of them
    torch.manual_seed(seed)


def _tensor(pictures: Pictures) -> torch.Tensor:
    """Return all inputs, images with an axis for their one channel."""
    inputs = torch.from_numpy(pictures.inputs)
    return inputs[:, None] if inputs.ndim == 3 else inputs


def _as_floats(inputs: torch.Tensor) -> torch.Tensor:
    if inputs.dtype != torch.uint8:
        return inputs
    return (inputs.float() / 255).contiguous(memory_format=torch.channels_last)


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Return images, each turned, scaled and shifted at random."""
    turn, scale, x, y = 2 * torch.rand(4, len(images), device=images.device) - 1
    cos, sin = (1 + SCALE * scale) * (TURN * turn).cos(), (1 + SCALE * scale) * (TURN * turn).sin()
    maps = torch.stack([cos, -sin, SHIFT * x, sin, cos, SHIFT * y], 1).reshape(-1, 2, 3)
    grid = nn.functional.affine_grid(maps, list(images.shape), align_corners=False)
    moved = nn.functional.grid_sample(images, grid, align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)


def _asked(net: nn.Module, inputs: torch.Tensor) -> NDArray[np.float64]:
    """Return the ``(N, C)`` probabilities that a network gives inputs."""
    net.eval()
    with torch.no_grad():
        parts = [net(_as_floats(part)).softmax(1) for part in inputs.split(ASKED_AT_ONCE)]
    return torch.cat(parts).double().cpu().numpy()
