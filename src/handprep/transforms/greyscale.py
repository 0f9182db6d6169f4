"""Make an image grey."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from handprep.configurable import check_choice
from handprep.sample import Sample
from handprep.transforms.base import Transform

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in OpenCV, Pillow and torchvision


@dataclass(frozen=True, slots=True)
class Greyscale(Transform):
    """Turn an image into its BT.601 luma.

    Parameters
    ----------
    channels
        1 for an ``(H, W)`` image, 3 for ``(H, W, 3)`` with equal channels, as networks pretrained on
        colour want it.

    Raises
    ------
    InputError
        If `channels` is neither.

    Examples
    --------
    >>> import numpy as np
    >>> Greyscale()(np.zeros((30, 40, 3), np.uint8)).shape
    (30, 40)
    """

    channels: int = 1

    def __post_init__(self) -> None:
        check_choice("channels", self.channels, (1, 3))

    def apply(self, sample: Sample) -> Sample:
        """Return the sample with a grey image; nothing moves."""
        image = sample.image
        if image.ndim == 3:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        if self.channels == 3:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
        return replace(sample, image=image).with_step("Greyscale", channels=self.channels)
