"""The plane's maps: what they promise whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from handprep import geometry

number = st.floats(-1000, 1000)
factor = st.floats(0.05, 20).flatmap(lambda size: st.sampled_from([size, -size]))
points = arrays(np.float64, (5, 2), elements=number)


@st.composite
def affines(draw: st.DrawFn) -> geometry.Affine:
    return geometry.compose(
        geometry.rotation(draw(st.floats(-4, 4))),
        geometry.scaling(draw(factor), draw(factor)),
        geometry.translation(draw(number), draw(number)),
    )


@given(affines(), points)
def test_a_map_and_its_inverse_bring_points_back(affine, xy):
    back = geometry.apply(geometry.invert(affine), geometry.apply(affine, xy))
    np.testing.assert_allclose(back, xy, atol=1e-6)


@given(affines(), affines(), points)
def test_composing_is_applying_in_turn(first, second, xy):
    at_once = geometry.apply(geometry.compose(first, second), xy)
    in_turn = geometry.apply(second, geometry.apply(first, xy))
    np.testing.assert_allclose(at_once, in_turn, rtol=1e-9, atol=1e-6)


@given(affines(), st.tuples(number, number, st.floats(1, 100), st.floats(1, 100)))
def test_a_moved_box_encloses_its_moved_corners(affine, place):
    x, y, wide, high = place
    x0, y0, x1, y1 = geometry.apply_to_box(affine, (x, y, x + wide, y + high))
    corners = geometry.apply(affine, [(x, y), (x + wide, y + high), (x + wide, y), (x, y + high)])
    assert (corners >= np.array([x0, y0]) - 1e-9).all()
    assert (corners <= np.array([x1, y1]) + 1e-9).all()


def test_mirroring_swaps_the_edges_of_the_picture():
    np.testing.assert_array_equal(
        geometry.apply(geometry.mirroring(10), [(0, 3), (10, 4)]), [(10, 3), (0, 4)]
    )
    assert geometry.mirrors(geometry.mirroring(10))
    assert not geometry.mirrors(geometry.rotation(2.0))


@pytest.mark.parametrize(("x", "y"), [(2.0, 2.0), (3.0, 12.0), (-1.0, 4.0)])
def test_the_scale_of_a_map_is_the_geometric_mean_of_both_axes(x, y):
    assert geometry.scale_of(geometry.scaling(x, y)) == pytest.approx(abs(x * y) ** 0.5)


@given(st.floats(-3, 3), st.booleans(), st.floats(0.1, 10), points)
def test_the_nearest_turn_of_a_similarity_is_its_turn(radians, mirrored, size, xy):
    mirroring = geometry.mirroring(0) if mirrored else geometry.identity()
    turned = geometry.compose(mirroring, geometry.rotation(radians))
    similarity = geometry.compose(turned, geometry.scaling(size, size), geometry.translation(3, 4))
    np.testing.assert_allclose(
        xy @ geometry.nearest_turn(similarity).T, geometry.apply(turned, xy), atol=1e-6
    )


@given(affines())
def test_the_nearest_turn_of_any_map_keeps_lengths_and_the_side(affine):
    turn = geometry.nearest_turn(affine)
    np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-9)
    assert (np.linalg.det(turn) < 0) == geometry.mirrors(affine)


def test_pixel_centres_of_a_doubled_picture_lie_a_quarter_off():
    np.testing.assert_allclose(geometry.in_pixel_centres(geometry.scaling(2, 2)), [[2, 0, 0.5], [0, 2, 0.5]])
