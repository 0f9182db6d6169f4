"""Other views of an image, in which a hand may be easier to find."""

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
from handprep.images.arrays import resized
from handprep.sample import Image

BRIGHTER = np.rint(255 * (np.arange(256) / 255) ** 0.5).astype(np.uint8)  # gamma 0.5


def _equalised(image: Image) -> Image:
    lab: Any = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    local = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8))
    lab[..., 0] = local.apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _balanced(image: Image) -> Image:
    """Stretch each channel to its full range, which removes a tint as well as haze."""
    low, high = np.percentile(image.reshape(-1, 3)[::13], (1, 99), axis=0)
    levels = (np.arange(256)[:, None] - low) * (255 / np.maximum(high - low, 20))
    return np.asarray(cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)[None]), np.uint8)


def _smoothed(image: Image) -> Image:
    """Remove noise, and detail that the networks' bilinear sampling would turn into noise."""
    kernel, sigma = (5, 1.5) if max(image.shape) > FINE else (3, 0.8)
    return np.asarray(cv2.GaussianBlur(cv2.medianBlur(image, kernel), (0, 0), sigma), np.uint8)


FINE = 400  # pixels of the long side, from which on twice as wide a kernel smooths as much


def _skin_toned(image: Image) -> Image:
    """Colour the greys as skin: for grey images and such of a single strong colour."""
    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(np.clip(grey[..., None] * SKIN_COLOUR, 0, 255), np.uint8)


SKIN_COLOUR = np.array([1.25, 0.97, 0.82], np.float32)

LIGHTS: dict[str, Callable[[Image], Image]] = {
    "as-is": lambda image: image,
    "brightened": lambda image: np.asarray(cv2.LUT(image, BRIGHTER), np.uint8),
    "equalised": _equalised,
    "balanced": _balanced,
    "smoothed": _smoothed,
    "swapped": lambda image: np.ascontiguousarray(image[..., ::-1]),
    "skin-toned": _skin_toned,
}


def recolour(image: Image, light: str) -> Image:
    """Return an image in another light: one or more of `LIGHTS`, of which the last one is applied first."""
    for word in reversed(light.split()):
        image = LIGHTS[word](image)
    return image


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Configurable):
    """Another way to look at an image.

    Parameters
    ----------
    light
        What is done to its colours: one or more of `LIGHTS`, as for `recolour`.
    pad
        Share of the long side that is added on every side, continuing the edge pixels.
    turn
        Degrees, clockwise.
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
            f"padded {self.pad:g}" if self.pad else "",
            f"turned {self.turn}" if self.turn else "",
        ]
        return ", ".join(filter(None, words)) or "as-is"

    def show(self, image: Image, side: int) -> tuple[Image, Affine]:
        """Return an image, in this view's light already, padded and turned in a square, and the map to it.

        The square has `side` pixels on a side and is black where the padding does not reach.
        """
        height, width = image.shape[:2]
        quarters = -self.turn // 90 % 4 if self.turn % 90 == 0 else 0
        turned = np.ascontiguousarray(np.rot90(image, quarters))
        rest = math.radians(0 if quarters else self.turn)
        c, s = abs(math.cos(rest)), abs(math.sin(rest))
        high, wide = turned.shape[:2]
        factor = side / (max(wide * c + high * s, wide * s + high * c) + 2 * self.pad * max(wide, high))
        size = max(1, round(wide * factor)), max(1, round(high * factor))
        placed = geometry.compose(
            geometry.translation(-size[0] / 2, -size[1] / 2),
            geometry.rotation(rest),
            geometry.translation(*((side + (length - side) % 2) / 2 for length in size)),  # whole pixels
        )
        shown: Any = cv2.warpAffine(
            resized(turned, size),
            geometry.in_pixel_centres(placed),
            (side, side),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE if self.pad else cv2.BORDER_CONSTANT,
        )
        forward = geometry.compose(
            geometry.translation(-width / 2, -height / 2),
            geometry.rotation(-quarters * math.pi / 2),
            geometry.translation(wide / 2, high / 2),
            geometry.scaling(size[0] / wide, size[1] / high),
            placed,
        )
        return shown, forward


# The presence that views must show: in the image's own colours, in changed ones, in greys made skin.
OWN, CHANGED, SKIN = 0.6, 0.7, 0.8
# Each row is one sheet: views that share one run of the palm network. docs/explanation/search.md has what
# each brings.
VIEWS: tuple[tuple[View, ...], ...] = (
    (
        View(light="brightened smoothed", pad=0.4, presence=CHANGED),
        View(light="balanced smoothed", pad=0.4, presence=CHANGED),
        View(light="swapped smoothed", pad=0.4, presence=CHANGED),
        View(light="smoothed", pad=0.15, turn=45, presence=OWN),
        View(light="smoothed", pad=0.15, turn=-45, presence=OWN),
        View(light="swapped balanced smoothed", pad=0.15, presence=CHANGED),
        View(light="balanced smoothed", pad=0.15, turn=90, presence=CHANGED),
        View(light="balanced smoothed", pad=0.15, turn=180, presence=CHANGED),
        View(light="balanced smoothed", pad=0.15, turn=-90, presence=CHANGED),
    ),
    (View(light="brightened smoothed", pad=0.4, presence=CHANGED),),
)
FURTHER: tuple[tuple[View, ...], ...] = (
    (
        View(light="smoothed", pad=0.15, presence=OWN),
        View(light="balanced smoothed", pad=0.15, presence=CHANGED),
        View(light="swapped smoothed", pad=0.15, presence=CHANGED),
        View(light="brightened smoothed", pad=0.15, presence=CHANGED),
    ),
    (
        View(light="skin-toned balanced smoothed", pad=0.15, presence=SKIN),
        View(light="equalised smoothed", pad=0.15, presence=CHANGED),
        View(light="brightened smoothed", pad=0.15, turn=180, presence=CHANGED),
        View(light="smoothed", pad=0.15, turn=90, presence=OWN),
    ),
    (View(light="smoothed", pad=0.4, presence=OWN),),
)


def tile_sides(length: int, count: int) -> list[tuple[int, int]]:
    """Return where so many overlapping tiles start and end along a side of an image.

    Each shares `OVERLAP` of its length with the next one.
    """
    tile = length / (count - (count - 1) * OVERLAP)
    starts = [index * tile * (1 - OVERLAP) for index in range(count)]
    return [(int(start), min(length, math.ceil(start + tile))) for start in starts]


OVERLAP = 0.3  # a hand of up to this share of a tile lies in one of them as a whole
