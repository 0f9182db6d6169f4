"""Placing an image in a network's input of another shape: with its aspect kept, or stretched."""

from __future__ import annotations

import cv2
import numpy as np

from handprep import geometry
from handprep.geometry import Affine
from handprep.sample import Image

GREY = (114, 114, 114)  # what surrounds the image in Ultralytics' LetterBox


def letterbox(
    image: Image, size: tuple[int, int], *, stretch: bool = False, stride: int | None = None
) -> tuple[Image, Affine]:
    """Return a network's input as Ultralytics' LetterBox makes it, and the map back to the image.

    `size` is width and height. To `stretch` is to fill the input without keeping the aspect, as Darknet's own
    programs do. With a `stride`, only as much grey is added as makes each side a multiple of it (LetterBox's
    ``auto``), which networks with dynamic shapes allow.
    """
    height, width = image.shape[:2]
    factor = min(size[0] / width, size[1] / height)
    scaled = size if stretch else (max(1, round(width * factor)), max(1, round(height * factor)))
    grey = size[0] - scaled[0], size[1] - scaled[1]
    if stride is not None:
        grey = grey[0] % stride, grey[1] % stride
    left, top = (round(pixels / 2 - 0.1) for pixels in grey)  # of an odd number, one more lies behind
    if scaled != (width, height):
        image = np.asarray(cv2.resize(image, scaled, interpolation=cv2.INTER_LINEAR), np.uint8)
    filled = cv2.copyMakeBorder(
        image, top, grey[1] - top, left, grey[0] - left, cv2.BORDER_CONSTANT, value=GREY
    )
    to_image = geometry.compose(
        geometry.translation(-left, -top),
        geometry.scaling(width / scaled[0], height / scaled[1]),  # each side was rounded to whole pixels
    )
    return np.asarray(filled, np.uint8), to_image
