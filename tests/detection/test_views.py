"""Views: what they show, and the way back from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handprep import geometry
from handprep.detection.views import LIGHTS, View
from handprep.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


@given(st.floats(0, 1), st.integers(-360, 360), st.booleans())
@settings(deadline=None)
def test_the_whole_picture_is_in_the_view(pad, turn, mirror):
    shown, forward = View(pad=pad, turn=turn, mirror=mirror).show(IMAGE)
    x0, y0, x1, y1 = geometry.apply_to_box(forward, (0, 0, 80, 60))
    height, width = shown.shape[:2]
    assert min(x0, y0) >= -1  # whole pixels
    assert x1 <= width + 1
    assert y1 <= height + 1


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90])
@pytest.mark.parametrize("mirror", [False, True])
def test_right_angles_move_pixels_without_changing_them(turn, mirror):
    shown, _ = View(turn=turn, mirror=mirror).show(IMAGE)
    expected = np.rot90(IMAGE, -turn // 90)
    np.testing.assert_array_equal(shown, expected[:, ::-1] if mirror else expected)


def test_padding_continues_the_edge():
    shown, forward = View(pad=0.5).show(IMAGE)
    assert shown.shape == (140, 160, 3)
    np.testing.assert_array_equal(forward, geometry.translation(40, 40))
    np.testing.assert_array_equal(shown[40:100, 40:120], IMAGE)
    np.testing.assert_array_equal(shown[0, 40:120], IMAGE[0])


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
