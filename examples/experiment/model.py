"""The networks of the experiment: small, the same for all arms of images, and one for features."""

from __future__ import annotations

from torch import nn

DROPOUT = 0.5  # the study's
SIDE = 64  # pixels of an image
UNITS = 64  # of the layer before the answer, and of each layer of the network for features


def network(classes: int, shape: tuple[int, ...] = (SIDE, SIDE)) -> nn.Sequential:
    """Return a new network, which gives ``(N, classes)`` logits.

    For images ``(N, 1, 64, 64)`` of 0 to 1: three convolutions with pooling, dropout, no batch normalisation.
    The study calls its own a small network with dropout 0.5 and says no more. The first convolution moves by
    two pixels, which makes an epoch four times as quick. For features ``(N, F)``: two hidden layers.

    Parameters
    ----------
    classes
        How many.
    shape
        Of one input: ``(64, 64)`` or ``(F,)``.

    Examples
    --------
    >>> [sum(p.numel() for p in network(3, shape).parameters()) for shape in ((64, 64), (28,))]
    [89347, 6211]
    """
    if len(shape) == 1:
        return nn.Sequential(*_hidden(shape[0]), *_hidden(UNITS), nn.Linear(UNITS, classes))
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(DROPOUT),
        *_hidden(64 * (SIDE // 16) ** 2),
        nn.Linear(UNITS, classes),
    )


def _hidden(inputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, UNITS), nn.ReLU(), nn.Dropout(DROPOUT)
