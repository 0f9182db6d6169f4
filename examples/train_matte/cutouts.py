"""Hands cut out of their images: one size, colour and alpha, with landmarks; kept in shards on disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from handprep import geometry

SIDE = 256  # pixels of a cutout
QUALITY, QUALITY_OF_ALPHA = 88, 92  # of WebP
REACH = 2.4  # side of the window around a hand, in long sides of its landmarks' box

Rgba = NDArray[np.uint8]  # (H, W, 4) colour, not premultiplied, and alpha
Landmarks = NDArray[np.float32]  # (21, 2) pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """A hand cut out of its image.

    Attributes
    ----------
    pixels
        uint8 ``(SIDE, SIDE, 4)``: colour, also a little beyond the hand's edge, and alpha.
    landmarks
        float32 ``(21, 2)`` pixels of the cutout.
    group
        Whose hand this is, such as ``"cgi/03"``; `heldout` goes by it.
    other
        uint8 ``(SIDE, SIDE, 4)``, what the hand holds or meets, also where the hand hides it; or None.
    kind
        ``"thing"`` or ``"hand"``: what `other` is; else ``"plain"``.
    """

    pixels: Rgba
    landmarks: Landmarks
    group: str
    other: Rgba | None = None
    kind: str = "plain"


def cut(colour: NDArray[np.uint8], alpha: NDArray[np.uint8], landmarks: Landmarks) -> tuple[Rgba, Landmarks]:
    """Return the window around a hand, and its landmarks there.

    What lies outside of the image continues its border, so that a forearm that leaves the image
    leaves the window too.
    """
    x0, y0, x1, y1 = geometry.enclosing_box(landmarks)
    side = REACH * max(x1 - x0, y1 - y0, 8.0)
    scale = SIDE / side
    corner = geometry.translation(side / 2 - (x0 + x1) / 2, side / 2 - (y0 + y1) / 2)
    forward = geometry.compose(corner, geometry.scaling(scale, scale))
    picture = np.dstack([spread(colour, alpha), alpha])
    if scale < 0.7:  # else bilinear warping would skip pixels
        sigma = 0.35 / scale
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    window = cv2.warpAffine(
        picture,
        geometry.in_pixel_centres(forward),
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return window.astype(np.uint8), geometry.apply(forward, landmarks).astype(np.float32)


def spread(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with the hand's own colours continued beyond its edge, over the old background."""
    sure = (alpha > 250).astype(np.float32)
    filled = np.where(sure[..., None] > 0, colour, 0).astype(np.float32)
    result, weight = filled.copy(), sure.copy()
    for sigma in (1.5, 4.0, 12.0):
        near = cv2.GaussianBlur(sure, (0, 0), sigma)
        mean = cv2.GaussianBlur(filled, (0, 0), sigma) / np.maximum(near, 1e-4)[..., None]
        take = (weight == 0) & (near > 1e-2)
        result[take], weight[take] = mean[take], 1
    return np.clip(result, 0, 255).astype(np.uint8)


def save(path: Path, cutouts: list[Cutout]) -> None:
    """Write a shard, whole or not at all: WebP codes, one after the other."""
    layers = [_code(layer) for one in cutouts for layer in (one.pixels, one.other)]
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
        np.savez(
            file,
            codes=np.frombuffer(b"".join(layers), np.uint8),
            sizes=np.array([len(layer) for layer in layers]),
            landmarks=np.stack([one.landmarks for one in cutouts]),
            groups=np.array([one.group for one in cutouts]),
            kinds=np.array([one.kind for one in cutouts]),
        )
    part.replace(path)


def load(folder: Path) -> Iterator[Cutout]:
    """Yield the cutouts of a folder's shards, by name."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as shard:
            codes, sizes, landmarks = shard["codes"].tobytes(), shard["sizes"], shard["landmarks"]
            groups, kinds = shard["groups"], shard["kinds"]
        ends = np.cumsum(sizes)
        layers = [codes[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        for number in range(len(landmarks)):
            pixels, other = (_pixels(layer) for layer in layers[2 * number : 2 * number + 2])
            assert pixels is not None
            yield Cutout(
                pixels=pixels,
                landmarks=landmarks[number],
                group=str(groups[number]),
                other=other,
                kind=str(kinds[number]),
            )


def _code(pixels: Rgba | None) -> bytes:
    if pixels is None:
        return b""
    file = io.BytesIO()
    image = PIL.Image.fromarray(pixels)
    image.save(file, "WEBP", quality=QUALITY, alpha_quality=QUALITY_OF_ALPHA, method=4, exact=True)
    return file.getvalue()


def _pixels(code: bytes) -> Rgba | None:
    if not code:
        return None
    return np.asarray(PIL.Image.open(io.BytesIO(code)).convert("RGBA"))
