"""How a hand is shown to the network, for batches: as `handprep.segmentation.framing` does for one.

Landmarks are (N, 21, 2) pixels. A test compares the two.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from handprep.landmarks import FINGERS, KNUCKLES, PALM, HandLandmark
from handprep.segmentation import framing
from train_matte import ops
from train_matte.ops import column

RIM = 0.8  # pixels that OpenCV draws beyond a line's width and a polygon's edge


def palm_length(points: Tensor) -> Tensor:
    """Return `handprep.segmentation.prior.palm_length` of (N, 21, 2)."""
    spans = (points[:, [5, 9, 17]] - points[:, :1]).norm(dim=2).amax(1)
    across = (points[:, 5] - points[:, 17]).norm(dim=1)
    extent = (points.amax(1) - points.amin(1)).amax(1)
    return torch.stack([spans, 1.3 * across, 0.4 * extent]).amax(0).clamp(min=1)


def down_the_arm(points: Tensor) -> Tensor:
    down = points[:, HandLandmark.WRIST] - points[:, KNUCKLES].mean(1)
    length = down.norm(dim=1, keepdim=True)
    return torch.where(
        length > 1e-6, down / length.clamp(min=1e-6), ops.constant((0.0, 1.0), str(points.device))
    )


def window(points: Tensor, side: int) -> Tensor:
    """Return `handprep.segmentation.framing.window` of hands with landmarks (N, 21, 2)."""
    length, down = palm_length(points), down_the_arm(points)
    upright = ops.turning(torch.pi / 2 - torch.atan2(down[:, 1], down[:, 0]))
    elbow = points[:, HandLandmark.WRIST] + framing.FOREARM * length[:, None] * down
    return _around(
        upright, ops.move(upright, torch.cat([points, elbow[:, None]], 1)), framing.ROOM * length, side
    )


def window_of_box(points: Tensor, upright: Tensor, room: Tensor, side: int) -> Tensor:
    """Return the window around the box of landmarks in a turned image, its edges (N, 4) off."""
    turned = ops.move(upright, points)
    low, high = turned.amin(1), turned.amax(1)
    long = (high - low).amax(1, keepdim=True)
    box = torch.stack([low - room[:, :2] * long, high + room[:, 2:] * long], 1)
    return _around(upright, box, framing.ROOM_OF_BOX * (box[:, 1] - box[:, 0]).amax(1), side)


def _around(upright: Tensor, points: Tensor, room: Tensor, side: int) -> Tensor:
    low, high = points.amin(1), points.amax(1)
    wide = (high - low).amax(1) + 2 * room
    return ops.chain(upright, ops.moving((wide[:, None] - low - high) / 2), ops.scaling(side / wide))


def drawing(points: Tensor, side: int) -> Tensor:
    """Return `handprep.segmentation.framing.drawing`, 0 … 1, (N, 1, S, S)."""
    x, y = ops.pixels(side, points.device)
    length = palm_length(points)
    width = (framing.BONE * length).round().clamp(min=1)
    stub = points[:, HandLandmark.WRIST] + framing.STUB * length[:, None] * down_the_arm(points)
    arm = distance(x, y, points[:, HandLandmark.WRIST], stub) <= column(width) + RIM
    near = torch.full((len(points), side, side), torch.inf, device=points.device)
    for finger in FINGERS:
        for a, b in pairwise(finger):
            near = torch.minimum(near, distance(x, y, points[:, a], points[:, b]))
    inside, rim = torch.zeros_like(arm), torch.zeros_like(arm)
    for a, b in pairwise([*PALM, PALM[0]]):
        (xa, ya), (xb, yb) = points[:, a].T, points[:, b].T
        crosses = (column(ya) > y) != (column(yb) > y)
        at = column(xa) + (y - column(ya)) * column((xb - xa) / torch.where(yb == ya, 1e-6, yb - ya))
        inside ^= crosses & (x < at)
        rim |= distance(x, y, points[:, a], points[:, b]) <= RIM
    drawn = torch.where(inside | rim | (near <= column(width) / 2 + RIM), 1.0, arm * (128 / 255))[:, None]
    return ops.blurred(drawn, torch.full((len(points),), framing.SOFTNESS, device=points.device), 8).clamp(
        0, 1
    )


def distance(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    along = b - a
    square = (along**2).sum(1).clamp(min=1e-6)
    px, py = x - column(a[:, 0]), y - column(a[:, 1])
    t = ((px * column(along[:, 0]) + py * column(along[:, 1])) / column(square)).clamp(0, 1)
    return torch.hypot(px - t * column(along[:, 0]), py - t * column(along[:, 1]))
