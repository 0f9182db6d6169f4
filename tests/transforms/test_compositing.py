"""Another background leaves no rim of the old one, and a blurred one nothing of the hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handprep.transforms.compositing import blurred_background, covering, hand_colours, over, resampled

SKIN, WALL = np.array([90, 60, 50]), np.array([230, 235, 240])


def dark_disc_before_a_light_wall(size):
    """Return a disc with an edge as soft as a camera's, its alpha, and one that is a pixel too large."""
    truth, found = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    for mask, larger in ((truth, 0), (found, 1)):
        cv2.circle(mask, (size // 2, size // 2), size // 3 + larger, 255, cv2.FILLED)
    truth, found = (cv2.GaussianBlur(mask, (0, 0), 0.8) for mask in (truth, found))
    share = truth[..., None] / 255
    image = np.round(share * SKIN + (1 - share) * WALL).astype(np.uint8)
    return image, truth, found


@pytest.fixture
def dark_hand_before_a_light_wall():
    return dark_disc_before_a_light_wall(240)


@pytest.mark.parametrize("size", [240, 1500])
def test_no_rim_of_the_old_background_is_left(size):
    image, truth, _ = dark_disc_before_a_light_wall(size)
    plain = truth[..., None] / 255 * image
    assert over(image, truth, (0, 0, 0)).max() - SKIN.max() < 0.1 * (plain.max() - SKIN.max())


def test_where_alpha_is_a_pixel_off_it_is_no_worse_than_the_image_itself(dark_hand_before_a_light_wall):
    image, _, found = dark_hand_before_a_light_wall
    plain = found[..., None] / 255 * image
    assert over(image, found, (0, 0, 0)).max() < plain.max()


def test_with_the_true_alpha_the_result_is_as_if_the_hand_had_been_there(dark_hand_before_a_light_wall):
    image, truth, _ = dark_hand_before_a_light_wall
    share = truth[..., None] / 255
    expected = share * SKIN + (1 - share) * (0, 177, 64)
    np.testing.assert_allclose(over(image, truth, (0, 177, 64)), expected, atol=5)


def test_inside_the_hand_and_outside_of_it_nothing_is_mixed(dark_hand_before_a_light_wall):
    image, truth, _ = dark_hand_before_a_light_wall
    noisy = image ^ np.random.default_rng(0).integers(0, 8, image.shape, np.uint8)
    done = over(noisy, truth, (1, 2, 3))
    inside = cv2.erode(truth, np.ones((9, 9), np.uint8)) == 255
    np.testing.assert_array_equal(done[inside], noisy[inside])
    assert (done[truth == 0] == (1, 2, 3)).all()


def test_where_alpha_is_0_nothing_is_left(dark_hand_before_a_light_wall):
    image, _, found = dark_hand_before_a_light_wall
    assert not hand_colours(image, found)[found == 0].any()


def test_shading_along_the_edge_stays(dark_hand_before_a_light_wall):
    image, truth, _ = dark_hand_before_a_light_wall
    y, x = np.mgrid[:240, :240]
    away = np.hypot(x - 120, y - 120) / 80  # 1 at the edge, where the hand gets dark
    shaded = SKIN * (1.4 - 0.8 * away.clip(0, 1)[..., None])
    share = truth[..., None] / 255
    image = np.round(share * shaded + (1 - share) * WALL).astype(np.uint8)
    rim = (truth > 60) & (away > 0.9)
    errors = np.abs(hand_colours(image, truth)[rim] - shaded[rim])
    assert errors.mean() < 2  # of 255; a mean of the surroundings in its place is off by 4


def test_detail_along_the_edge_of_a_large_image_stays():
    _, truth, _ = dark_disc_before_a_light_wall(1500)
    share = truth[..., None] / 255
    textured = SKIN + np.random.default_rng(0).integers(-15, 16, (1500, 1500, 1))
    image = np.round(share * textured + (1 - share) * WALL).astype(np.uint8)
    rim = (truth > 200) & (truth < 255)
    errors = np.abs(hand_colours(image, truth)[rim] - textured[rim])
    assert errors.mean() < 2  # 0.85; without the detail some 8


def test_a_resampled_edge_has_the_hands_colour_alone():
    image = np.full((40, 40, 3), 200, np.uint8)
    alpha = np.zeros((40, 40), np.uint8)
    image[:, 20:], alpha[:, 21:] = (90, 60, 50), 255
    alpha[:, 20] = 90

    def shrink(array):
        return cv2.resize(array, (8, 8), interpolation=cv2.INTER_AREA)

    colours, small = resampled(image, alpha, shrink), shrink(alpha)
    assert (colours[small > 0] == (90, 60, 50)).all()
    assert not colours[small == 0].any()


def test_a_resampling_that_overshoots_beside_an_edge_leaves_white_white_and_black_black():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 255

    def enlarge(array):
        return cv2.resize(array, (100, 100), interpolation=cv2.INTER_LANCZOS4)

    colours = resampled(image, np.full((40, 40), 255, np.uint8), enlarge)
    assert colours[:, :45].max() < 60
    assert colours[:, 55:].min() > 195


def test_a_large_picture_is_averaged_where_it_covers_a_small_one():
    checks = (np.indices((300, 300)).sum(0) % 2 * 255).astype(np.uint8)
    shown = covering(np.repeat(checks[..., None], 3, axis=2), (60, 60))
    np.testing.assert_allclose(shown, 127.5, atol=6)  # bilinear sampling would see one pixel of 25


@pytest.mark.parametrize("size", [(80, 80), (20, 20), (10, 40)])
def test_of_a_picture_that_covers_the_middle_is_seen_and_its_aspect_kept(size):
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = 200  # a square in the middle
    for picture, wanted in ((wide, size), (wide.swapaxes(0, 1), size[::-1])):
        shown = covering(np.ascontiguousarray(picture), wanted)
        assert shown.shape == (wanted[1], wanted[0], 3)
        assert (shown[1:-1, 1:-1] == 200).all()  # at its edge, neighbours are mixed in


def test_the_blurred_background_has_nothing_of_the_hand():
    image = np.zeros((150, 200, 3), np.uint8)
    image[:] = 0, 0, 200
    image[50:100, 60:140] = 250, 0, 0
    alpha = np.where(image[..., 0] > 0, np.uint8(255), np.uint8(0))
    blurred = blurred_background(image, alpha)
    assert blurred[..., 0].max() <= 1
    assert blurred[..., 2].min() >= 199


def test_the_blurred_background_has_nothing_of_a_hand_whose_alpha_is_a_little_small():
    image = np.zeros((900, 1200, 3), np.uint8)
    image[:] = 0, 0, 200
    image[300:600, 400:800] = 250, 0, 0
    alpha = np.zeros((900, 1200), np.uint8)
    alpha[306:594, 406:794] = 255  # a 150th of the long side is 8 pixels
    assert blurred_background(image, alpha)[..., 0].max() <= 1


def test_the_blurred_background_has_no_detail():
    image = np.zeros((150, 200, 3), np.uint8)
    image[:, ::2] = 255  # stripes
    alpha = np.zeros((150, 200), np.uint8)
    alpha[60:90, 80:120] = 255
    assert np.ptp(blurred_background(image, alpha)[:, 20:-20].astype(int)) < 30


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (90, 120)])
def test_all_hand_and_no_hand_are_borne(value, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    alpha = np.full(shape, value, np.uint8)
    np.testing.assert_array_equal(over(image, alpha, (9, 9, 9)), image if value else np.full_like(image, 9))
    assert blurred_background(image, alpha).shape == image.shape
