"""Cleaning of masks: what touches the hand stays, small holes close, background seen through stays."""

from __future__ import annotations

import numpy as np
import pytest

from handprep.segmentation.base import connected_to, pixels_within, without_small_holes


@pytest.fixture
def alpha():
    picture = np.zeros((60, 80), np.uint8)
    picture[10:50, 10:40] = 255
    picture[10:50, 40] = 100  # a soft edge
    picture[20:40, 60:75] = 255  # something else
    return picture


def seed_at(y, x, shape=(60, 80)):
    seed = np.zeros(shape, bool)
    seed[y, x] = True
    return seed


def test_what_does_not_touch_the_seed_is_dropped_and_the_soft_edge_stays(alpha):
    done = connected_to(alpha, seed_at(30, 20))
    assert not done[:, 50:].any()
    np.testing.assert_array_equal(done[:, :50], alpha[:, :50])


def test_every_part_that_touches_a_seed_stays(alpha):
    seed = seed_at(30, 20) | seed_at(30, 65)
    np.testing.assert_array_equal(connected_to(alpha, seed), alpha)


def test_nothing_is_hand_where_nothing_touches_the_seed(alpha):
    assert not connected_to(alpha, seed_at(55, 5)).any()
    assert not connected_to(alpha, np.zeros_like(alpha, bool)).any()


def test_small_holes_close_and_large_ones_stay(alpha):
    alpha[15:18, 15:18] = 0  # 9 of 1200 pixels: a highlight on a nail
    alpha[30:33, 20:25] = 0  # 15: seen through thumb and index finger
    done = connected_to(alpha, seed_at(40, 12))
    assert (done[15:18, 15:18] == 255).all()
    assert not done[30:33, 20:25].any()


def test_how_large_a_hole_is_closed_can_be_said(alpha):
    alpha[15:18, 15:18] = 0  # 9 of 1200 pixels
    assert not connected_to(alpha, seed_at(40, 12), largest_hole=0.005)[15:18, 15:18].any()


@pytest.mark.parametrize("turn", range(4))
def test_a_bay_at_the_border_is_no_hole(turn):
    mask = np.ones((40, 40), np.uint8)
    mask[0:1, 10:12] = 0
    mask[0:3, 20:22] = 0
    mask = np.rot90(mask, turn)
    np.testing.assert_array_equal(without_small_holes(mask), mask)
    inside = np.ones((40, 40), np.uint8)
    inside[1:3, 10:12] = 0
    assert without_small_holes(np.rot90(inside, turn)).all()


def test_an_empty_and_a_full_mask_stay_as_they_are():
    for value in (0, 1):
        mask = np.full((5, 7), value, np.uint8)
        np.testing.assert_array_equal(without_small_holes(mask), mask)


def test_pixels_within_a_box_are_those_it_touches_inside_the_picture():
    image = np.zeros((60, 80, 3), np.uint8)
    assert pixels_within((10.4, -5.0, 30.0, 90.2), image) == (slice(0, 60), slice(10, 30))
    assert image[pixels_within((-9.0, -9.0, -2.0, 5.0), image)].size == 0
    assert image[pixels_within((90.0, 9.0, 95.0, 12.0), image)].size == 0
