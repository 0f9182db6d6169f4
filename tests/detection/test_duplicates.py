"""One hand that is reported twice is told from two hands that touch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handprep import geometry
from handprep.detection.base import are_same, without_duplicates
from handprep.sample import Hand

PALM = 100.0  # pixels: its longest side, from the wrist to the index's knuckle


def hand(score: float = 0.9) -> Hand:
    """Return a hand of 21 landmarks with a palm of 100 x 60 x 80 pixels."""
    landmarks = np.random.default_rng(0).uniform((0, 0), (100, 200), (21, 2)).astype(np.float32)
    landmarks[[0, 5, 17]] = (50, 200), (50, 100), (98, 136)  # wrist, knuckles of index and little finger
    return Hand(landmarks=landmarks, box=geometry.enclosing_box(landmarks), score=score)


def with_moved(first: Hand, count: int, pixels: float) -> Hand:
    """Return a hand of which so many landmarks lie elsewhere, in the same box but for a little."""
    assert first.landmarks is not None
    landmarks = first.landmarks.copy()
    fingers = [joint for joint in range(21) if joint not in (0, 5, 17)][:count]
    landmarks[fingers, 0] += pixels
    x0, y0, x1, y1 = first.box
    return replace(first, landmarks=landmarks, box=(x0, y0, x1, y1))


def beside(first: Hand, share: float) -> Hand:
    """Return a hand whose box is that of the first moved by a share of its width."""
    return first.transformed(geometry.translation(share * (first.box[2] - first.box[0]), 0))


def test_boxes_that_overlap_by_half_are_one_hand_whatever_the_landmarks():
    one = Hand(box=(0, 0, 100, 100), score=0.9)
    assert are_same(one, Hand(box=(0, 0, 100, 60), score=0.8))  # IoU 0.6
    assert not are_same(one, Hand(box=(0, 0, 100, 45), score=0.8))
    first = hand()
    assert are_same(first, with_moved(first, 18, 1000.0))


@pytest.mark.parametrize(("pixels", "same"), [(0.18 * PALM, True), (0.22 * PALM, False)])
def test_landmarks_within_a_fifth_of_the_palm_are_the_same(pixels: float, same: bool):
    first = hand()
    x0, y0, x1, y1 = first.box
    narrow = replace(first, box=(x0, y0, x0 + 0.4 * (x1 - x0), y1))  # IoU 0.4: the landmarks decide
    other = narrow.landmarks + np.float32([pixels, 0])
    assert are_same(first, replace(narrow, landmarks=other)) == same


def test_the_larger_palm_says_how_near_is_near():
    first = hand()
    x0, y0, x1, y1 = first.box
    narrow = replace(first, box=(x0, y0, x0 + 0.4 * (x1 - x0), y1))
    other = first.landmarks + np.float32([0.15 * PALM, 0])
    other[[0, 5, 17]] = other[0]  # a palm that points at the camera
    second = replace(narrow, landmarks=other)
    assert are_same(first, second)
    assert are_same(second, first)


@pytest.mark.parametrize(("common", "same"), [(9, False), (10, True), (11, True)])
def test_ten_common_landmarks_are_enough(common: int, same: bool):
    first = hand()
    x0, y0, x1, y1 = first.box
    other = with_moved(first, 21 - 3 - (common - 3), 500.0)
    assert are_same(first, replace(other, box=(x0, y0, x0 + 0.4 * (x1 - x0), y1))) == same


def test_hands_that_hardly_touch_are_two_also_with_common_landmarks():
    first = hand()
    x0, y0, x1, y1 = first.box
    assert not are_same(first, replace(first, box=(x0, y0, x0 + 0.15 * (x1 - x0), y1)))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_surest_of_each_hand_is_kept_in_the_given_order(order: tuple[int, ...]):
    sure, unsure = hand(0.9), hand(0.6)
    other = beside(hand(0.5), 3.0)
    hands = [(sure, unsure, other)[index] for index in order]
    assert without_duplicates(hands) == tuple(one for one in hands if one is not unsure)


def test_known_hands_are_kept_and_not_given_again():
    known, again, other = hand(0.2), hand(0.9), beside(hand(0.5), 3.0)
    assert without_duplicates([again, other], (known,)) == (other,)
