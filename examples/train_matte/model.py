"""The network: a small U-Net of plain convolutions, which CPUs do fastest, in training and after."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 24, 40, 80, 144)  # channels at half, a quarter … a thirty-second of the window's size


class MatteNet(nn.Module):
    """Alpha from a window and the drawing of its hand.

    Takes float ``(N, 4, S, S)``, 0 … 255, where S is a multiple of 32; gives logits ``(N, 1, S, S)``.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.stem = _convolved(4, widths[0], stride=2)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(
            nn.Sequential(_convolved(fine, coarse, stride=2), Residual(coarse)) for fine, coarse in pairs
        )
        self.middle = nn.Sequential(Residual(widths[-1]), Residual(widths[-1]))
        self.up = nn.ModuleList(_convolved(coarse, fine, size=1) for fine, coarse in reversed(pairs))
        self.joined = nn.ModuleList(
            _convolved(fine, fine) if fine <= widths[1] else Residual(fine) for fine, _ in reversed(pairs)
        )
        self.answer = nn.Conv2d(widths[0], 4, 3, padding=1)  # the four pixels of each place at half size

    def forward(self, window: Tensor) -> Tensor:
        """Return the logits of alpha."""
        x = self.stem(window / 127.5 - 1)
        kept = [x]
        for down in self.down:
            x = down(x)
            kept.append(x)
        x = self.middle(kept.pop())
        for up, joined in zip(self.up, self.joined, strict=True):
            x = joined(functional.interpolate(up(x), scale_factor=2.0, mode="nearest") + kept.pop())
        return functional.pixel_shuffle(self.answer(x), 2)


class Residual(nn.Module):
    """Two convolutions, added to what they were given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolved(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return functional.relu(x + self.second(self.first(x)))


def _convolved(before: int, after: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
