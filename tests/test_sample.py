"""Samples and hands: what a constructor refuses, and what moves along."""

from __future__ import annotations

import numpy as np
import pytest

from handprep import geometry
from handprep.errors import InputError
from handprep.sample import Hand, Sample

LANDMARKS = np.random.default_rng(0).uniform(10, 90, (21, 2)).astype(np.float32)


def a_hand(**changes):
    return Hand(**{"landmarks": LANDMARKS, "box": geometry.enclosing_box(LANDMARKS), "score": 0.9, **changes})


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_an_image_of_the_wrong_kind_is_refused(image):
    with pytest.raises(InputError, match="uint8"):
        Sample(image=image)


def test_an_alpha_of_another_size_is_refused():
    with pytest.raises(InputError, match="alpha"):
        Sample(image=np.zeros((4, 4), np.uint8), alpha=np.zeros((4, 5), np.uint8))


def test_a_sample_is_read_only_and_leaves_the_callers_array_writable():
    image = np.zeros((4, 4, 3), np.uint8)
    sample = Sample(image=image)
    with pytest.raises(ValueError, match="read-only"):
        sample.image[0, 0] = 1
    image[0, 0] = 1


WORLD = np.random.default_rng(1).uniform(-0.1, 0.1, (21, 3)).astype(np.float32)
DEPTH = np.random.default_rng(2).uniform(-40, 10, 21).astype(np.float32)


@pytest.mark.parametrize(
    "changes",
    [
        {"box": (0, 0, np.nan, 1)},
        {"landmarks": LANDMARKS[:20]},
        {"landmarks": LANDMARKS * np.nan},
        {"depth": DEPTH[:, None]},
        {"world": WORLD[:, :2]},
        {"handedness_score": np.inf},
    ],
)
def test_a_hand_with_impossible_numbers_is_refused(changes):
    with pytest.raises(InputError):
        a_hand(**changes)


def test_mirroring_makes_a_left_hand_a_right_hand():
    hand = a_hand(handedness="Left").moved(geometry.mirroring(100))
    assert hand.handedness == "Right"
    np.testing.assert_allclose(hand.landmarks[:, 0], 100 - LANDMARKS[:, 0], rtol=1e-6)


def test_world_landmarks_turn_and_mirror_with_the_image_and_keep_their_lengths():
    hand = a_hand(world=WORLD)
    turned = hand.moved(geometry.compose(geometry.rotation(np.pi / 2), geometry.scaling(3, 3)))
    np.testing.assert_allclose(turned.world, WORLD[:, [1, 0, 2]] * [-1, 1, 1], atol=1e-7)
    mirrored = hand.moved(geometry.mirroring(100))
    np.testing.assert_array_equal(mirrored.world, WORLD * np.float32([-1, 1, 1]))
    assert hand.moved(geometry.scaling(2, 2)).world is hand.world


def test_depth_scales_with_the_image_and_survives_mirroring():
    hand = a_hand(depth=DEPTH)
    forward = geometry.compose(geometry.scaling(2, 2), geometry.mirroring(50), geometry.rotation(1))
    np.testing.assert_allclose(hand.moved(forward).depth, 2 * DEPTH, rtol=1e-6)


def test_a_turned_hand_has_the_box_of_its_landmarks():
    hand = a_hand().moved(geometry.rotation(0.5))
    np.testing.assert_allclose(hand.box, geometry.enclosing_box(hand.landmarks), atol=1e-4)


def test_what_a_moved_sample_knows_leads_back_to_the_source():
    forward = geometry.compose(geometry.translation(-5, -7), geometry.scaling(2, 3))
    sample = Sample(image=np.zeros((90, 90, 3), np.uint8), hands=(a_hand(),))
    moved = sample.moved(forward, np.zeros((20, 20, 3), np.uint8), None)
    np.testing.assert_allclose(geometry.apply(moved.to_source, moved.hand.landmarks), LANDMARKS, atol=1e-3)
