"""Training images: batch number n is made of hands, backgrounds and chance, and is always the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from train_matte import ops, shown
from train_matte.camera import Camera
from train_matte.cutouts import SIDE as CUTOUT
from train_matte.looks import Looks
from train_matte.material import Material
from train_matte.shapes import Shapes

Cover = tuple[Tensor, Tensor, Tensor]  # which images of a batch something hides, its weight and its look


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Training images, in pixels of the network's window.

    Attributes
    ----------
    windows
        ``(N, 4, S, S)``, whole numbers 0 … 255: RGB and the drawing of the landmarks.
    alpha
        ``(N, 1, S, S)``, 0 … 1: what the network should answer.
    valid
        ``(N, 1, S, S)``: 1 what lies in the image; beyond its border, 0, no answer counts.
    """

    windows: Tensor
    alpha: Tensor
    valid: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Hands:
    """Hands in pixels of their cutouts, with what they hold or meet."""

    pixels: Tensor
    points: Tensor
    other: Tensor
    is_thing: Tensor


class Composer:
    """Makes training images on the material's device.

    Each effect is drawn for a share of a batch, and for one image at least, so small batches see more.

    Parameters
    ----------
    material
        What the images are made of.
    side
        Width and height of the network's window in pixels, a multiple of 16.
    seed
        Images of different seeds have nothing in common but their material.
    """

    def __init__(self, material: Material, side: int, seed: int) -> None:
        self.material, self.side, self.seed = material, side, seed
        self.device = str(material.hands.device)
        self.chance = ops.Chance(self.device)
        self.shapes = Shapes(self.chance, side)
        self.looks = Looks(self.chance, side, material)
        self.camera = Camera(self.chance, side)

    @torch.no_grad()
    def batch(self, number: int, n: int) -> Batch:
        """Return `n` images of a number, 0 or more."""
        self.chance.begin(self.seed * 1_000_003 + number)
        c, side = self.chance, self.side
        hands = self._hands(n)
        given, toward, drawn = self._seen(hands.points)
        there = ops.move(toward, hands.points)
        image, alpha = self._put_together(hands, toward, there)
        image, alpha = self.camera.blurred(image, alpha)
        taken = self.camera.recorded(self.camera.developed(image))
        i = c.some(n, 0.25)  # a good camera
        taken = ops.put(taken, i, (image[i] + c.normal(0.006, len(i), 3, side, side)).clamp(0, 1))
        cutout = torch.ones(n, 1, CUTOUT, CUTOUT, device=self.device)
        known = ops.warped(cutout, toward, side, "zeros") >= 0.5
        whole = torch.cat([taken, alpha, ((alpha <= 0.002) | known).float()], 1)
        i = c.some(n, 0.6)
        whole = ops.put(whole, i, self.camera.framed(whole[i], there[i]))
        drawing = shown.drawing(ops.move(toward, given), side) * ops.plane(drawn.float())
        windows = torch.cat([whole[:, :3], drawing], 1).mul(255).add(0.5).floor().clamp(0, 255)
        valid = (whole[:, 4:] > 0.99).float()
        return Batch(windows=windows, alpha=whole[:, 3:4].clamp(0, 1), valid=valid)

    def _hands(self, n: int) -> _Hands:
        material, c = self.material, self.chance
        which = torch.multinomial(material.share, n, replacement=True, generator=c.generator)
        hand, points, at = (
            material.hands[which].float() / 255,
            material.landmarks[which],
            material.other[which],
        )
        other = material.others[at.clamp(min=0)].float() / 255
        other[:, 3] *= ops.column((at >= 0).float())
        mirrored = c.uniform(0, 1, n) < 0.5
        flipped = torch.stack([CUTOUT - points[..., 0], points[..., 1]], -1)
        return _Hands(
            pixels=torch.where(ops.plane(mirrored), hand.flip(3), hand),
            points=torch.where(mirrored[:, None, None], flipped, points),
            other=torch.where(ops.plane(mirrored), other.flip(3), other),
            is_thing=material.thing[which],
        )

    def _seen(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the landmarks as a detector gives them, the window's map, and whose landmarks are drawn."""
        c, n, side = self.chance, len(points), self.side
        kind = c.uniform(0, 1, n)
        boxed, blind = kind < 0.09, (kind >= 0.09) & (kind < 0.14)
        spread = ops.constant((0.015, 0.03, 0.06), self.device)[c.whole(3, n)][:, None, None]
        error = c.normal(1, n, 21, 2) * spread + c.normal(0.03, n, 1, 2)
        given = points + shown.palm_length(points)[:, None, None] * error
        half = torch.full((n, 2), side / 2, device=self.device)
        scale = c.normal(0.1, n).exp()
        shaken = ops.chain(
            shown.window(given, side),
            ops.moving(-half),
            ops.scaling(scale * c.normal(0.05, n).exp(), scale),
            ops.turning(c.normal(0.2, n)),
            ops.moving(half + c.normal(0.04 * side, n, 2)),
        )
        turned = ops.turning(c.uniform(0, ops.TAU, n))
        box = shown.window_of_box(points, turned, c.uniform(-0.03, 0.15, n, 4), side)
        return given, torch.where(boxed[:, None, None], box, shaken), ~(boxed | blind)

    def _put_together(self, hands: _Hands, toward: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Return image and alpha of hands before, behind and with other things."""
        c, n, looks = self.chance, len(there), self.looks
        layer = ops.warped(hands.pixels, toward, self.side)
        colour, alpha = self.camera.relit(layer[:, :3]), layer[:, 3:]
        light = (colour / layer[:, :3].clamp(min=0.03)).clamp(0, 3)
        back = self._met(self._behind(colour, alpha), hands, toward, light)
        i = c.some(n, 0.22)  # a flat object in the hand or behind all of it
        thing, fingers = self.shapes.held(there[i])
        goods = looks.goods(len(i))
        back = ops.put(back, i, ops.over(back[i], goods, thing))
        k = c.some(len(i), 0.6)
        covers: list[Cover] = [(i[k], thing[k] * (1 - fingers[k]), goods[k])]
        i = c.some(n, 0.35)
        back = ops.put(back, i, ops.blurred(back[i], c.log_uniform(0.5, 6, len(i))))
        i = c.some(n, 0.45)
        back = ops.put(back, i, back[i] * self.camera.shadow(alpha[i]))
        i = c.some(n, 0.10)  # a watch or band is part of the arm
        band = self.shapes.watch(there[i])
        colour = ops.put(colour, i, ops.over(colour[i], looks.clothing(len(i)), band))
        i = c.some(n, 0.3)  # light of the background around the edge
        inner = ops.blurred(1 - alpha[i], c.uniform(1, 4, len(i))) * ops.plane(c.uniform(0, 0.6, len(i)))
        glow = ops.blurred(back[i], torch.full((len(i),), 3.0, device=self.device))
        colour = ops.put(colour, i, ops.over(colour[i], glow, inner))
        image = ops.over(back, colour, alpha)
        for i, weight, look in covers + self._before(colour, alpha, there):
            image = ops.put(image, i, ops.over(image[i], look, weight))
            alpha = ops.put(alpha, i, alpha[i] * (1 - weight))
        return image, alpha

    def _before(self, colour: Tensor, alpha: Tensor, there: Tensor) -> list[Cover]:
        """Return what hides parts of hands: other hands, sleeves, and things across them."""
        c, n = self.chance, len(there)
        i = c.some(n, 0.06)
        hand = (i, *self._another(colour[i], alpha[i]))
        i = c.some(n, 0.38)
        sleeve = (i, self.shapes.sleeve(there[i], alpha[i]), self.looks.sleeve_cloth(len(i)))
        i = c.some(n, 0.08)
        return [hand, sleeve, (i, self.shapes.occluder(there[i]), self.looks.goods(len(i)))]

    def _behind(self, colour: Tensor, alpha: Tensor) -> Tensor:
        c, n, looks = self.chance, len(colour), self.looks
        back = looks.piece(n)
        i = c.some(n, 0.14)
        back = ops.put(back, i, looks.surface(len(i)))
        i = c.some(n, 0.2)  # something in front of something
        front = looks.piece(len(i))
        k = c.some(len(i), 0.3)
        front = ops.put(front, k, looks.surface(len(k)))
        back = ops.put(back, i, ops.over(back[i], front, self.shapes.blob(len(i))))
        i = c.some(n, 0.12)  # the same colours as the hand's
        back = ops.put(back, i, looks.tinted(back[i], colour[i], alpha[i]))
        i = c.some(n, 0.22)  # a shoulder, a face, another's arm
        skin = looks.tinted(looks.surface(len(i)), colour[i], alpha[i])
        back = ops.put(back, i, ops.over(back[i], skin, self.shapes.blob(len(i))))
        i = c.some(n, 0.3)
        weight, look = self._another(colour[i], alpha[i])
        back = ops.put(back, i, ops.over(back[i], look, weight))
        i = c.some(n, 0.1)
        return ops.put(back, i, looks.printed(back[i]))

    def _met(self, back: Tensor, hands: _Hands, toward: Tensor, light: Tensor) -> Tensor:
        """Return the background with what the renders' hands hold or meet, under the hands' light."""
        its = ops.warped(hands.other, toward, self.side)
        goods = (self.looks.goods(len(back)) * (its[:, :3] * 1.25)).clamp(0, 1)
        skin = (its[:, :3] * light).clamp(0, 1)
        return ops.over(back, torch.where(ops.plane(hands.is_thing), goods, skin), its[:, 3:])

    def _another(self, colour: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and look of hands that are not asked for, at times of the same person."""
        c, n, side = self.chance, len(colour), self.side
        hands = self._hands(n)
        middle = (hands.points.amin(1) + hands.points.amax(1)) / 2
        angle, off = c.uniform(0, ops.TAU, n), c.uniform(0.22, 0.75, n) * side
        toward = ops.chain(
            ops.moving(-middle),
            ops.scaling(c.log_uniform(0.35, 1.1, n) * side / CUTOUT),
            ops.turning(c.uniform(0, ops.TAU, n)),
            ops.moving(side / 2 + off[:, None] * torch.stack([angle.cos(), angle.sin()], 1)),
        )
        layer = ops.warped(hands.pixels, toward, side)
        look, weight = layer[:, :3], layer[:, 3:]
        i = c.some(n, 0.6)
        return weight, ops.put(look, i, self.looks.tinted(look[i], colour[i], alpha[i], weight[i]))
