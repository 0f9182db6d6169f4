"""Views: what they show, and the way back from it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handprep import geometry
from handprep.detection.views import LIGHTS, View, tile_sides
from handprep.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


@given(st.floats(0, 1), st.integers(-360, 360), st.integers(16, 200))
@settings(deadline=None)
def test_the_whole_image_is_in_the_view(pad, turn, side):
    shown, forward = View(pad=pad, turn=turn).show(IMAGE, side)
    assert shown.shape == (side, side, 3)
    box = geometry.apply_to_box(forward, (0, 0, 80, 60))
    assert min(box) >= -1  # whole pixels
    assert max(box) <= side + 1


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90])
def test_right_angles_move_pixels_without_changing_them(turn):
    square = np.ascontiguousarray(IMAGE[:, :60])
    shown, forward = View(turn=turn).show(square, 60)
    np.testing.assert_array_equal(shown, np.rot90(square, -turn // 90))
    x, y = geometry.apply(forward, (10.5, 20.5))
    np.testing.assert_array_equal(shown[int(y), int(x)], square[20, 10])


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90])
def test_an_image_of_odd_sides_lies_on_whole_pixels_at_right_angles_too(turn):
    odd = np.ascontiguousarray(IMAGE[:59])
    shown, forward = View(turn=turn).show(odd, 80)
    rows, columns = np.indices(odd.shape[:2])
    x, y = np.moveaxis(geometry.apply(forward, np.stack([columns, rows], -1) + 0.5), -1, 0)
    np.testing.assert_array_equal(shown[y.astype(int), x.astype(int)], odd)


@given(st.floats(0, 1), st.integers(-360, 360))
@settings(deadline=None)
def test_the_image_is_turned_by_as_many_degrees_in_the_middle_of_the_view(pad, turn):
    _, forward = View(pad=pad, turn=turn).show(IMAGE, 200)
    middle, right = geometry.apply(forward, [(40, 30), (60, 30)])
    np.testing.assert_allclose(middle, (100, 100), atol=1)  # whole pixels
    turned = np.degrees(np.arctan2(*(right - middle)[::-1]))
    assert abs((turned - turn + 180) % 360 - 180) < 2  # each side is rounded to whole pixels


def test_padding_continues_the_edge():
    shown, forward = View(pad=0.5).show(IMAGE, 160)
    np.testing.assert_array_equal(forward, geometry.translation(40, 50))
    np.testing.assert_array_equal(shown[50:110, 40:120], IMAGE)
    np.testing.assert_array_equal(shown[0, 40:120], IMAGE[0])


def test_a_smaller_view_averages_what_it_cannot_show():
    checkered = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    shown, _ = View().show(np.repeat(checkered[..., None], 3, axis=2).astype(np.uint8), 16)
    assert np.ptp(shown.astype(int)) <= 2  # grey, where sampling would show black or white


@given(st.integers(1, 3000), st.sampled_from([2, 3]))
def test_tiles_cover_an_image_and_overlap(length, count):
    tiles = tile_sides(length, count)
    assert (tiles[0][0], tiles[-1][1]) == (0, length)
    for (start, end), (next_start, next_end) in pairwise(tiles):
        assert start <= next_start < end <= next_end
        assert end - next_start >= 0.29 * (end - start) - 1


@pytest.mark.parametrize("light", LIGHTS)
def test_every_light_keeps_size_and_type_and_leaves_the_picture_alone(light):
    before = IMAGE.copy()
    lit = LIGHTS[light](IMAGE)
    assert (lit.shape, lit.dtype) == (IMAGE.shape, np.uint8)
    np.testing.assert_array_equal(IMAGE, before)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (3, 2, 3)])
def test_every_light_takes_tiny_pictures(light, shape):
    assert LIGHTS[light](np.full(shape, 7, np.uint8)).shape == shape


def test_greys_become_the_shades_of_skin():
    greys = np.repeat(np.arange(0, 200, dtype=np.uint8)[None, :, None], 3, axis=2)
    red, green, blue = np.moveaxis(LIGHTS["skin-toned"](greys)[0].astype(int), -1, 0)
    assert (red[20:] > green[20:]).all()
    assert (green[20:] > blue[20:]).all()
    for channel in (red, green, blue):
        assert (np.diff(channel) >= 0).all()
    assert np.abs((red + green + blue) / 3 - greys[0, :, 0]).max() < 4  # as light as before


def test_brightening_lifts_the_dark_and_keeps_black_and_white():
    lit = LIGHTS["brightened"](np.array([[[0, 16, 64], [128, 200, 255]]], np.uint8))
    assert lit.ravel().tolist() == [0, 64, 128, 181, 226, 255]  # 255 · √(level / 255)


def test_equalising_shows_what_is_too_alike_to_see():
    faint = (120 + np.indices((64, 64)).sum(0) // 8 % 2 * 4).astype(np.uint8)
    lit = LIGHTS["equalised"](np.repeat(faint[..., None], 3, axis=2))
    assert lit.std() > 1.7 * faint.std()


def test_smoothing_takes_noise_away_and_leaves_a_slope():
    slope = np.repeat(np.linspace(50, 200, 120)[None], 80, axis=0)
    noise = np.random.default_rng(0).normal(0, 20, slope.shape)
    noisy = np.repeat((slope + noise).round().astype(np.uint8)[..., None], 3, axis=2)
    lit = LIGHTS["smoothed"](noisy)[..., 0][10:-10, 10:-10]
    assert (lit - slope[10:-10, 10:-10]).std() < 0.35 * noise.std()


def test_balancing_takes_a_tint_away():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(9, axis=0)
    tinted = (grey * np.array([0.9, 0.5, 0.2])).astype(np.uint8)
    balanced = LIGHTS["balanced"](tinted).astype(int)
    assert np.ptp(balanced, axis=2).max() < 12  # 8-bit steps of the weakest channel


@pytest.mark.parametrize(
    "wrong", [{"light": "neon"}, {"light": 3}, {"pad": -1}, {"turn": 361}, {"presence": 2}]
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        View(**wrong)
