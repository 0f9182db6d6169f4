"""Training pictures: number n is made of a hand, a background and chance, and is always the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.geometry import Affine
from handprep.sample import Hand
from handprep.segmentation import framing, prior
from train_matte import bank, camera, cutouts, foreign
from train_matte.foreign import Array, Rng
from train_matte.heldout import is_held_out

SHARES = {"renders": 0.42, "cgi": 0.23, "cgi-test": 0.23, "hands": 0.2, "custom": 0.1}  # of pictures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """One training picture, in pixels of the network's window.

    Attributes
    ----------
    image
        uint8 ``(S, S, 4)``: RGB and the drawing of the landmarks.
    alpha
        uint8 ``(S, S)``: what the network should answer.
    valid
        bool ``(S, S)``: what lies in the picture; beyond its border no answer counts.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    valid: NDArray[np.bool_]


class Composer:
    """Makes training pictures from the folders ``renders``, ``keyed`` and ``scenes`` of a data folder.

    Parameters
    ----------
    data
        The folder.
    side
        Width and height of the network's window in pixels.
    seed
        Pictures of different seeds have nothing in common but their material.
    held_out
        Whether to use what `heldout` keeps for evaluation, and only this, or everything else.
    """

    def __init__(self, data: Path, side: int, seed: int, *, held_out: bool = False) -> None:
        self.side, self.seed = side, seed
        shards = [shard for part in ("renders", "keyed") for shard in cutouts.load(data / part)]
        self.groups = np.concatenate([shard.groups for shard in shards])
        self.shard = np.repeat(np.arange(len(shards)), [len(shard.groups) for shard in shards])
        self.within = np.concatenate([np.arange(len(shard.groups)) for shard in shards])
        self.shards = shards
        wanted = np.array([is_held_out(group) == held_out for group in self.groups])
        kinds = np.array([group.split("/")[0] for group in self.groups])
        self.by_kind = {k: np.flatnonzero(wanted & (kinds == k)) for k in SHARES}
        self.by_kind = {kind: numbers for kind, numbers in self.by_kind.items() if len(numbers)}
        shares = np.array([SHARES[kind] for kind in self.by_kind])
        self.shares = shares / shares.sum()
        self.scenes = [s.image for s in bank.load(data / "scenes") if is_held_out(s.group) == held_out]

    def example(self, number: int) -> Example:
        """Return the picture of a number, 0 or more."""
        rng = np.random.default_rng([self.seed, number])
        rgba, hand = self._hand(rng)
        seen, toward, turn = _shown(hand, self.side, rng)
        image, alpha = self._put_together(rgba, hand, toward, rng)
        image, alpha = camera.blurred(image, alpha, rng)
        pixels = camera.recorded(camera.developed(image, rng), rng)
        alpha8 = np.clip(alpha * 255 + 0.5, 0, 255).astype(np.uint8)
        valid = ~((alpha8 > 0) & _beyond(toward, self.side))
        if rng.random() < 0.6:
            pixels, alpha8, inside = _framed(pixels, alpha8, hand.transformed(toward), turn, rng)
            valid &= inside
        drawn = framing.drawing(seen, self.side)
        return Example(image=np.dstack([pixels, drawn]), alpha=alpha8, valid=valid)

    def _hand(self, rng: Rng) -> tuple[cutouts.Rgba, Hand]:
        """Return a random hand, mirrored half the time."""
        kind = list(self.by_kind)[rng.choice(len(self.by_kind), p=self.shares)]
        number = self.by_kind[kind][rng.integers(len(self.by_kind[kind]))]
        shard, within = self.shards[self.shard[number]], self.within[number]
        pixels, landmarks = shard.pixels[within], shard.landmarks[within]
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
            landmarks = geometry.apply(geometry.mirroring(pixels.shape[1]), landmarks).astype(np.float32)
        return pixels, Hand(box=geometry.enclosing_box(landmarks), score=1.0, landmarks=landmarks)

    def _put_together(self, rgba: cutouts.Rgba, hand: Hand, toward: Affine, rng: Rng) -> tuple[Array, Array]:
        """Return the picture in the window, and how much of each pixel is hand."""
        side = self.side
        there = hand.transformed(toward).landmarks
        colour, alpha = _warped(rgba, toward, side)
        colour = _relit(colour, alpha, rng)
        back, covers = self._behind(colour, alpha, rng), []
        if rng.random() < 0.4:  # an object, in the hand or behind all of it
            thing, fingers = foreign.held(there, side, rng)
            goods = self._goods(side, rng)
            back = goods * thing[..., None] + back * (1 - thing[..., None])
            if rng.random() < 0.6:
                covers.append((thing * (1 - fingers), goods))
        if rng.random() < 0.4:
            back = cv2.GaussianBlur(back, (0, 0), np.exp(rng.uniform(np.log(0.5), np.log(6))))
        if rng.random() < 0.45:
            back = back * foreign.shadow(alpha, rng)[..., None]
        if rng.random() < 0.12:
            band = (foreign.watch(there, side, rng) * (alpha > 0.1))[..., None]
            colour = colour * (1 - band) + foreign.clothing(self.scenes, side, rng) * band
        if rng.random() < 0.3:  # light of the background around the edge
            inner = cv2.GaussianBlur(1 - alpha, (0, 0), rng.uniform(1, 4))[..., None] * rng.uniform(0, 0.6)
            colour = colour * (1 - inner) + cv2.blur(back, (9, 9)) * inner
        image = colour * alpha[..., None] + back * (1 - alpha[..., None])
        if rng.random() < 0.06:  # another hand before this one
            covers.append(self._another_hand(colour, alpha, rng))
        if rng.random() < 0.35:
            covers.append((foreign.sleeve(there, side, rng), foreign.clothing(self.scenes, side, rng)))
        if rng.random() < 0.08:
            covers.append((foreign.occluder(there, side, rng), self._goods(side, rng)))
        for cover, cloth in covers:
            image = image * (1 - cover[..., None]) + cloth * cover[..., None]
            alpha = alpha * (1 - cover)
        return image.astype(np.float32), alpha.astype(np.float32)

    def _behind(self, colour: Array, alpha: Array, rng: Rng) -> Array:
        """Return the background, with what in it looks like a hand."""
        back = foreign.scene(self.scenes, self.side, rng)
        if rng.random() < 0.12:  # the same colours as the hand's
            back = _tinted(back, colour, alpha, rng)
        if rng.random() < 0.2:  # a shoulder, a face, another's arm
            skin = _tinted(foreign.surface(self.side, rng), colour, alpha, rng)
            shape = foreign.blob(self.side, rng)[..., None]
            back = skin * shape + back * (1 - shape)
        if rng.random() < 0.3:
            its_alpha, other = self._another_hand(colour, alpha, rng)
            back = other * its_alpha[..., None] + back * (1 - its_alpha[..., None])
        return foreign.printed(back, rng) if rng.random() < 0.1 else back

    def _goods(self, side: int, rng: Rng) -> Array:
        """Return the look of an object: as cloth has it, white, or of skin's colour; at times with text."""
        kind = rng.random()
        if kind < 0.25:
            goods = np.full((side, side, 3), rng.uniform(170, 255), np.float32)
            goods = goods * foreign.gradient(side, 0.4, rng)[..., None]
        else:
            goods = foreign.surface(side, rng) if kind < 0.4 else foreign.clothing(self.scenes, side, rng)
        return foreign.printed(goods, rng) if rng.random() < 0.3 else goods

    def _another_hand(self, colour: Array, alpha: Array, rng: Rng) -> tuple[Array, Array]:
        """Return the alpha of a hand that is not asked for, at times of the same person, and its colours."""
        rgba, hand = self._hand(rng)
        scale = np.exp(rng.uniform(np.log(0.35), np.log(1.1))) * self.side / cutouts.SIDE
        angle = rng.uniform(0, 2 * np.pi)
        off = rng.uniform(0.22, 0.75) * self.side
        centre = self.side / 2 + off * np.array([np.cos(angle), np.sin(angle)])
        x0, y0, x1, y1 = hand.box
        toward = geometry.compose(
            geometry.translation(-(x0 + x1) / 2, -(y0 + y1) / 2),
            geometry.scaling(scale, scale),
            geometry.rotation(rng.uniform(0, 2 * np.pi)),
            geometry.translation(*centre),
        )
        other, its_alpha = _warped(rgba, toward, self.side)
        if rng.random() < 0.6:
            other = _tinted(other, colour, alpha, rng)
        return its_alpha, other


