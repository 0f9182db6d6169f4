"""Backgrounds, shrunk and kept in shards on disk: a list of images of any shape, each with its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SHORT_SIDE = 320  # pixels
LONGEST = 2.5  # of the short side

Image = NDArray[np.uint8]  # (H, W, 3) RGB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A background and the name of where it is from, such as ``"tabler-ui"``."""

    image: Image
    group: str


def shrunk(image: Image) -> Image:
    """Return an image whose short side is at most `SHORT_SIDE`, its middle if it is very long."""
    height, width = image.shape[:2]
    short = min(height, width)
    trim_y, trim_x = (max(0, side - int(LONGEST * short)) // 2 for side in (height, width))
    image = image[trim_y : height - trim_y, trim_x : width - trim_x]
    factor = min(1.0, SHORT_SIDE / short)
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def save(path: Path, scenes: list[Scene]) -> None:
    """Write a shard, whole or not at all."""
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
        groups = np.array([scene.group for scene in scenes])
        images = {f"image{number:05d}": scene.image for number, scene in enumerate(scenes)}
        np.savez(file, groups=groups, **images)
    part.replace(path)


def load(folder: Path) -> Iterator[Scene]:
    """Yield the backgrounds of a folder's shards, by name."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as shard:
            for number, group in enumerate(shard["groups"]):
                yield Scene(image=shard[f"image{number:05d}"], group=str(group))
