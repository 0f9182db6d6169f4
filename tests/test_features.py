"""Features of a hand: what they mean, and what they do not depend on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handprep import Hand, HandCropper, InputError, features, geometry
from tests.rendered import photos

TRUTH = {truth.path.stem: truth for truth in photos()}


def a_hand(seed, handedness="Right"):
    """A hand of random landmarks, none of which lie in one point."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(20, 180, (21, 2))
    return Hand(
        landmarks=points,
        depth=rng.uniform(-80, 80, 21),
        world=rng.uniform(-0.1, 0.1, (21, 3)),
        box=geometry.enclosing_box(points),
        score=0.9,
        handedness=handedness,
    )


def detected(name):
    return HandCropper().run(TRUTH[name].path).hand


moves = st.builds(
    lambda turn, scale, mirrored, x, y: geometry.compose(
        geometry.rotation(turn),
        geometry.scaling(-scale if mirrored else scale, scale),
        geometry.translation(x, y),
    ),
    turn=st.floats(-4, 4),
    scale=st.floats(0.1, 10),
    mirrored=st.booleans(),
    x=st.floats(-500, 500),
    y=st.floats(-500, 500),
)


IN_SPACE = [features.palm_frame, features.joint_angles]
ALL = [*features.FEATURES.values(), *(partial(function, source="world") for function in IN_SPACE)]


@pytest.mark.parametrize("function", ALL)
@given(seed=st.integers(0, 1000), side=st.sampled_from(["Left", "Right"]), move=moves)
def test_they_do_not_depend_on_turn_mirror_scale_and_shift_of_the_photo(function, seed, side, move):
    hand = a_hand(seed, side)
    np.testing.assert_allclose(function(hand.transformed(move)), function(hand), atol=1e-4)


def turned_in_space(hand, seed):
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    rotation[:, 0] *= np.sign(np.linalg.det(rotation))
    space = np.column_stack([hand.landmarks, hand.depth]) @ rotation.T
    return replace(hand, world=hand.world @ rotation.T, landmarks=space[:, :2], depth=space[:, 2])


@pytest.mark.parametrize("source", ["depth", "world"])
@pytest.mark.parametrize("function", IN_SPACE)
@given(seed=st.integers(0, 1000))
def test_what_is_made_in_space_does_not_depend_on_how_the_hand_is_held(function, source, seed):
    hand = a_hand(seed)
    turned = turned_in_space(hand, seed)
    np.testing.assert_allclose(function(turned, source), function(hand, source), atol=1e-4)


@pytest.mark.parametrize("name", features.FEATURES)
def test_each_has_float32_numbers_and_a_name_for_every_one(name):
    numbers = features.FEATURES[name](a_hand(0))
    assert numbers.dtype == np.float32
    assert len(set(features.NAMES[name])) == numbers.size == len(features.NAMES[name])


@pytest.mark.parametrize("name", ["paper-001", "paper-004", "paper-022", "paper-034"])  # palms and backs
def test_normalised_is_an_upright_right_hand_of_size_one(name):
    points = features.normalised(detected(name))
    np.testing.assert_allclose(points[0], 0, atol=1e-6)
    np.testing.assert_allclose(points[9, 0], 0, atol=1e-6)
    assert points[9, 1] < 0
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1)


@pytest.mark.parametrize("name", ["scissors-002", "scissors-008", "rock-003", "rock-012"])  # palms and backs
def test_the_palm_faces_the_viewer_with_thumb_right_and_fingers_that_bend_towards_the_viewer(name):
    points = features.palm_frame(detected(name))
    np.testing.assert_allclose(points[9], [0, -1, 0], atol=1e-5)
    assert points[5, 0] > points[17, 0]  # the index finger is right of the little one
    assert points[2, 0] > 0  # and so is the thumb
    curled = points[[16, 20], 2] - points[[13, 17], 2]  # tips of the ring and little finger
    assert (curled < 0).all()


def test_angles_tell_a_fist_from_an_open_hand():
    def bends(name):
        return features.joint_angles(detected(name))[3:15]  # of the four fingers

    assert bends("paper-022").mean() < 0.35
    assert bends("rock-003").mean() > 0.8


def test_a_straight_finger_has_no_bend_and_tips_are_measured_in_palms():
    world = np.zeros((21, 3), np.float32)
    for number, finger in enumerate(features.FINGERS):
        world[finger] = np.outer([1, 2, 3, 4], [0.02 * (number - 2), -0.05, 0])
    hand = replace(a_hand(0), world=world)
    numbers = dict(
        zip(
            features.NAMES["joint_angles"],
            features.joint_angles(hand, "world"),
            strict=True,
        )
    )
    assert numbers["index_finger_pip_angle"] == pytest.approx(0, abs=1e-6)
    assert numbers["middle_finger_tip_to_wrist"] == pytest.approx(4)
    assert numbers["middle_ring_spread"] == pytest.approx(np.arctan(0.4), abs=1e-6)


def test_landmarks_in_one_point_give_finite_numbers():
    hand = replace(a_hand(0), landmarks=np.ones((21, 2)), depth=np.ones(21), world=np.ones((21, 3)))
    for function in ALL:
        assert np.isfinite(function(hand)).all()


@pytest.mark.parametrize("name", features.FEATURES)
def test_a_hand_without_landmarks_is_refused(name):
    with pytest.raises(InputError, match="need a hand with"):
        features.FEATURES[name](Hand(box=(0, 0, 1, 1), score=0.9))
