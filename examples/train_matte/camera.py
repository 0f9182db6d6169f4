"""Light, lens, sensor, file and frame: what happens to an image before anyone sees it, for batches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train_matte import jpeg, ops


class Camera:
    """Changes (N, 3, S, S) images as lamps, cameras and files do."""

    def __init__(self, chance: ops.Chance, side: int) -> None:
        self.chance, self.side, self.device = chance, side, chance.device

    def relit(self, colour: Tensor) -> Tensor:
        """Return hands with another skin tone and another light."""
        c, n, side = self.chance, len(colour), self.side
        dark = torch.where(c.uniform(0, 1, n) < 0.08, c.uniform(0.1, 0.45, n), 1.0)  # against the light
        gain = torch.where(
            (c.uniform(0, 1, n) < 0.6)[:, None], (c.normal(0.18, n, 1) + c.normal(0.07, n, 3)).exp(), 1.0
        )
        bend = torch.where(c.uniform(0, 1, n) < 0.5, c.normal(0.35, n).exp(), 1.0)
        colour = (colour * ops.plane(dark)).clamp(1e-4, 1) ** ops.plane(bend) * gain[:, :, None, None]
        i = c.some(n, 0.5)
        colour = ops.put(colour, i, colour[i] * ops.gradient(c, len(i), side, 0.6))
        i = c.some(n, 0.2)
        light = ops.noise(c, len(i), side, (15, 80))
        colour = ops.put(colour, i, colour[i] * (ops.plane(c.uniform(0.4, 1, len(i))) + 0.6 * light))
        i = c.some(n, 0.12)  # a strong lamp: part of the skin is burnt out
        lamp = ops.blurred(
            (ops.noise(c, len(i), side, (40, 160)) - 0.45).clamp(min=0),
            torch.full((len(i),), 4.0, device=self.device),
        )
        colour = ops.put(colour, i, colour[i] * (1 + ops.plane(c.uniform(1, 8, len(i))) * lamp))
        return colour.clamp(0, 1)

    def shadow(self, alpha: Tensor) -> Tensor:
        """Return how much light is left where hands throw their shadows."""
        c, n = self.chance, len(alpha)
        moved = ops.warped(alpha, ops.moving(c.uniform(-self.side / 8, self.side / 8, n, 2)), self.side)
        return 1 - ops.plane(c.uniform(0.1, 0.65, n)) * ops.blurred(moved, c.log_uniform(1.5, 10, n))

    def blurred(self, image: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Return images and alpha out of focus or moved, some of them."""
        c, both = self.chance, torch.cat([image, alpha], 1)
        order = torch.rand(len(image), generator=c.generator, device=self.device).argsort()
        i, j = order[: round(0.17 * len(image))], order[round(0.17 * len(image)) : round(0.3 * len(image))]
        if len(i):
            both = ops.put(both, i, ops.blurred(both[i], c.uniform(0.5, 2.4, len(i))))
        if len(j):
            reach, angle = c.uniform(3, 14, len(j)), c.uniform(0, ops.TAU, len(j))
            both = ops.put(both, j, ops.streaked(both[j], reach, angle))
        return both[:, :3].clamp(0, 1), both[:, 3:].clamp(0, 1)

    def developed(self, image: Tensor) -> Tensor:
        """Return images with other exposure, contrast, white balance or saturation."""
        c, n, side = self.chance, len(image), self.side
        draw = lambda p: c.uniform(0, 1, n) < p  # noqa: E731
        gain = torch.where(draw(0.7)[:, None], c.normal(0.1, n, 3).exp(), 1.0)
        image = (image * gain[:, :, None, None]).clamp(1e-4, 1)
        image = image ** ops.plane(torch.where(draw(0.5), c.normal(0.35, n).exp(), 1.0))
        much, up = (
            torch.where(draw(0.5), c.uniform(0.6, 1.3, n), 1.0),
            torch.where(draw(0.5), c.normal(0.1, n), 0.0),
        )
        image = (image - 0.5) * ops.plane(much) + 0.5 + ops.plane(up)
        kind = c.uniform(0, 1, n)
        image = image * ops.plane(torch.where(kind < 0.13, c.log_uniform(0.1, 0.6, n), 1.0))
        blown = (kind > 0.13) & (kind < 0.33)  # skin has no colour any more
        bright = c.log_uniform(1.25, 3.2, n)[:, None] * c.normal(0.08, n, 3).exp()
        burnt = (image * bright[:, :, None, None]).clamp(0, 1) * ops.plane(c.uniform(0.85, 1, n))
        image = torch.where(ops.plane(blown), burnt, image)
        i = c.some(n, 0.3)
        image = ops.put(image, i, image[i] * ops.gradient(c, len(i), side, 0.5))
        i = c.some(n, 0.05)  # haze, or light that falls into the lens
        haze = ops.noise(c, len(i), side, (60, 200)) * ops.plane(c.uniform(0.2, 0.7, len(i)))
        image = ops.put(
            image, i, ops.over(image[i].clamp(0, 1), ops.plane(c.uniform(0.7, 1, len(i), 3)), haze)
        )
        kind, light = c.uniform(0, 1, n), ops.grey(image)
        colourful = torch.where(kind < 0.1, 0.0, torch.where(kind < 0.35, c.uniform(0.3, 1.5, n), 1.0))
        image = light + (image - light) * ops.plane(colourful)
        image = torch.where(ops.plane((kind > 0.35) & (kind < 0.38)), image.flip(1), image)
        lamp = light * c.uniform(0.3, 1.3, n, 3)[:, :, None, None] * 0.6 + image * 0.4
        return torch.where(ops.plane((kind > 0.38) & (kind < 0.50)), lamp, image)

    def recorded(self, image: Tensor) -> Tensor:
        """Return images with the sensor's noise and the file's losses."""
        c, n, side = self.chance, len(image), self.side
        i = c.some(n, 0.6)
        spread = ops.plane(c.log_uniform(0.5, 18, len(i)) / 255)
        image = ops.put(image, i, image[i] + spread * c.normal(1, len(i), 3, side, side))
        i = c.some(n, 0.15)  # coarse and coloured, as at night
        coarse = functional.interpolate(
            c.normal(1, len(i), 3, side // 2, side // 2), scale_factor=2.0, mode="bilinear"
        )
        image = ops.put(image, i, image[i] + ops.plane(c.log_uniform(3, 25, len(i)) / 255) * coarse)
        image = image.clamp(0, 1)
        order = torch.rand(n, generator=c.generator, device=self.device).argsort()
        for number, share in enumerate((0.3, 0.4, 0.5, 0.66, 0.8)):
            part = order[number * n * 5 // 100 : (number + 1) * n * 5 // 100]
            if len(part):
                small = functional.interpolate(image[part], scale_factor=share, mode="area")
                image = ops.put(
                    image, part, functional.interpolate(small, size=(side, side), mode="bilinear")
                )
        i = c.some(n, 0.22)  # sharpened
        blunt = ops.blurred(image[i], c.uniform(0.7, 2, len(i)), 8)
        image = ops.put(
            image, i, (image[i] + ops.plane(c.uniform(0.3, 2, len(i))) * (image[i] - blunt)).clamp(0, 1)
        )
        order = torch.rand(n, generator=c.generator, device=self.device).argsort()
        for part, halved in ((order[: n * 3 // 10], True), (order[n * 3 // 10 : n * 45 // 100], False)):
            if len(part):
                image = ops.put(
                    image, part, jpeg.compressed(image[part], c.uniform(10, 95, len(part)), halved)
                )
        return image.clamp(0, 1)

    def framed(self, planes: Tensor, points: Tensor) -> Tensor:
        """Return image, alpha and valid as if the photo ended near the hand, its border continued beyond."""
        c, n, side = self.chance, len(planes), self.side
        turn = ops.turning(c.uniform(0, ops.TAU, n))
        turned = ops.move(turn, points)
        low, high = turned.amin(1), turned.amax(1)
        long = (high - low).amax(1, keepdim=True)
        margin = torch.where(c.uniform(0, 1, n, 4) < 0.35, 10.0, c.uniform(-0.02, 0.45, n, 4)) * long
        low, high = low - margin[:, :2], high + margin[:, 2:]
        x, y = ops.pixels(side, self.device)
        grid = (
            torch.stack([x.expand(1, side, side), y.expand(1, side, side)], -1)
            .reshape(1, -1, 2)
            .expand(n, -1, -1)
        )
        there = ops.move(turn, grid)
        inside = ((there > low[:, None]) & (there < high[:, None])).all(2).reshape(n, 1, side, side)
        there = torch.minimum(torch.maximum(there, low[:, None] + 0.5), high[:, None] - 0.5)
        back = ops.move(torch.linalg.inv_ex(turn)[0], there).reshape(n, side, side, 2) * (2 / side) - 1
        moved = functional.grid_sample(planes, back, padding_mode="border", align_corners=False)
        bar = c.uniform(0, 1, n) < 0.3  # around the photo, which shows nothing
        level = torch.where(c.uniform(0, 1, n) < 0.3, c.uniform(0, 1, n), c.uniform(0, 0.08, n))
        barred = torch.cat(
            [
                torch.where(inside, planes[:, :3], ops.plane(level)),
                planes[:, 3:4] * inside,
                torch.where(inside, planes[:, 4:], 1.0),
            ],
            1,
        )
        ended = torch.cat([moved[:, :4], planes[:, 4:] * inside], 1)
        return torch.where(ops.plane(bar), barred, ended)
