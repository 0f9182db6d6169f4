"""A coarse mask, carried over to the image's own edges: as sharp as these, and even elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handprep import geometry
from handprep.segmentation import edges

FACTOR = 4
TOWARD = geometry.scaling(1 / FACTOR, 1 / FACTOR)


def scene(background, hand=(200, 140, 120)):
    """Return a disc before one colour, its alpha, and window and mask at a quarter of its size."""
    y, x = np.mgrid[:240, :240] + 0.5
    truth = np.clip(75.5 - np.hypot(x - 120, y - 110), 0, 1)[..., None]
    noise = np.random.default_rng(0).normal(0, 1.5, (240, 240, 3))
    image = np.clip(np.array(hand) * truth + np.array(background) * (1 - truth) + noise, 0, 255)
    image = image.round().astype(np.uint8)
    window, share = (cv2.resize(a, (60, 60), interpolation=cv2.INTER_AREA) for a in (image, truth))
    return image, truth[..., 0], window, (share > 0.5).astype(np.uint8)


# red and green of the last have the skin's brightness: only a colour guide sees them
@pytest.mark.parametrize("background", [(0, 177, 64), (200, 0, 200), (20, 20, 20), (120, 170, 190)])
def test_an_edge_is_as_wide_as_the_image_has_it(background):
    image, truth, window, mask = scene(background)
    alpha = edges.refined(window, mask, image, TOWARD)
    soft, truly = ((a > 0.1) & (a < 0.9) for a in (alpha / 255, truth))
    assert np.count_nonzero(soft) < 1.6 * np.count_nonzero(truly)
    assert np.abs(alpha / 255 - truth).sum() < 0.35 * np.count_nonzero(truly)


def test_without_an_edge_in_the_image_the_mask_is_enlarged():
    image, truth, window, mask = scene((200, 140, 120))
    alpha = edges.refined(window, mask, image, TOWARD)
    assert np.mean((alpha > 127) == (truth > 0.5)) > 0.99


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_without_an_edge_has_no_soft_pixel(value):
    noise = np.random.default_rng(1).integers(0, 256, (80, 80, 3)).astype(np.uint8)
    alpha = edges.refined(noise[::4, ::4], np.full((20, 20), value, np.uint8), noise, TOWARD)
    inside = alpha[4:-4, 4:-4]  # beyond the window is background
    assert (inside == 255 * value).all()


def test_more_pixels_along_an_edge_than_opencv_has_rows_are_bearable():
    window = np.zeros((60, 60, 3), np.uint8)
    window[:, 30:] = 255
    image = np.zeros((3000, 3000, 3), np.uint8)
    image[:, 1500:] = 255
    mask = (window[..., 0] > 0).astype(np.uint8)
    alpha = edges.refined(window, mask, image, geometry.scaling(1 / 50, 1 / 50))
    assert (alpha[100:-100, :1500] < 30).all()  # half a pixel of the window away, lines of beyond have a say
    assert (alpha[100:-100, 1500:-100] > 225).all()
