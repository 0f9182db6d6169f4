"""Other views of a picture, in which a hand may be easier to find."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from handprep import geometry
from handprep.configurable import Configurable, check_choice, check_range
from handprep.errors import InputError
from handprep.geometry import Affine
from handprep.sample import Image


def _brightened(image: Image) -> Image:
    return np.asarray(cv2.LUT(image, BRIGHTER), np.uint8)


BRIGHTER = np.rint(255 * (np.arange(256) / 255) ** 0.5).astype(np.uint8)  # gamma 0.5


def _equalised(image: Image) -> Image:
    lab: Any = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    local = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8))
    lab[..., 0] = local.apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _balanced(image: Image) -> Image:
    """Stretch each channel to its full range, which takes away a tint as well as haze."""
    low, high = np.percentile(image.reshape(-1, 3)[::7], (1, 99), axis=0)
    stretched = (image - low) * (255 / np.maximum(high - low, 20))
    return np.asarray(np.clip(stretched, 0, 255), np.uint8)


def _smoothed(image: Image) -> Image:
    """Take noise away, and detail that the networks' bilinear sampling would turn into noise."""
    return np.asarray(cv2.GaussianBlur(cv2.medianBlur(image, 5), (0, 0), 1.5), np.uint8)


def _swapped(image: Image) -> Image:
    return np.ascontiguousarray(image[..., ::-1])


def _skin_toned(image: Image) -> Image:
    """Colour the greys as skin: for grey pictures and such of a single strong colour."""
    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(np.clip(grey[..., None] * SKIN, 0, 255), np.uint8)


SKIN = np.array([1.25, 0.97, 0.82], np.float32)

LIGHTS: dict[str, Callable[[Image], Image]] = {
    "as-is": lambda image: image,
    "brightened": _brightened,
    "equalised": _equalised,
    "balanced": _balanced,
    "smoothed": _smoothed,
    "swapped": _swapped,
    "skin-toned": _skin_toned,
}


def lit(image: Image, light: str) -> Image:
    """Return a picture in another light.

    Parameters
    ----------
    image
        uint8 ``(H, W, 3)`` RGB.
    light
        One or more of `LIGHTS`, the last one applied first: ``"balanced smoothed"`` smooths, then balances.
    """
    for word in reversed(light.split()):
        image = LIGHTS[word](image)
    return image


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Configurable):
    """One other way to look at a picture.

    Parameters
    ----------
    light
        What is done to its colours: one or more of `LIGHTS`, as for `lit`.
    pad
        Share of the long side that is added on every side, continuing the edge pixels.
    turn
        Degrees, clockwise.
    mirror
        Whether it is mirrored left to right.
    whole
        Whether to skip the palm network and take the whole picture for the hand's region, turned by
        `turn` (see MediaPipe issue 3779). Only for detectors whose landmark network can be pointed.
    presence
        Presence, 0 to 1, from which what is seen in this view is believed.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Examples
    --------
    >>> View(light="brightened", pad=0.5, turn=90).name
    'brightened, padded 0.5, turned 90'
    """

    light: str = "as-is"
    pad: float = 0.0
    turn: int = 0
    mirror: bool = False
    whole: bool = False
    presence: float = 0.7

    def __post_init__(self) -> None:
        if not isinstance(self.light, str):
            raise InputError(f"light must be words such as 'brightened', not {self.light!r}")
        for word in self.light.split() or [self.light]:
            check_choice("light", word, tuple(LIGHTS))
        check_range("pad", self.pad, 0, 4)
        check_range("turn", self.turn, -360, 360)
        check_range("presence", self.presence, 0, 1)

    @property
    def name(self) -> str:
        """The view in words; every `Hand` found in it carries them."""
        words = [
            self.light if self.light != "as-is" else "",
            "whole picture" if self.whole else "",
            f"padded {self.pad:g}" if self.pad else "",
            f"turned {self.turn}" if self.turn else "",
            "mirrored" if self.mirror else "",
        ]
        return ", ".join(filter(None, words)) or "as-is"

    def show(self, image: Image) -> tuple[Image, Affine]:
        """Return the picture padded, turned and mirrored, and the map from the given picture to it.

        Parameters
        ----------
        image
            uint8 ``(H, W, 3)``, in this view's light already.
        """
        height, width = image.shape[:2]
        radians = math.radians(self.turn)
        c, s = abs(math.cos(radians)), abs(math.sin(radians))
        border = 2 * self.pad * max(width, height)
        new_width, new_height = round(width * c + height * s + border), round(width * s + height * c + border)
        forward = geometry.compose(
            geometry.translation(-width / 2, -height / 2),
            geometry.rotation(radians),
            geometry.scaling(-1 if self.mirror else 1, 1),
            geometry.translation(new_width / 2, new_height / 2),
        )
        shown: Any = cv2.warpAffine(
            image,
            geometry.in_pixel_centres(forward),
            (new_width, new_height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE if self.pad else cv2.BORDER_CONSTANT,
        )
        return shown, forward
