"""Turned squares: their geometry, and the cut that MediaPipe's numbers depend on."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handprep import geometry
from handprep.detection.region import Cutter, Region, region_of_landmarks
from handprep.images.arrays import shrunk
from tests.rendered import photos

regions = st.builds(
    Region, st.floats(-500, 500), st.floats(-500, 500), st.floats(1, 1000), st.floats(-math.pi, math.pi)
)


@given(regions)
def test_the_middle_of_a_region_is_its_centre(region):
    np.testing.assert_allclose(region.points((0.5, 0.5)), (region.x, region.y), atol=1e-9)


@given(regions)
def test_the_sides_of_a_region_have_its_length_and_angle(region):
    start, end = region.points([(0, 0), (1, 0)])
    assert np.linalg.norm(end - start) == pytest.approx(region.side)
    np.testing.assert_allclose(
        end - start, region.side * np.array([math.cos(region.angle), math.sin(region.angle)]), atol=1e-6
    )


@given(st.floats(-math.pi, math.pi), st.floats(1, 100))
def test_upright_turns_a_line_to_point_up(angle, length):
    end = (length * math.sin(angle), -length * math.cos(angle))
    region = Region.upright((0, 0), end, centre=(0, 0), side=1)
    up = region.points((0.5, 0)) - region.points((0.5, 0.5))
    np.testing.assert_allclose(up * 2 * length, end, atol=1e-6)


def test_an_unturned_cut_at_the_pictures_own_size_is_the_picture():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(Cutter(64, cv2.BORDER_CONSTANT)(image, Region.around(image)), image)


def test_a_second_cut_of_another_picture_reuses_the_maps_not_the_pixels():
    cut = Cutter(32, cv2.BORDER_CONSTANT)
    first, second = np.full((2, 32, 32, 3), [[[[10]]], [[[20]]]], np.uint8)
    assert cut(first, Region.around(first))[0, 0, 0] == 10
    assert cut(second, Region.around(second))[0, 0, 0] == 20


@pytest.mark.parametrize(("x", "y"), [(1e6, -1e6), (10, 99), (10, -99), (99, 10), (-99, 10)])
def test_a_region_outside_is_all_border(x, y):
    image = np.full((20, 20, 3), 7, np.uint8)
    region = Region(x, y, 30.0)
    assert (Cutter(16, cv2.BORDER_CONSTANT)(image, region) == 0).all()
    assert (Cutter(16, cv2.BORDER_REPLICATE)(image, region) == 7).all()


@pytest.mark.parametrize("photo", photos()[:6], ids=lambda photo: photo.path.stem)
def test_the_region_of_landmarks_holds_them_all_with_the_fingers_up(photo):
    region = region_of_landmarks(photo.landmarks.astype(np.float32))
    corners = region.points([(0, 0), (1, 0), (0, 1)])
    axes = (corners[1:] - corners[0]) / region.side
    shares = (photo.landmarks - corners[0]) @ axes.T / region.side
    assert ((shares > -0.1) & (shares < 1.1)).all()
    assert shares[9, 1] < shares[0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_a_region_that_sticks_out_is_cut_as_from_a_larger_image(seed):
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (40, 60, 3), np.uint8)
    region = Region(*random.uniform((-5, -5, 20, -4), (65, 45, 60, 4)))
    larger = np.pad(image, ((64, 64), (64, 64), (0, 0)), mode="edge")
    moved = replace(region, x=region.x + 64, y=region.y + 64)
    expected = Cutter(32, cv2.BORDER_CONSTANT)(larger, moved)
    cut = Cutter(32, cv2.BORDER_REPLICATE)(image, region)
    # Positions are float32 before they are rounded to 1/32 pixel, so that few fall on the other side.
    assert (np.abs(cut.astype(int) - expected).max(2) > 0).mean() < 0.05


@pytest.mark.parametrize(("height", "width"), [(300, 500), (500, 300), (3000, 1), (1, 3000), (50, 40)])
def test_a_large_image_is_shrunk_to_a_long_side_and_the_map_leads_back(height, width):
    small, to_given = shrunk(np.zeros((height, width, 3), np.uint8), 100)
    assert max(small.shape) == min(100, max(height, width))
    assert small.shape[0] * width == pytest.approx(small.shape[1] * height, rel=0.01) or 1 in small.shape
    corner = geometry.apply(to_given, small.shape[1::-1])
    np.testing.assert_allclose(corner, (width, height))


def test_the_region_of_landmarks_is_mediapipes():
    landmarks = np.full((21, 2), (50.0, 60.0), np.float32)
    landmarks[0] = 50, 100  # the wrist
    landmarks[[5, 9, 13]] = (40, 20), (50, 20), (60, 20)  # knuckles straight above it
    region = region_of_landmarks(landmarks)
    assert region.angle == pytest.approx(0)
    assert region.side == pytest.approx(2 * 80)  # twice the box of 20 x 80
    assert (region.x, region.y) == pytest.approx((50, 60 - 0.1 * 80))  # shifted towards the fingers


@pytest.mark.parametrize("joint", range(21))
def test_the_region_of_landmarks_holds_palm_and_first_joints_whatever_the_tips_do(joint):
    landmarks = np.full((21, 2), (50.0, 60.0), np.float32)
    landmarks[0], landmarks[[5, 9, 13]] = (50, 100), (50, 20)
    before = region_of_landmarks(landmarks)
    landmarks[joint] += np.float32([0, 200]) if joint == 0 else np.float32([0, -200])
    counts = joint in (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)  # of the thumb one joint more
    assert (region_of_landmarks(landmarks) != before) == counts


@pytest.mark.parametrize("shapes", [((40, 60), (60, 40)), ((60, 40), (60, 60)), ((7, 90), (40, 60))])
def test_a_letterbox_is_black_outside_of_each_picture_and_the_same_as_a_fresh_one(shapes):
    cut = Cutter(32, cv2.BORDER_CONSTANT)
    for height, width in shapes:
        image = np.full((height, width, 3), 200, np.uint8)
        region = Region.around(image)
        shown = cut(image, region).copy()
        padded = np.zeros((3 * max(image.shape), 3 * max(image.shape), 3), np.uint8)
        top, left = max(image.shape), max(image.shape)
        padded[top : top + height, left : left + width] = image
        within = Region(region.x + left, region.y + top, region.side)
        np.testing.assert_array_equal(shown, Cutter(32, cv2.BORDER_REPLICATE)(padded, within))
        assert shown.min() == (0 if height != width else 200)
