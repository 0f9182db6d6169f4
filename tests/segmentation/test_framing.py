"""How hands are shown to the matting network: upright, whole, with their bones drawn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handprep import geometry
from handprep.landmarks import PALM, HandLandmark
from handprep.sample import Hand
from handprep.segmentation import framing, prior
from tests.segmentation.cases import one

SIDE = 160


@pytest.mark.parametrize("turn", [0.0, 1.0, 2.5, -2.0])
@pytest.mark.parametrize("label", ["rock", "paper", "scissors"])
def test_the_window_holds_the_hand_with_its_fingers_up(label, turn):
    hand = one(label).hand.transformed(geometry.rotation(turn))
    landmarks = hand.transformed(framing.window(hand, SIDE)).landmarks
    assert landmarks.min() > 0
    assert landmarks.max() < SIDE
    down = prior.down_the_arm(landmarks)
    np.testing.assert_allclose(down, (0, 1), atol=1e-4)


def test_the_window_has_room_for_a_forearm():
    hand = one("paper").hand
    seen = hand.transformed(framing.window(hand, SIDE))
    below = SIDE - seen.landmarks[HandLandmark.WRIST, 1]
    assert below > framing.FOREARM * prior.palm_length(seen)


def test_the_window_does_not_depend_on_how_the_picture_lies():
    hand = one("scissors").hand
    turned = hand.transformed(geometry.compose(geometry.rotation(0.7), geometry.scaling(2, 2)))
    first, second = (h.transformed(framing.window(h, SIDE)).landmarks for h in (hand, turned))
    np.testing.assert_allclose(first, second, atol=0.01)  # landmarks are 32-bit floats


def test_a_box_alone_is_shown_upright_with_room_around_it():
    hand = Hand(box=(10, 20, 50, 100), score=1.0)
    x0, y0, x1, y1 = hand.transformed(framing.window(hand, SIDE)).box
    assert (x0 + x1) / 2 == pytest.approx(SIDE / 2)
    assert (y0 + y1) / 2 == pytest.approx(SIDE / 2)
    assert y1 - y0 == pytest.approx(SIDE / (1 + 2 * framing.ROOM_OF_BOX))


def test_bones_are_drawn_where_the_landmarks_are():
    hand = one("paper").hand
    seen = hand.transformed(framing.window(hand, SIDE))
    drawn = framing.drawing(seen, SIDE)
    x, y = seen.landmarks[: HandLandmark.MIDDLE_FINGER_MCP + 1].astype(int).T
    assert (drawn[y, x] > 100).all()
    assert drawn[0].max() == 0
    palm = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(palm, [seen.landmarks[PALM].round().astype(np.int32)], 1)
    assert drawn[cv2.erode(palm, np.ones((5, 5), np.uint8)) > 0].min() > 200


def test_nothing_is_drawn_for_a_box():
    assert not framing.drawing(Hand(box=(10, 10, 60, 60), score=1.0), SIDE).any()


def test_landmarks_that_coincide_have_a_direction():
    landmarks = np.full((21, 2), 5.0, np.float32)
    np.testing.assert_array_equal(prior.down_the_arm(landmarks), (0, 1))
    assert np.isfinite(framing.window(Hand(box=(5, 5, 5, 5), score=1.0, landmarks=landmarks), SIDE)).all()


def test_the_wrist_line_parts_fingers_and_arm():
    landmarks = one("paper").hand.landmarks
    down, offset = framing.wrist_line(landmarks, 100.0, 0.2)
    assert landmarks[HandLandmark.WRIST] @ down == pytest.approx(offset - 20, abs=0.01)
    assert (landmarks @ down < offset).all()
