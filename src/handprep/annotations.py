"""Moving annotations along with the image that they belong to, whatever a pipeline did to it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.sample import Frame, Hand, Sample

Number = TypeVar("Number", bound=np.generic)


def hands_in_photo(sample: Sample) -> tuple[Hand, ...] | None:
    """Return a sample's hands as they lie in its photo; None where no detector ran."""
    return sample.transformed(sample.to_source, sample.image, None).hands


def moved_boxes(sample: Sample, boxes: ArrayLike, *, clip: bool = False) -> NDArray[np.float64]:
    """Return the smallest upright boxes around boxes ``(..., 4)`` of the photo, in a sample's image.

    Where x0 is more than x1, or y0 than y1, it stays so. With `clip` each transform cuts off what it leaves
    no room for, so that a box which a crop has cut does not reach into the padding around it.
    """
    moved = np.asarray(boxes, dtype=np.float64)
    inverted = np.concatenate([moved[..., :2] > moved[..., 2:]] * 2, axis=-1)
    last = Frame(size=sample.size, to_source=sample.to_source)
    frames = (*sample.frames, last) if clip else (*sample.frames[:1], last)
    for before, after in pairwise(frames):
        forward = geometry.compose(before.to_source, geometry.invert(after.to_source))
        corners = geometry.apply(forward, moved[..., [[0, 1], [2, 1], [2, 3], [0, 3]]])
        moved = np.concatenate([corners.min(-2), corners.max(-2)], axis=-1)
        if clip:
            moved = moved.clip(0, np.array([*after.size, *after.size]))
    return np.where(inverted, moved[..., [2, 3, 0, 1]], moved)


def moved_mask(sample: Sample, mask: NDArray[Number], *, outside: Any = 0) -> NDArray[Number]:
    """Return a mask ``(..., H, W)`` of the photo as it lies in a sample's image, by the nearest pixel.

    Where the image does not show the photo but filling, the mask is `outside`.

    Examples
    --------
    >>> from handprep import ResizePad
    >>> done = ResizePad(4).run(np.zeros((4, 2, 3), np.uint8))
    >>> moved_mask(done, np.array([[5, 6]] * 4))[0]
    array([0, 5, 6, 0])
    """
    height, width = mask.shape[-2:]
    columns, rows = _pixels_in(Frame(size=(width, height), to_source=geometry.identity()), sample)
    moved = mask[..., rows.clip(0, height - 1), columns.clip(0, width - 1)]
    shown = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    for frame in sample.frames:
        columns, rows = _pixels_in(frame, sample)
        shown &= (columns >= 0) & (columns < frame.size[0]) & (rows >= 0) & (rows < frame.size[1])
    moved[..., ~shown] = outside
    return moved


def _pixels_in(frame: Frame, sample: Sample) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return column and row, in an earlier image, of each of the sample's pixels."""
    (a, b, x0), (c, d, y0) = geometry.compose(sample.to_source, geometry.invert(frame.to_source)).tolist()
    width, height = sample.size
    across, down = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]  # pixel centres
    columns, rows = a * across + b * down + x0, c * across + d * down + y0
    return np.floor(columns).astype(np.intp), np.floor(rows).astype(np.intp)


def check_fits(size: Sequence[int], photo: Sequence[int], what: str) -> None:
    """Raise InputError unless an annotation is made for a photo of the given height and width."""
    if tuple(size) != tuple(photo):
        raise InputError(
            f"{what} of {size[0]} x {size[1]} pixels (height x width) is not for a photo of "
            f"{photo[0]} x {photo[1]}: give what belongs together"
        )
