"""A small Darknet network with every layer that darknet_to_onnx.py knows, and its made-up weights."""

from __future__ import annotations

import struct

import numpy as np

SIZE = 64

CFG = """
[net]
# Testing
batch=1
width=64
height=64
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=mish

[route]
layers=-1
groups=2
group_id=1

[convolutional]
batch_normalize=1
filters=4
size=3
stride=1
pad=1
activation=swish

# 5: both halves
[route]
layers = -1,-3

[convolutional]
batch_normalize=1
filters=12
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=1

# 8: an earlier layer with as many channels
[shortcut]
from=-2
activation=leaky

[maxpool]
size=3
stride=1

[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=relu

[convolutional]
size=1
stride=1
pad=1
filters=14
activation=linear

# 12
[yolo]
mask = 2,3
anchors = 6,8, 14,12, 20,30, 44,40
classes=2
num=4
scale_x_y = 1.05

[route]
layers = -3

[convolutional]
batch_normalize=1
filters=8
size=1
stride=1
pad=1
activation=leaky

[upsample]
stride=2

# 16: an earlier layer with more channels, of which the first 8 are added
[shortcut]
from=9
activation=linear

[convolutional]
size=1
stride=1
pad=1
filters=14
activation=linear

[yolo]
mask = 0,1
anchors = 6,8, 14,12, 20,30, 44,40
classes=2
num=4
"""

# Filters, channels and side of each kernel, and whether its layer is normalised, in the file's order.
KERNELS = (
    (8, 3, 3, True),
    (8, 8, 3, True),
    (4, 4, 3, True),
    (12, 12, 3, True),
    (16, 12, 3, True),
    (14, 16, 1, False),
    (8, 16, 1, True),
    (14, 8, 1, False),
)


def weights() -> bytes:
    """Return a .weights file for `CFG`, always the same one."""
    rng = np.random.default_rng(0)
    parts = []
    for filters, channels, side, normalised in KERNELS:
        parts.append(rng.normal(0, 0.2, filters))  # bias
        if normalised:
            parts += [
                rng.uniform(0.7, 1.3, filters),
                rng.normal(0, 0.2, filters),
                rng.uniform(0.5, 2, filters),
            ]
        parts.append(rng.normal(0, np.sqrt(2 / (channels * side**2)), filters * channels * side**2))
    return struct.pack("<iiiq", 0, 2, 5, 0) + np.concatenate(parts).astype("<f4").tobytes()


def picture() -> np.ndarray:
    """Return a picture (64, 64, 3) without a pattern."""
    return np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
