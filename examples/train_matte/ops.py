"""Operations on batches, each image with its own random numbers, on any device.

Images are (N, C, S, S), colours and weights 0 … 1; matrices (N, 3, 3) act on (x, y, 1).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

TAU = 2 * math.pi


@lru_cache
def constant(values: tuple, device: str) -> Tensor:
    """Return a tensor that is sent to the device once."""
    return torch.tensor(values, device=device)


class Chance:
    """Random numbers on a device, the same after each `begin` with the same seed."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.generator, self.host = torch.Generator(device), torch.Generator()

    def begin(self, seed: int) -> None:
        """Begin anew."""
        self.generator.manual_seed(seed)
        self.host.manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return numbers from `low` to `high`."""
        return torch.rand(shape, generator=self.generator, device=self.device) * (high - low) + low

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return numbers whose logarithm is uniform."""
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def normal(self, spread: float, *shape: int) -> Tensor:
        """Return normal numbers around 0 of a standard deviation."""
        return torch.randn(shape, generator=self.generator, device=self.device) * spread

    def whole(self, count: int, *shape: int) -> Tensor:
        """Return whole numbers from 0 to below `count`."""
        return torch.randint(count, shape, generator=self.generator, device=self.device)

    def some(self, count: int, share: float) -> Tensor:
        """Return the indices of a random share of `count` images, one at least; waits for no device."""
        number = share * count
        number = int(number) + int(float(torch.rand((), generator=self.host)) < number % 1)
        return torch.rand(count, generator=self.generator, device=self.device).argsort()[: max(1, number)]


def affine(n: int, device: str) -> Tensor:
    return torch.eye(3, device=device).repeat(n, 1, 1)


def moving(xy: Tensor) -> Tensor:
    """Return (N, 3, 3) matrices that add (N, 2)."""
    m = affine(len(xy), xy.device)
    m[:, :2, 2] = xy
    return m


def scaling(x: Tensor, y: Tensor | None = None) -> Tensor:
    m = affine(len(x), x.device)
    m[:, 0, 0] = x
    m[:, 1, 1] = x if y is None else y
    return m


def turning(angle: Tensor) -> Tensor:
    """Return the matrices that turn x towards y."""
    m = affine(len(angle), angle.device)
    m[:, 0, 0] = m[:, 1, 1] = angle.cos()
    m[:, 1, 0] = angle.sin()
    m[:, 0, 1] = -m[:, 1, 0]
    return m


def chain(*matrices: Tensor) -> Tensor:
    """Return what does the first, then the next ..."""
    total = matrices[0]
    for matrix in matrices[1:]:
        total = matrix @ total
    return total


def move(matrix: Tensor, points: Tensor) -> Tensor:
    """Return (N, P, 2) points moved by (N, 3, 3)."""
    return points @ matrix[:, :2, :2].mT + matrix[:, None, :2, 2]


def warped(images: Tensor, matrix: Tensor, side: int, border: str = "border") -> Tensor:
    """Return (N, C, side, side) of (N, C, H, W); the matrix leads from the image's pixels to the window's."""
    height, width = images.shape[2:]
    back = torch.linalg.inv_ex(matrix.float())[0]
    # window pixels -> image pixels, in normalised coordinates of both
    to_window = constant(((side / 2, 0, side / 2), (0, side / 2, side / 2), (0, 0, 1)), str(images.device))
    from_image = constant(((2 / width, 0, -1), (0, 2 / height, -1), (0, 0, 1)), str(images.device))
    theta = (from_image @ back @ to_window)[:, :2]
    grid = functional.affine_grid(theta, [len(images), 1, side, side], align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode=border, align_corners=False)


def pixels(side: int, device: str) -> tuple[Tensor, Tensor]:
    steps = torch.arange(side, device=device) + 0.5
    return steps[None, None, :], steps[None, :, None]


def column(values: Tensor) -> Tensor:
    return values[:, None, None]


def plane(values: Tensor) -> Tensor:
    return values.reshape(*values.shape, *(1,) * (4 - values.dim()))


def gradient(chance: Chance, n: int, side: int, strength: float) -> Tensor:
    """Return (N, 1, S, S) factors around 1 that change linearly."""
    angle, much = chance.uniform(0, TAU, n), chance.uniform(0, strength, n)
    along = torch.linspace(-1, 1, side, device=chance.device)
    down, right = much * angle.sin(), much * angle.cos()
    return (1 + column(right) * along[None, None, :] + column(down) * along[None, :, None])[:, None]


def noise(chance: Chance, n: int, side: int, cell: tuple[float, float]) -> Tensor:
    """Return (N, 1, S, S) smooth fields in 0 … 1 with features of some pixels."""
    field = chance.uniform(0, 1, n, 1, 128, 128)
    size = chance.log_uniform(*cell, n).clamp(min=side / 126)
    matrix = chain(moving(chance.uniform(-8, 0, n, 2)), scaling(size))
    return warped(field, matrix, side, "reflection")


def blurred(images: Tensor, sigma: Tensor, pad: int = 16) -> Tensor:
    """Return images under Gaussians of their own widths (N,), in pixels."""
    return _filtered(
        images, pad, lambda y, x: torch.exp(-2 * math.pi**2 * plane(sigma) ** 2 * (x * x + y * y))
    )


def streaked(images: Tensor, reach: Tensor, angle: Tensor, pad: int = 16) -> Tensor:
    """Return images that moved by (N,) pixels during the exposure."""
    dx, dy = plane(reach * angle.cos()), plane(reach * angle.sin())
    return _filtered(images, pad, lambda y, x: torch.sinc(dx * x + dy * y))


def _filtered(images: Tensor, pad: int, response) -> Tensor:
    padded = functional.pad(images, (pad,) * 4, mode="reflect") if pad else images
    height, width = padded.shape[2:]
    y = torch.fft.fftfreq(height, device=images.device)[None, None, :, None]
    x = torch.fft.rfftfreq(width, device=images.device)[None, None, None, :]
    done = torch.fft.irfft2(torch.fft.rfft2(padded.float()) * response(y, x), s=(height, width))
    return done[..., pad : height - pad, pad : width - pad] if pad else done


def grey(images: Tensor) -> Tensor:
    r, g, b = images[:, :1], images[:, 1:2], images[:, 2:3]
    return 0.299 * r + 0.587 * g + 0.114 * b


def mean_colour(images: Tensor, weight: Tensor) -> Tensor:
    """Return the (N, 3, 1, 1) mean of colours under (N, 1, S, S) weights."""
    total = weight.sum((2, 3), keepdim=True)
    return (images * weight).sum((2, 3), keepdim=True) / total.clamp(min=1)


def over(below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
    """Return one image over another, under a weight."""
    return below + (above - below) * weight


def put(whole: Tensor, indices: Tensor, part: Tensor) -> Tensor:
    """Return a batch with some of its images replaced."""
    return whole.index_copy(0, indices, part.to(whole.dtype).expand(len(indices), *whole.shape[1:]))
