"""Fine alpha from coarse alpha: it follows the picture's edges and keeps what is even."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handprep.segmentation.guided import local_lines

FACTOR = 4


def enlarged(plane):
    return cv2.resize(plane, None, fx=FACTOR, fy=FACTOR, interpolation=cv2.INTER_LINEAR)


def scene(contrast):
    """Return a disc before a ground, and its alpha, both fine and coarse."""
    y, x = np.mgrid[:160, :160] + 0.5
    truth = np.clip(50.5 - np.hypot(x - 80, y - 75), 0, 1).astype(np.float32)
    light = 100 + contrast * truth
    picture = np.dstack([light] * 3).astype(np.uint8)
    size = (160 // FACTOR, 160 // FACTOR)
    coarse = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (picture, truth)]
    return picture, truth, *coarse


def test_an_edge_becomes_as_sharp_as_the_picture_has_it():
    picture, truth, coarse, alpha = scene(100)
    fine = local_lines(coarse, alpha).alpha(picture, enlarged)
    assert np.abs(fine - truth).mean() < 0.4 * np.abs(enlarged(alpha) - truth).mean()


def test_without_an_edge_in_the_picture_it_is_enlarged_and_softened():
    picture, truth, coarse, alpha = scene(0)
    fine = local_lines(coarse, alpha).alpha(picture, enlarged)
    assert np.mean((fine > 0.5) == (truth > 0.5)) > 0.99


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_is_even_stays(value):
    picture, _, coarse, alpha = scene(100)
    fine = local_lines(coarse, np.full_like(alpha, value)).alpha(picture, enlarged)
    np.testing.assert_allclose(fine, value, atol=1e-3)
