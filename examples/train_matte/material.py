"""What training images are made of, on the device that makes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handprep.errors import InputError
from train_matte import bank, cutouts
from train_matte.heldout import is_held_out

SHARES = {"renders": 0.54, "cgi": 0.2, "cgi-test": 0.2, "hands": 0.17, "custom": 0.09}  # of images
MOST_SHOWN = 0.0008  # of images show one hand: a kind of few hands is not learned by heart
SCENE = (400, 320)  # width and height of every background
TEXTS = 96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """Hands, what they hold or meet, backgrounds and lines of text.

    Attributes
    ----------
    hands
        uint8 ``(N, 4, 256, 256)``, as `cutouts.Cutout.pixels`.
    landmarks
        float32 ``(N, 21, 2)`` pixels of the hands.
    share
        float32 ``(N,)``: how often each is shown.
    other
        ``(N,)``: index into `others` of what each holds or meets; -1 for nothing.
    thing
        bool ``(N,)``: whether this is a thing; else it is a second hand.
    others
        uint8 ``(M, 4, 256, 256)``.
    scenes
        uint8 ``(K, 3, 320, 400)``.
    texts
        uint8 ``(96, 1, 256, 256)``: letters are 255.
    """

    hands: Tensor
    landmarks: Tensor
    share: Tensor
    other: Tensor
    thing: Tensor
    others: Tensor
    scenes: Tensor
    texts: Tensor


def load(data: Path, device: str, *, held_out: bool = False) -> Material:
    """Return the material of the folders ``renders``, ``keyed`` and ``scenes`` of a data folder.

    That is what `heldout` keeps for evaluation, and only this, or everything else. InputError says that
    there is none.
    """
    hands = [c for part in ("renders", "keyed") for c in cutouts.load(data / part)]
    hands = [hand for hand in hands if is_held_out(hand.group) == held_out]
    scenes = [s.image for s in bank.load(data / "scenes") if is_held_out(s.group) == held_out]
    if not hands or not scenes:
        raise InputError(f"{data} has {len(hands)} hands and {len(scenes)} backgrounds of this kind")
    kinds = [hand.group.split("/")[0] for hand in hands]
    numbers = Counter(kinds)
    shares = [min(SHARES[kind] / numbers[kind], MOST_SHOWN) for kind in kinds]
    others = [hand.other for hand in hands if hand.other is not None]
    places = np.cumsum([hand.other is not None for hand in hands]) - 1
    nothing = [hand.other is None for hand in hands]
    return Material(
        hands=_stacked([hand.pixels for hand in hands], device),
        landmarks=torch.from_numpy(np.stack([hand.landmarks for hand in hands])).to(device),
        share=torch.tensor(shares, device=device),
        other=torch.from_numpy(np.where(nothing, -1, places)).to(device),
        thing=torch.tensor([hand.kind == "thing" for hand in hands], device=device),
        others=_stacked(others or [np.zeros_like(hands[0].pixels)], device),
        scenes=_stacked([cv2.resize(s, SCENE, interpolation=cv2.INTER_AREA) for s in scenes], device),
        texts=_stacked([_text(np.random.default_rng(number)) for number in range(TEXTS)], device),
    )


def _stacked(images: list[NDArray[np.uint8]], device: str) -> Tensor:
    return torch.from_numpy(np.stack([image.transpose(2, 0, 1) for image in images])).to(device)


def _text(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return lines of random letters, 255 on 0."""
    drawn = np.zeros((256, 256, 1), np.uint8)
    size, font, thickness = np.exp(rng.uniform(np.log(0.3), np.log(2))), rng.integers(8), rng.integers(1, 4)
    for y in range(int(rng.integers(5, 30)), 290, max(9, int(30 * size * rng.uniform(0.9, 1.5)))):
        words = ["".join(map(chr, rng.integers(97, 123, rng.integers(2, 9)))) for _ in range(8)]
        at = int(rng.integers(-60, 30)), y
        cv2.putText(drawn, " ".join(words), at, int(font), float(size), 255, int(thickness), cv2.LINE_8)
    return drawn
