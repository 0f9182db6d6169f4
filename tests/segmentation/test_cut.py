"""The cut obeys log-odds and edges, and is fitted to the large picture's own edges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handprep.segmentation.cut import graph_cut, refined
from tests.segmentation.cases import iou, one

NOWHERE = np.zeros((50, 60), np.uint8)
PLAIN = np.full((50, 60, 3), 128, np.uint8)


def test_the_sides_are_those_of_the_log_odds():
    odds = np.full((50, 60), -3.0, np.float32)
    odds[10:30, 10:40] = 3.0
    np.testing.assert_array_equal(graph_cut(PLAIN, odds, NOWHERE), odds > 0)


def test_lone_pixels_give_way_to_their_neighbours():
    noisy = np.random.default_rng(0).normal(128, 6, (50, 60, 3)).astype(np.uint8)
    odds = np.full((50, 60), -1.0, np.float32)
    odds[5::10, 5::10] = 1.0
    assert not graph_cut(noisy, odds, NOWHERE).any()


@pytest.mark.parametrize("step", [(60, 0), (0, 40)], ids=["lightness", "redness"])
def test_where_the_odds_are_open_the_border_follows_the_edge(step):
    lab = PLAIN.copy()
    lab[:, 33:, :2] += np.array(step, np.uint8)
    odds = np.zeros((50, 60), np.float32)
    odds[:, :20], odds[:, 45:] = 3.0, -3.0
    cut = graph_cut(lab, odds, NOWHERE)
    np.testing.assert_array_equal(cut, np.arange(60)[None] < np.full((50, 1), 33))


def test_what_is_certain_stays_whatever_the_odds_say():
    certain = NOWHERE.copy()
    certain[5:8, 5:9] = 1
    cut = graph_cut(PLAIN, np.full((50, 60), -20.0, np.float32), certain)
    np.testing.assert_array_equal(cut, certain)


def test_opencvs_random_numbers_are_left_alone():
    odds = np.random.default_rng(0).normal(0, 3, (50, 60)).astype(np.float32)
    drawn = []
    for cut in (False, True):
        cv2.setRNGSeed(5)
        if cut:
            graph_cut(PLAIN, odds, NOWHERE)
        drawn.append(cv2.randu(np.zeros(4), 0, 1).copy())
    np.testing.assert_array_equal(*drawn)


def test_a_coarse_mask_is_refined_to_the_pictures_own_edges():
    sample = one("paper")
    size = sample.size[0] // 6, sample.size[1] // 6
    small = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA)
    mask = (cv2.resize(sample.alpha, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    stretched = cv2.resize(mask * np.uint8(255), sample.size, interpolation=cv2.INTER_LINEAR)
    alpha = refined(mask, small, sample.image)
    assert iou(alpha, sample.alpha) > iou(stretched, sample.alpha) + 0.01
    assert iou(alpha, sample.alpha) > 0.96


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_without_an_edge_has_no_soft_pixel(value):
    noise = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    alpha = refined(np.full((20, 25), value, np.uint8), noise[::2, ::2], noise)
    assert (alpha == 255 * value).all()
