"""What JPEG does to images, for batches on any device, each image at its own quality.

The tables are those of ITU-T T.81, annex K.1; as in libjpeg, the quality scales them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from train_matte.ops import constant

LUMA = tuple(
    map(
        tuple,
        [
            [16, 11, 10, 16, 24, 40, 51, 61],
            [12, 12, 14, 19, 26, 58, 60, 55],
            [14, 13, 16, 24, 40, 57, 69, 56],
            [14, 17, 22, 29, 51, 87, 80, 62],
            [18, 22, 37, 56, 68, 109, 103, 77],
            [24, 35, 55, 64, 81, 104, 113, 92],
            [49, 64, 78, 87, 103, 121, 120, 101],
            [72, 92, 95, 98, 112, 100, 103, 99],
        ],
    )
)
CHROMA = tuple(
    tuple(row + [99] * (8 - len(row)))
    for row in ([17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56], [47, 66], [], [], [], [])
)


def compressed(images: Tensor, quality: Tensor, halved: bool) -> Tensor:
    """Return 0 … 1 images after JPEG's quantisation at their own qualities (N,), chroma halved or not."""
    device = images.device
    to = constant(
        ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)), str(device)
    )
    ycc = torch.einsum("ij,njhw->nihw", to, images * 255)
    y, c = ycc[:, :1] - 128, ycc[:, 1:]
    if halved:
        c = functional.avg_pool2d(c, 2)
    factor = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    y = _quantised(y, (constant(LUMA, str(device)) * factor[:, None, None]).round().clamp(1, 255)) + 128
    c = _quantised(c, (constant(CHROMA, str(device)) * factor[:, None, None]).round().clamp(1, 255))
    if halved:
        c = functional.interpolate(c, scale_factor=2.0, mode="bilinear", align_corners=False)
    return (
        torch.einsum("ij,njhw->nihw", torch.linalg.inv_ex(to)[0], torch.cat([y, c], 1)).div(255).clamp(0, 1)
    )


def _quantised(planes: Tensor, table: Tensor) -> Tensor:
    n, c, h, w = planes.shape
    k = torch.arange(8, device=planes.device, dtype=torch.float32)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    basis[0] /= math.sqrt(2)
    blocks = planes.reshape(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5)
    table = table[:, None, None, None]
    codes = (basis @ blocks @ basis.T / table).round() * table
    back = basis.T @ codes @ basis
    return back.permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)
