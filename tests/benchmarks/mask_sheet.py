"""A sheet of results, to be looked at: picture, result before white and before black, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from handprep.sample import Sample

Array = np.ndarray[Any, Any]

CELL = 150  # pixels on a side
MISSED, TOO_MUCH = (255, 0, 0), (0, 0, 255)  # hand taken for background, and the other way round


def sheet(cases: Sequence[tuple[Sample, Array, float]], columns: int = 2) -> Array:
    """Return a picture of samples with their true alpha, the alpha that was found, and its score.

    Parameters
    ----------
    cases
        Samples with the true alpha; ``(H, W)`` alphas that were found; scores.
    columns
        Cases side by side, each with four cells.
    """
    strips = [_strip(*case) for case in cases]
    strips += [np.full_like(strips[0], 255)] * (-len(strips) % columns)
    return np.vstack([np.hstack(strips[start : start + columns]) for start in range(0, len(strips), columns)])


def _strip(sample: Sample, alpha: Array, score: float) -> Array:
    assert sample.alpha is not None
    share = alpha[..., None] / 255
    white = sample.rgb * share + 255 * (1 - share)
    black = sample.rgb * share
    wrong = np.repeat(cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2GRAY)[..., None] // 2 + 100, 3, axis=2)
    found, wanted = alpha > 127, sample.alpha > 127
    wrong[wanted & ~found], wrong[found & ~wanted] = MISSED, TOO_MUCH
    strip = np.hstack([_cell(picture) for picture in (sample.rgb, white, black, wrong)])
    cv2.putText(strip, f"{score:.3f}", (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(strip, f"{score:.3f}", (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1, cv2.LINE_AA)
    return strip


def _cell(picture: Array) -> Array:
    """Return the picture, as large as fits into a cell, on grey."""
    height, width = picture.shape[:2]
    factor = (CELL - 4) / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(np.asarray(picture, np.uint8), size, interpolation=cv2.INTER_AREA)
    cell = np.full((CELL, CELL, 3), 128, np.uint8)
    top, left = (CELL - size[1]) // 2, (CELL - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell
