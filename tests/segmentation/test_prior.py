"""Where hand is likely: near the bones, along the forearm, in a box's middle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handprep import geometry
from handprep.sample import Hand
from handprep.segmentation import prior
from tests.rendered import photos
from tests.segmentation.cases import iou, one, whole


def test_the_likelier_half_is_much_of_the_hand_before_any_colour_is_seen():
    overlaps = []
    for photo in photos():
        sample = whole(photo)
        odds = prior.log_odds(sample.image.shape[:2], sample.hand)
        overlaps.append(iou(np.where(odds > 0, 255, 0), sample.alpha))
    assert np.mean(overlaps) > 0.55  # the forearm is not in it


def test_the_skeleton_lies_on_the_hand():
    on_hand = []
    for photo in photos():
        sample = whole(photo)
        bones = prior.bones(sample.image.shape[:2], sample.hand) > 0
        on_hand.append(np.mean(sample.alpha[bones] > 0))
    assert min(on_hand) > 0.9  # landmarks hidden behind the hand are joined by straight lines


def test_nothing_out_of_reach_is_likely():
    sample = one("paper")
    height, width = sample.image.shape[:2]
    odds = prior.log_odds((height, width), sample.hand)
    x0, y0, x1, y1 = prior.reach(sample.hand)
    rows, columns = np.mgrid[:height, :width]
    outside = (columns < x0 - 1) | (columns > x1) | (rows < y0 - 1) | (rows > y1)
    assert outside.any()
    assert odds[outside].max() < -4


def test_a_box_alone_says_nothing():
    assert not prior.log_odds((100, 120), Hand(box=(20, 30, 100, 90), score=1.0)).any()


def test_of_a_box_alone_nothing_is_certain():
    assert not prior.bones((150, 160), Hand(box=(30, 60, 120, 120), score=1.0)).any()


def test_a_hand_seen_from_its_edge_is_no_shorter_than_it_is():
    hand = one("paper").hand
    length = prior.palm_length(hand)
    thin = replace(hand, landmarks=hand.landmarks * (0.3, 1.0))
    assert prior.palm_length(thin) > 0.7 * length
    boxed = Hand(box=(10, 20, 50, 120), score=1.0)
    assert prior.palm_length(boxed) == 50  # half of its long side


def test_where_the_palm_points_at_the_camera_its_width_and_the_fingers_say_how_long_it_is():
    landmarks = np.full((21, 2), (50.0, 150.0), np.float32)
    landmarks[[8, 12, 16, 20]] = (45, 50), (50, 50), (55, 50), (60, 50)  # finger tips straight above it
    of_fingers = Hand(landmarks=landmarks, box=geometry.enclosing_box(landmarks), score=1.0)
    assert prior.palm_length(of_fingers) == pytest.approx(0.4 * 100)
    landmarks[[5, 17]] = (20, 150), (80, 150)  # knuckles left and right of the wrist
    assert prior.palm_length(replace(of_fingers, landmarks=landmarks)) == pytest.approx(1.3 * 60)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_palm_is_as_long_as_the_picture_is_scaled(factor):
    hand = one("scissors").hand
    assert hand is not None
    larger = hand.transformed(geometry.scaling(factor, factor))
    assert prior.palm_length(larger) == pytest.approx(factor * prior.palm_length(hand), rel=1e-5)
    boxed = replace(hand, landmarks=None)
    assert prior.palm_length(boxed) > 0


def test_a_hand_outside_of_the_picture_is_unlikely_in_it():
    hand = one("paper").hand.transformed(geometry.translation(2000, 0))
    assert prior.log_odds((60, 80), hand).max() < -10
    assert not prior.bones((60, 80), hand).any()
