"""Placing a picture in a network's input of another shape: with its aspect kept, or stretched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from handprep import geometry
from handprep.geometry import Affine
from handprep.sample import Image

GREY = (114, 114, 114)  # what surrounds the picture in Ultralytics' LetterBox


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a picture comes to lie in a network's input, in pixels of that input.

    Attributes
    ----------
    picture
        Width and height of the picture as given.
    scaled
        Width and height to which it is scaled.
    left, top
        How many columns and rows of grey lie before it.
    whole
        Width and height of the input, grey included.
    """

    picture: tuple[int, int]
    scaled: tuple[int, int]
    left: int
    top: int
    whole: tuple[int, int]

    @property
    def to_picture(self) -> Affine:
        """The map from pixels of the input to pixels of the picture.

        Each side has its own factor, as each was rounded to whole pixels.
        """
        (width, height), (scaled_width, scaled_height) = self.picture, self.scaled
        return geometry.compose(
            geometry.translation(-self.left, -self.top),
            geometry.scaling(width / scaled_width, height / scaled_height),
        )

    def fill(self, image: Image) -> Image:
        """Return the input, uint8 ``(H, W, 3)``, for a picture of the placement's size."""
        if self.scaled != self.picture:
            scaled: Any = cv2.resize(image, self.scaled, interpolation=cv2.INTER_LINEAR)
            image = scaled
        if self.whole == self.scaled:
            return image
        filled = np.empty((self.whole[1], self.whole[0], 3), np.uint8)
        filled[:] = GREY
        filled[self.top : self.top + self.scaled[1], self.left : self.left + self.scaled[0]] = image
        return filled


def letterboxed(picture: tuple[int, int], size: tuple[int, int], stride: int | None = None) -> Placement:
    """Return where a picture lies with its aspect kept, as Ultralytics' LetterBox puts it.

    Parameters
    ----------
    picture
        Width and height of the picture.
    size
        Width and height of the largest input.
    stride
        None for an input of just that size. Else the grey is left away but for what makes each side a
        multiple of this many pixels, which networks with dynamic shapes allow (LetterBox's ``auto``).
    """
    factor = min(size[0] / picture[0], size[1] / picture[1])
    scaled = max(1, round(picture[0] * factor)), max(1, round(picture[1] * factor))
    grey = size[0] - scaled[0], size[1] - scaled[1]
    if stride is not None:
        grey = grey[0] % stride, grey[1] % stride
    left, top = (round(pixels / 2 - 0.1) for pixels in grey)  # of an odd number, one more lies behind
    whole = scaled[0] + grey[0], scaled[1] + grey[1]
    return Placement(picture=picture, scaled=scaled, left=left, top=top, whole=whole)


def stretched(picture: tuple[int, int], size: tuple[int, int]) -> Placement:
    """Return where a picture lies that is stretched to the whole input, as OpenCV's and Darknet's users do.

    Parameters
    ----------
    picture, size
        Width and height of the picture and of the input.
    """
    return Placement(picture=picture, scaled=size, left=0, top=0, whole=size)
