"""Resize with padding: one size for all images, nothing stretched, nothing cut off."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.configurable import check_choice, check_colour, check_size
from handprep.images.arrays import resized
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.compositing import resampled
from handprep.transforms.greyscale import LUMA

MOST_PIXELS = 16_384  # a side; beyond it a mistyped size would ask for gigabytes
INTERPOLATIONS = {
    "auto": None,
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}


@dataclass(frozen=True, slots=True)
class ResizePad(Transform):
    """Scale an image to fit a size, keeping its aspect, and pad the rest evenly (letterbox).

    Parameters
    ----------
    size
        Pixels: one number for a square, or ``(height, width)`` as in torchvision.
    fill
        Colour of the padding: one grey or ``(red, green, blue)``, 0 to 255, or a name or code such as
        ``"white"`` or ``"#ff8000"``. Where the image is transparent, so is the padding.
    interpolation
        ``"auto"`` (area averaging to shrink, bilinear to enlarge), ``"nearest"``, ``"bilinear"``,
        ``"bicubic"``, ``"area"`` or ``"lanczos"``.
    upscale
        Whether images smaller than `size` are enlarged; otherwise they are only padded.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> ResizePad(64)(np.zeros((30, 40, 3), np.uint8)).shape
    (64, 64, 3)
    """

    size: int | tuple[int, int]
    _: KW_ONLY
    fill: int | tuple[int, int, int] | str = 0
    interpolation: str = "auto"
    upscale: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("size", self.size, 1, MOST_PIXELS))
        object.__setattr__(self, "fill", check_colour("fill", self.fill))
        check_choice("interpolation", self.interpolation, tuple(INTERPOLATIONS))

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of every result."""
        return self.size  # type: ignore[return-value]  # made a pair above

    def apply(self, sample: Sample) -> Sample:
        """Return the sample, scaled and padded, with hands and alpha moved along."""
        (out_height, out_width), (width, height) = self.output_size, sample.size
        scale = min(out_width / width, out_height / height, math.inf if self.upscale else 1.0)
        new_width = min(out_width, max(1, round(width * scale)))
        new_height = min(out_height, max(1, round(height * scale)))
        left, top = (out_width - new_width) // 2, (out_height - new_height) // 2
        forward = geometry.compose(
            geometry.scaling(new_width / width, new_height / height), geometry.translation(left, top)
        )

        def place(array: NDArray[Any], fill: int | tuple[int, ...]) -> NDArray[Any]:
            scaled = resized(array, (new_width, new_height), INTERPOLATIONS[self.interpolation])
            below, right = out_height - new_height - top, out_width - new_width - left
            value = (fill,) * 3 if isinstance(fill, int) else fill
            padded = cv2.copyMakeBorder(scaled, top, below, left, right, cv2.BORDER_CONSTANT, value=value)
            return np.asarray(padded)

        fill = check_colour("fill", self.fill)
        fill = fill if sample.image.ndim == 3 else grey_of(fill)
        alpha = None if sample.alpha is None else place(sample.alpha, 0)
        if sample.transparent and sample.alpha is not None:
            image = resampled(sample.image, sample.alpha, lambda array: place(array, 0))
        else:
            image = place(sample.image, fill)
        return sample.transformed(forward, image, alpha).with_step(
            "ResizePad", scale=scale, left=left, top=top
        )


def grey_of(colour: int | tuple[int, int, int]) -> int:
    """Return the grey of a colour, with the weights that `Greyscale` uses."""
    return colour if isinstance(colour, int) else round(float(np.dot(colour, LUMA)))
