"""Where things are that are not the hand: weights with a soft edge, for batches."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from handprep.landmarks import FINGERS, PALM, HandLandmark
from train_matte import ops, shown


class Shapes:
    """Draws shapes as (N, 1, S, S) weights; landmarks are (N, 21, 2) pixels of the window."""

    def __init__(self, chance: ops.Chance, side: int) -> None:
        self.chance, self.side, self.device = chance, side, chance.device

    def blob(self, n: int) -> Tensor:
        """Return ellipses, bars, boxes and polygons anywhere."""
        c, side = self.chance, self.side
        centre, kind = c.uniform(0, side, n, 2), c.whole(4, n)
        half = c.uniform(0.06, 0.5, n, 2) * side
        half[:, 0] = torch.where(kind == 1, 2.0 * side, half[:, 0])  # a bar
        half[:, 1] = torch.where(kind == 1, c.uniform(0.02, 0.16, n) * side, half[:, 1])
        shape = self._shape(centre, c.uniform(0, ops.TAU, n), half, kind == 0)
        corner = [
            self._local(centre, c.uniform(0, ops.TAU, n))[0] + ops.column(c.uniform(0.05, 0.45, n) * side)
            for _ in range(4)
        ]
        polygon = torch.stack(corner).amin(0)
        return self._soft(torch.where(ops.column(kind == 3), polygon, shape))

    def occluder(self, points: Tensor) -> Tensor:
        """Return sticks, balls and cards across the hand."""
        c, n, side = self.chance, len(points), self.side
        near = points[torch.arange(n, device=self.device), c.whole(21, n)] + c.normal(0.04 * side, n, 2)
        stick = c.uniform(0, 1, n) < 0.5
        long = torch.where(stick, c.uniform(0.1, 0.6, n), c.uniform(0.05, 0.28, n)) * side
        wide = torch.where(stick, c.uniform(0.01, 0.05, n), c.uniform(0.05, 0.28, n)) * side
        round_ = ~stick & (c.uniform(0, 1, n) < 0.6)
        return self._soft(self._shape(near, c.uniform(0, ops.TAU, n), torch.stack([long, wide], 1), round_))

    def held(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of flat objects in hands, and of the fingers in front of them."""
        c, n = self.chance, len(points)
        palm = points[:, PALM].mean(1)
        length = (
            (points[:, HandLandmark.WRIST] - points[:, HandLandmark.MIDDLE_FINGER_MCP])
            .norm(dim=1)
            .clamp(min=1)
        )
        pinch = points[:, [HandLandmark.THUMB_TIP, HandLandmark.INDEX_FINGER_TIP]].mean(1)
        centre = palm + c.uniform(0, 1, n, 1) * (pinch - palm) + c.normal(0.15, n, 2) * length[:, None]
        half = torch.stack([c.uniform(0.25, 1.1, n), c.uniform(0.06, 0.55, n)], 1) * length[:, None]
        thing = self._shape(centre, c.uniform(0, ops.TAU, n), half, c.uniform(0, 1, n) < 0.3)
        x, y = ops.pixels(self.side, self.device)
        inside = torch.full_like(thing, -1e3)
        for finger in FINGERS:
            first, visible = c.whole(3, n), c.uniform(0, 1, n) < 0.65
            width = ops.column(c.uniform(0.07, 0.11, n) * length)
            for number, (a, b) in enumerate(pairwise(finger)):
                drawn = width - shown.distance(x, y, points[:, a], points[:, b])
                inside = torch.where(
                    ops.column(visible & (first <= number)), torch.maximum(inside, drawn), inside
                )
        return self._soft(thing), self._soft(inside)

    def sleeve(self, points: Tensor, arm: Tensor) -> Tensor:
        """Return sleeves: the arm and everything near it beyond a line across it."""
        c, n = self.chance, len(points)
        along, across, length = self._arm(points)
        begin = ops.column(c.uniform(0.1, 1.2, n)) * length
        bend, slant = ops.column(c.uniform(-0.3, 0.3, n)), ops.column(c.normal(0.15, n))
        bend = bend * across**2 / length + slant * across
        wide, flare = ops.column(c.uniform(0.3, 0.7, n)), ops.column(c.uniform(0, 0.4, n))
        width = wide * length + flare * (along - begin).clamp(min=0)
        near = torch.maximum(self._soft(width - across.abs()), (3 * arm).clamp(0, 1))
        return self._soft(along + bend - begin) * near

    def watch(self, points: Tensor) -> Tensor:
        """Return bands across the arm."""
        c, n = self.chance, len(points)
        along, across, length = self._arm(points)
        middle, half = (ops.column(c.uniform(*r, n)) * length for r in ((0.1, 0.6), (0.03, 0.13)))
        bend = ops.column(c.uniform(-0.2, 0.2, n)) * across**2 / length
        return self._soft(half - (along + bend - middle).abs())

    def _soft(self, inside: Tensor, low: float = 0.8, high: float = 2.4) -> Tensor:
        wide = self.chance.uniform(low, high, len(inside))
        return (inside / ops.column(wide) + 0.5).clamp(0, 1)[:, None]

    def _local(self, centre: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        x, y = ops.pixels(self.side, self.device)
        x, y = x - ops.column(centre[:, 0]), y - ops.column(centre[:, 1])
        cos, sin = ops.column(angle.cos()), ops.column(angle.sin())
        return x * cos + y * sin, y * cos - x * sin

    def _shape(self, centre: Tensor, angle: Tensor, half: Tensor, round_: Tensor) -> Tensor:
        """Return signed distances, positive inside, of boxes and ellipses with half sizes (N, 2)."""
        x, y = self._local(centre, angle)
        a, b = ops.column(half[:, 0]), ops.column(half[:, 1])
        box = torch.minimum(a - x.abs(), b - y.abs())
        ellipse = (1 - torch.hypot(x / a, y / b)) * torch.minimum(a, b)
        return torch.where(ops.column(round_), ellipse, box)

    def _arm(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return how far along and across the arm each pixel lies from the wrist, and the palm's length."""
        down = points[:, HandLandmark.WRIST] - points[:, HandLandmark.MIDDLE_FINGER_MCP]
        reach = down.norm(dim=1)
        length = reach.clamp(min=0.12 * self.side)
        across, along = self._local(
            points[:, HandLandmark.WRIST], torch.atan2(down[:, 1], down[:, 0]) - ops.TAU / 4
        )
        return along, across, ops.column(length)
