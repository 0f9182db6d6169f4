"""Colour models: they know their own colours, depend on nothing else, and bear pictures of one colour."""

from __future__ import annotations

import numpy as np
import pytest

from handprep.segmentation import colours


@pytest.fixture
def skin():
    return np.random.default_rng(0).normal((170, 140, 150), 8, (3000, 3)).astype(np.float32)


def test_colours_are_likeliest_in_the_model_of_their_own(skin):
    wall = np.random.default_rng(1).normal((200, 128, 128), 5, (3000, 3)).astype(np.float32)
    of_skin, of_wall = colours.fit(skin), colours.fit(wall)
    assert np.mean(of_skin.log_density(skin) > of_wall.log_density(skin)) > 0.95
    assert np.mean(of_wall.log_density(wall) > of_skin.log_density(wall)) > 0.95


def test_each_of_several_colours_is_learned():
    means = np.array([(20, 128, 128), (240, 128, 128), (120, 200, 60)])
    noise = np.random.default_rng(2).normal(0, 3, (3, 500, 3))
    model = colours.fit((means[:, None] + noise).reshape(-1, 3).astype(np.float32))
    nearest = np.linalg.norm(model.means[:, None] - means, axis=2).min(0)
    assert nearest.max() < 1  # its mean of 500 is known to 3 / √500


def test_densities_integrate_to_one():
    # over a grid of whole levels, whose cells have volume 1; (2π)^1.5 is the constant left out
    model = colours.fit(np.random.default_rng(3).normal(20, 3, (2000, 3)).astype(np.float32))
    grid = np.stack(np.meshgrid(*[np.arange(45.0)] * 3), -1).reshape(-1, 3).astype(np.float32)
    total = np.exp(model.log_density(grid).astype(np.float64)).sum() / (2 * np.pi) ** 1.5
    assert total == pytest.approx(1, abs=0.01)


def test_the_same_pixels_give_the_same_model(skin):
    first, second = colours.fit(skin), colours.fit(skin.copy())
    np.testing.assert_array_equal(first.log_density(skin), second.log_density(skin))


@pytest.mark.parametrize("count", [1, 2, 5, 10_000])
def test_pixels_of_one_colour_make_one_component(count):
    model = colours.fit(np.full((count, 3), 77.3, np.float32))
    assert len(model.means) == 1
    assert np.isfinite(model.log_density(np.array([[77.3] * 3, [0, 255, 0]], np.float32))).all()


def test_log_odds_tell_the_sides_apart_and_have_a_limit():
    lab = np.full((20, 30, 3), (170, 140, 150), np.uint8)
    lab[:, 15:] = 200, 128, 128
    lab = lab + np.random.default_rng(4).integers(-3, 4, lab.shape).astype(np.int8).astype(np.uint8)
    left = np.arange(30)[None].repeat(20, 0) < 15
    odds = colours.log_odds(lab, left & (np.arange(20)[:, None] < 10), ~left)
    assert (odds[left] > 2).all()
    assert (odds[~left] < -2).all()
    assert np.abs(odds).max() <= colours.MOST_ODDS