def _shown(hand: Hand, side: int, rng: Rng) -> tuple[Hand, Affine, float]:
    """Return the hand as a detector would give it, in the window; the window's map; and its turn."""
    length = prior.palm_length(hand)
    kind = rng.random()
    if kind < 0.1:  # a box alone, in a picture that is turned by any angle
        turn = rng.uniform(0, 2 * np.pi)
        turned = geometry.rotation(turn)
        x0, y0, x1, y1 = hand.transformed(turned).box
        room = rng.uniform(-0.03, 0.15, 4) * max(x1 - x0, y1 - y0)
        given = Hand(box=(x0 - room[0], y0 - room[1], x1 + room[2], y1 + room[3]), score=1.0)
        toward = geometry.compose(turned, framing.window(given, side))
        return given, toward, 0.0
    error = rng.normal(0, rng.choice([0.015, 0.03, 0.06]), (21, 2)) + rng.normal(0, 0.03, 2)
    given = replace(hand, landmarks=(hand.landmarks + length * error).astype(np.float32))
    given = replace(given, box=geometry.enclosing_box(given.landmarks))
    toward = _shaken(framing.window(given, side), side, rng)
    seen = given.transformed(toward)
    if kind < 0.16:
        seen = replace(seen, landmarks=None)
    return seen, toward, rng.uniform(0, 2 * np.pi)


