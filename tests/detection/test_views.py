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


def test_balancing_takes_a_tint_away():
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(9, axis=0)
    tinted = (grey * np.array([0.9, 0.5, 0.2])).astype(np.uint8)
    balanced = LIGHTS["balanced"](tinted).astype(int)
    assert np.ptp(balanced, axis=2).max() < 12  # 8-bit steps of the weakest channel


@pytest.mark.parametrize("wrong", [{"light": "neon"}, {"pad": -1}, {"turn": 500}, {"presence": 2}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        View(**wrong)
