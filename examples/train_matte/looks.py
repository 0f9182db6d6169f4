"""What surfaces, cloth, objects and surroundings look like, for batches."""

from __future__ import annotations

import torch
from torch import Tensor

from train_matte import ops
from train_matte.material import Material

SKIN = (  # sRGB from very light to very dark, as the renderer has them
    (244, 214, 196),
    (222, 174, 142),
    (200, 146, 112),
    (166, 112, 80),
    (128, 82, 57),
    (74, 48, 37),
)


class Looks:
    """Makes (N, 3, S, S) colours of what is in an image beside the hand."""

    def __init__(self, chance: ops.Chance, side: int, material: Material) -> None:
        self.chance, self.side, self.device, self.material = chance, side, chance.device, material
        self.skin = torch.tensor(SKIN, device=self.device) / 255

    def surface(self, n: int, skin: float = 0.5) -> Tensor:
        """Return walls, cloth, boards: two close colours, mixed by noise or a grain."""
        c = self.chance
        of_skin = self.skin[c.whole(len(SKIN), n)]
        colour = torch.where((c.uniform(0, 1, n) < skin)[:, None], of_skin, c.uniform(0, 1, n, 3))
        other = colour + c.normal(0.12, n, 3)
        grain = ops.noise(c, n, self.side, (1.5, 40))
        i = c.some(n, 0.3)  # wood: long streaks
        field = c.uniform(0, 1, len(i), 1, 128, 128)
        streaks = ops.chain(
            ops.moving(c.uniform(-8, 0, len(i), 2)),
            ops.scaling(c.uniform(20, 60, len(i)), c.uniform(1.5, 8, len(i))),
            ops.turning(c.uniform(0, ops.TAU, len(i))),
            ops.moving(c.uniform(0, self.side, len(i), 2)),
        )
        grain = ops.put(grain, i, ops.warped(field, streaks, self.side, "reflection"))
        look = colour[:, :, None, None] * grain + other[:, :, None, None] * (1 - grain)
        return (look * ops.gradient(c, n, self.side, 0.5)).clamp(0, 1)

    def printed(self, images: Tensor) -> Tensor:
        """Return images with lines of text on them."""
        c, n = self.chance, len(images)
        text = self.material.texts[c.whole(len(self.material.texts), n)].float() / 255
        half = torch.full((n, 2), self.side / 2, device=self.device)
        angle = torch.where(c.uniform(0, 1, n) < 0.5, c.uniform(0, ops.TAU, n), c.normal(0.2, n))
        matrix = ops.chain(
            ops.moving(-c.uniform(40, 216, n, 2)),
            ops.scaling(c.log_uniform(0.4, 2.5, n)),
            ops.turning(angle),
            ops.moving(half),
        )
        letters = ops.warped(text, matrix, self.side, "reflection")
        return ops.over(images, ops.plane(c.uniform(0, 1, n, 3)), letters)

    def clothing(self, n: int) -> Tensor:
        """Return the look of cloth or of an object: one colour, often dark, or a piece of some scene."""
        c = self.chance
        cloth = self.surface(n, 0.05) * ops.plane(ops.constant((1.0, 0.5, 0.15), self.device)[c.whole(3, n)])
        i = c.some(n, 0.35)
        return ops.put(cloth, i, self.piece(len(i)))

    def sleeve_cloth(self, n: int) -> Tensor:
        """Return the look of sleeves: cloth, at times light or in folds."""
        c = self.chance
        cloth = self.clothing(n)
        i = c.some(n, 0.2)  # light: white cuffs
        look = ops.plane(c.uniform(0.65, 1, len(i), 1) * (1 + c.normal(0.05, len(i), 3))) * ops.gradient(
            c, len(i), self.side, 0.4
        )
        cloth = ops.put(cloth, i, look.clamp(0, 1))
        i = c.some(n, 0.35)  # folds
        field = c.uniform(0, 1, len(i), 1, 128, 128)
        folds = ops.chain(
            ops.moving(c.uniform(-8, 0, len(i), 2)),
            ops.scaling(c.uniform(15, 50, len(i)), c.uniform(4, 14, len(i))),
            ops.turning(c.normal(0.5, len(i))),
        )
        shade = 1 - ops.plane(c.uniform(0.2, 0.6, len(i))) * ops.warped(field, folds, self.side, "reflection")
        return ops.put(cloth, i, cloth[i] * shade)

    def goods(self, n: int) -> Tensor:
        """Return the look of objects: as cloth has it, white, or of skin's colour; at times with text."""
        c = self.chance
        goods = self.clothing(n)
        i = c.some(n, 0.22)
        white = ops.plane(c.uniform(0.66, 1, len(i), 1).expand(-1, 3)) * ops.gradient(
            c, len(i), self.side, 0.4
        )
        goods = ops.put(goods, i, white.clamp(0, 1))
        i = c.some(n, 0.15)
        goods = ops.put(goods, i, self.surface(len(i), 1.0))
        i = c.some(n, 0.25)
        return ops.put(goods, i, self.printed(goods[i]))

    def piece(self, n: int) -> Tensor:
        """Return random pieces of scenes, turned and scaled."""
        c, scenes = self.chance, self.material.scenes
        height, width = scenes.shape[2:]
        images = scenes[c.whole(len(scenes), n)].float() / 255
        share = c.log_uniform(0.3, 1.1, n)
        size = ops.constant((float(width), float(height)), self.device)
        half = torch.full((n, 2), self.side / 2, device=self.device)
        scale = self.side / (share * height)
        mirror = torch.where(c.uniform(0, 1, n) < 0.5, -1.0, 1.0)
        small = c.normal(0.25, n) * (c.uniform(0, 1, n) < 0.75)  # most photos stand nearly upright
        angle = torch.where(c.uniform(0, 1, n) < 0.5, c.uniform(0, ops.TAU, n), small)
        matrix = ops.chain(
            ops.moving(-c.uniform(0.25, 0.75, n, 2) * size),
            ops.scaling(scale * mirror, scale * c.normal(0.15, n).exp()),
            ops.turning(angle),
            ops.moving(half),
        )
        return ops.warped(images, matrix, self.side, "reflection").clamp(0, 1)

    def tinted(self, images: Tensor, like: Tensor, weight: Tensor, own: Tensor | None = None) -> Tensor:
        """Return images with about the mean colour that others have where their weight is high."""
        c, n = self.chance, len(images)
        sure = (weight > 0.9).float()
        target = ops.mean_colour(like, sure) + c.normal(0.045, n, 3)[:, :, None, None]
        mean = ops.mean_colour(images, torch.ones_like(weight) if own is None else (own > 0.5).float())
        tinted = ((images - mean) * ops.plane(c.uniform(0.3, 1, n)) + target).clamp(0, 1)
        return torch.where(sure.sum((1, 2, 3), keepdim=True) > 20, tinted, images)
