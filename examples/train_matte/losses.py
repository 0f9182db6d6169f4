"""How wrong an answer is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

EDGE = 3.0  # weight that pixels near the hand's edge have beyond others


def loss(logits: Tensor, alpha: Tensor, valid: Tensor) -> Tensor:
    """Return the mean loss of a batch: cross entropy, soft Dice and the difference of gradients.

    Parameters
    ----------
    logits
        ``(N, 1, S, S)`` answers.
    alpha
        ``(N, 1, S, S)`` truth, 0 … 1.
    valid
        ``(N, 1, S, S)``: 1 where the answer counts, else 0.
    """
    answer = torch.sigmoid(logits)
    soft = functional.avg_pool2d(alpha, 7, 1, 3)
    weight = valid * (1 + EDGE * 4 * soft * (1 - soft))
    entropy = functional.binary_cross_entropy_with_logits(logits, alpha, weight=weight, reduction="sum")
    area = valid.sum().clamp(min=1)
    both = (answer * alpha * valid).sum((1, 2, 3))
    either = ((answer + alpha) * valid).sum((1, 2, 3))
    dice = 1 - (2 * both + 50) / (either + 50)  # 50 pixels: a hand that is all covered costs little
    slopes = sum(
        ((answer - alpha).diff(dim=axis).abs() * valid.narrow(axis, 1, valid.shape[axis] - 1)).sum()
        for axis in (2, 3)
    )
    return entropy / area + dice.mean() + 2 * slopes / area