def _shaken(toward: Affine, side: int, rng: Rng) -> Affine:
    """Return a window that is slightly off: turned, moved, larger or smaller."""
    half = side / 2
    scale = np.exp(rng.normal(0, 0.1))
    return geometry.compose(
        toward,
        geometry.translation(-half, -half),
        geometry.scaling(scale * np.exp(rng.normal(0, 0.05)), scale),
        geometry.rotation(rng.normal(0, 0.2)),
        geometry.translation(*(half + rng.normal(0, 0.04 * side, 2))),
    )


def _warped(rgba: cutouts.Rgba, toward: Affine, side: int) -> tuple[Array, Array]:
    matrix = geometry.in_pixel_centres(toward)
    warped = cv2.warpAffine(
        rgba, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    return warped[..., :3], warped[..., 3] / np.float32(255)


def _beyond(toward: Affine, side: int) -> NDArray[np.bool_]:
    """Return where the window shows what lies outside of the cutout: a guess, if it is forearm."""
    inside = np.ones((cutouts.SIDE, cutouts.SIDE), np.uint8)
    return np.asarray(cv2.warpAffine(inside, geometry.in_pixel_centres(toward), (side, side)) == 0)


def _relit(colour: Array, alpha: Array, rng: Rng) -> Array:
    """Return the hand with another skin tone and another light."""
    colour = colour / 255
    if rng.random() < 0.08:  # against the light
        colour = colour * np.float32(rng.uniform(0.1, 0.45))
    if rng.random() < 0.5:
        colour = cv2.pow(np.clip(colour, 0, 1), float(np.exp(rng.normal(0, 0.35))))
    if rng.random() < 0.6:
        colour = colour * np.exp(rng.normal(0, 0.18) + rng.normal(0, 0.07, 3)).astype(np.float32)
    if rng.random() < 0.5:
        colour = colour * foreign.gradient(colour.shape[0], 0.6, rng)[..., None]
    if rng.random() < 0.2:
        light = foreign.noise(colour.shape[0], rng.uniform(15, 80), rng)
        colour = colour * (rng.uniform(0.4, 1) + 0.6 * light)[..., None]
    return np.clip(colour, 0, 1) * np.float32(255)


def _tinted(image: Array, like: Array, weight: Array, rng: Rng) -> Array:
    """Return a picture with about the mean colour that another has where its weight is high."""
    inside = like[weight > 0.9]
    if len(inside) < 20:
        return image
    target = inside.mean(0) + rng.normal(0, 12, 3)
    contrast = rng.uniform(0.3, 1.0)
    return np.clip(
        (image - np.array(cv2.mean(image)[:3], np.float32)) * np.float32(contrast) + target, 0, 255
    ).astype(np.float32)


def _framed(
    pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], hand: Hand, turn: float, rng: Rng
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return picture and alpha as if the photo ended near the hand, with its border continued beyond."""
    side = pixels.shape[0]
    turned = geometry.rotation(turn)
    x0, y0, x1, y1 = geometry.apply_to_box(geometry.identity(), hand.transformed(turned).box)
    far = rng.random(4) < 0.35
    margin = np.where(far, 10.0, rng.uniform(-0.02, 0.45, 4)) * max(x1 - x0, y1 - y0)
    least, most = (x0 - margin[0], y0 - margin[1]), (x1 + margin[2], y1 + margin[3])
    x, y = _grid(turned, *_pixels(side))
    valid = (x > least[0]) & (x < most[0]) & (y > least[1]) & (y < most[1])
    x = np.clip(x, np.float32(least[0] + 0.5), np.float32(most[0] - 0.5))
    y = np.clip(y, np.float32(least[1] + 0.5), np.float32(most[1] - 0.5))
    x, y = _grid(geometry.invert(turned), x, y)
    if rng.random() < 0.3:  # a bar around the photo, which shows nothing
        bar = rng.integers(0, 256) if rng.random() < 0.3 else rng.integers(0, 20)
        pixels = np.where(valid[..., None], pixels, np.uint8(bar))
        return pixels, np.where(valid, alpha, np.uint8(0)), np.ones_like(valid)
    both = cv2.remap(
        np.dstack([pixels, alpha]), x - 0.5, y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return both[..., :3], both[..., 3], valid


def _pixels(side: int) -> tuple[Array, Array]:
    steps = np.arange(side, dtype=np.float32) + np.float32(0.5)
    return steps[None, :], steps[:, None]


def _grid(matrix: Affine, x: Array, y: Array) -> tuple[Array, Array]:
    """Return the mapped x and y of a grid, as 32-bit floats."""
    (a, b, c), (d, e, f) = matrix.astype(np.float32)
    return a * x + b * y + c, d * x + e * y + f
