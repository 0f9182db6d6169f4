"""The cut obeys log-odds and edges; landmarks and colours correct the network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handprep import geometry
from handprep.segmentation import framing, prior
from handprep.segmentation.cut import MOST_ODDS, colour_odds, fit, graph_cut, hand_mask
from tests.rendered import photos
from tests.segmentation.cases import iou, whole

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
    lab[:, 38:, :2] += np.array(step, np.uint8)
    odds = np.zeros((50, 60), np.float32)
    odds[:, :20], odds[:, 45:] = 3.0, -3.0
    cut = graph_cut(lab, odds, NOWHERE)
    np.testing.assert_array_equal(cut, np.arange(60)[None] < np.full((50, 1), 38))  # without an edge it is 33


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


SIDE = 192
EVERYWHERE = np.ones((SIDE, SIDE), np.uint8)


def shown(photo):
    """Return window, true mask and hand of a rendered photo."""
    sample = whole(photo)
    toward = framing.window(sample.hand, SIDE)
    matrix = geometry.in_pixel_centres(toward)
    border = cv2.BORDER_REPLICATE
    window, mask = (
        cv2.warpAffine(a, matrix, (SIDE, SIDE), borderMode=border) for a in (sample.image, sample.alpha)
    )
    return window, mask, sample.hand.transformed(toward)


def test_a_network_that_misses_a_finger_is_corrected():
    better = []
    for photo in photos()[::3]:
        window, truth, hand = shown(photo)
        tip = hand.landmarks[8]
        y, x = np.mgrid[:SIDE, :SIDE]
        share = np.where(np.hypot(x - tip[0], y - tip[1]) < 25, 0, truth / np.float32(255)).astype(np.float32)
        mask = hand_mask(window, share, EVERYWHERE, hand, ())[0] * np.uint8(255)
        better.append(iou(mask, truth) - iou(share * 255, truth))
    assert np.mean(better) > 0.02
    assert min(better) > -0.01


def test_a_network_that_takes_a_part_of_the_background_is_corrected():
    better = []
    for photo in photos()[::3]:
        window, truth, hand = shown(photo)
        share = (truth / np.float32(255)).astype(np.float32)
        share[40:80, 5:30] = share[40:80, -30:-5] = 0.8
        mask = hand_mask(window, share, EVERYWHERE, hand, ())[0] * np.uint8(255)
        better.append(iou(mask, truth) - iou(share * 255, truth))
    assert np.mean(better) > 0.02


def test_another_hand_far_away_changes_nothing():
    window, truth, hand = shown(photos()[0])
    share = (truth / np.float32(255)).astype(np.float32)
    far = hand.transformed(geometry.translation(5000, 0))
    alone, beside = (hand_mask(window, share, EVERYWHERE, hand, others)[0] for others in ((), (far,)))
    np.testing.assert_array_equal(alone, beside)


def test_the_bones_are_in_the_mask_whatever_network_and_colours_say():
    window, _, hand = shown(photos()[0])
    nothing = np.zeros((SIDE, SIDE), np.float32)
    mask, _ = hand_mask(window, nothing, EVERYWHERE, hand, ())
    assert mask[prior.bones((SIDE, SIDE), hand) > 0].all()


def test_a_window_of_one_colour_goes_by_the_network():
    _, truth, hand = shown(photos()[0])
    plain = np.full((SIDE, SIDE, 3), 128, np.uint8)
    mask, _ = hand_mask(plain, (truth / np.float32(255)).astype(np.float32), EVERYWHERE, hand, ())
    assert iou(mask * np.uint8(255), truth) > 0.9


def test_the_confidence_falls_where_the_network_finds_something_else():
    window, truth, hand = shown(photos()[0])
    share = (truth / np.float32(255)).astype(np.float32)
    _, sure = hand_mask(window, share, EVERYWHERE, hand, ())
    _, doubtful = hand_mask(window, np.roll(share, 60, 1), EVERYWHERE, hand, ())
    assert doubtful < sure - 0.1


# Colour models


@pytest.fixture
def skin():
    return np.random.default_rng(0).normal((170, 140, 150), 8, (3000, 3)).astype(np.float32)


def test_colours_are_likeliest_in_the_model_of_their_own(skin):
    wall = np.random.default_rng(1).normal((200, 128, 128), 5, (3000, 3)).astype(np.float32)
    of_skin, of_wall = fit(skin), fit(wall)
    assert np.mean(of_skin.log_density(skin) > of_wall.log_density(skin)) > 0.95
    assert np.mean(of_wall.log_density(wall) > of_skin.log_density(wall)) > 0.95


def test_each_of_several_colours_is_learned():
    means = np.array([(20, 128, 128), (240, 128, 128), (120, 200, 60)])
    noise = np.random.default_rng(2).normal(0, 3, (3, 500, 3))
    model = fit((means[:, None] + noise).reshape(-1, 3).astype(np.float32))
    nearest = np.linalg.norm(model.means[:, None] - means, axis=2).min(0)
    assert nearest.max() < 1  # its mean of 500 is known to 3 / √500


def test_colours_are_split_where_they_differ_not_from_dark_to_bright():
    means = np.array([(140, 100, 128), (100, 140, 128)])
    noise = np.random.default_rng(2).normal(0, 3, (2, 500, 3))
    model = fit((means[:, None] + noise).reshape(-1, 3).astype(np.float32))
    assert np.linalg.norm(model.means[:, None] - means, axis=2).min(1).max() < 5  # none lies between the two


def test_densities_integrate_to_one():
    # over a grid of whole levels, whose cells have volume 1; (2π)^1.5 is the constant left out
    model = fit(np.random.default_rng(3).normal(20, 3, (2000, 3)).astype(np.float32))
    grid = np.stack(np.meshgrid(*[np.arange(45.0)] * 3), -1).reshape(-1, 3).astype(np.float32)
    total = np.exp(model.log_density(grid).astype(np.float64)).sum() / (2 * np.pi) ** 1.5
    assert total == pytest.approx(1, abs=0.01)


def test_the_same_pixels_give_the_same_model(skin):
    first, second = fit(skin), fit(skin.copy())
    np.testing.assert_array_equal(first.log_density(skin), second.log_density(skin))


@pytest.mark.parametrize("count", [1, 2, 5, 10_000])
def test_pixels_of_one_colour_make_one_component(count):
    model = fit(np.full((count, 3), 77.3, np.float32))
    assert len(model.means) == 1
    assert np.isfinite(model.log_density(np.array([[77.3] * 3, [0, 255, 0]], np.float32))).all()


def test_log_odds_tell_the_sides_apart_and_have_a_limit():
    lab = np.full((20, 30, 3), (170, 140, 150), np.uint8)
    lab[:, 15:] = 200, 128, 128
    lab = lab + np.random.default_rng(4).integers(-3, 4, lab.shape).astype(np.int8).astype(np.uint8)
    left = np.arange(30)[None].repeat(20, 0) < 15
    odds = colour_odds(lab, left & (np.arange(20)[:, None] < 10), ~left)
    assert (odds[left] > 2).all()
    assert (odds[~left] < -2).all()
    assert np.abs(odds).max() <= MOST_ODDS
