"""GrabCut on rendered hands: hand and forearm are found, everywhere and always in the same way."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handprep import geometry
from handprep.configurable import Configurable
from handprep.errors import InputError
from handprep.sample import Hand
from handprep.segmentation.base import Segmenter
from handprep.segmentation.grabcut import GrabCut
from tests.rendered import photos
from tests.segmentation.cases import cropped, iou, one, whole


def found(sample, **parameters):
    return GrabCut(**parameters).segment(sample.image, sample.hands)


# 0.971 and 0.96 on average, and 0.87 at worst, where a hand lies on a floor of its own colour
@pytest.mark.parametrize(("view", "least_mean"), [(cropped, 0.96), (whole, 0.95)])
def test_hand_and_forearm_are_found(view, least_mean):
    overlaps = [iou(found(sample), sample.alpha) for sample in map(view, photos())]
    assert np.mean(overlaps) > least_mean
    assert min(overlaps) > 0.8


def test_landmarks_that_are_a_little_off_do_little_harm():
    overlaps = []
    for number, photo in enumerate(photos()[::3]):
        sample = cropped(photo)
        errors = np.random.default_rng(number).normal(0, 0.04, (21, 2)) * max(sample.size)
        hand = replace(sample.hand, landmarks=sample.hand.landmarks + errors.astype(np.float32))
        overlaps.append(iou(GrabCut().segment(sample.image, (hand,)), sample.alpha))
    assert np.mean(overlaps) > 0.9


def test_a_box_alone_finds_most_of_the_hand():
    overlaps = []
    for photo in photos():
        sample = cropped(photo)
        boxed = Hand(box=sample.hand.box, score=1.0)
        overlaps.append(iou(GrabCut().segment(sample.image, (boxed,)), sample.alpha))
    assert np.mean(overlaps) > 0.8


def test_without_a_hand_the_middle_is_taken_for_one():
    overlaps = []
    for photo in photos():
        sample = cropped(photo)
        overlaps.append(iou(GrabCut().segment(sample.image, ()), sample.alpha))
    assert np.mean(overlaps) > 0.8


def test_grey_pictures_have_enough_to_go_by():
    overlaps = []
    for photo in photos()[::3]:
        sample = cropped(photo)
        grey = cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY)
        overlaps.append(iou(GrabCut().segment(np.dstack([grey] * 3), sample.hands), sample.alpha))
    assert np.mean(overlaps) > 0.85


def test_several_hands_are_found_together():
    left, right = one("paper", 0), one("scissors", 1)
    picture = np.hstack([left.image, right.image])
    hands = (left.hand, right.hand.moved(geometry.translation(left.size[0], 0)))
    alpha = GrabCut().segment(picture, hands)
    assert iou(alpha, np.hstack([left.alpha, right.alpha])) > 0.9


def test_a_hand_outside_of_the_picture_is_not_in_it():
    sample = one("paper")
    away = sample.hand.moved(geometry.translation(5000, 0))
    assert not GrabCut().segment(sample.image, (away,)).any()
    both = GrabCut().segment(sample.image, (sample.hand, away))
    np.testing.assert_array_equal(both, found(sample))


def test_a_large_picture_is_cut_as_well_as_a_small_one():
    sample = one("paper")
    factor = 5
    size = sample.size[0] * factor, sample.size[1] * factor
    large = cv2.resize(sample.image, size, interpolation=cv2.INTER_CUBIC)
    truth = cv2.resize(sample.alpha, size, interpolation=cv2.INTER_LINEAR)
    alpha = GrabCut().segment(large, (sample.hand.moved(geometry.scaling(factor, factor)),))
    assert alpha.shape == truth.shape
    assert iou(alpha, truth) > iou(found(sample), sample.alpha) - 0.01


def test_a_mirrored_picture_has_the_mirrored_mask():
    sample = one("scissors")
    mirrored = sample.hand.moved(geometry.mirroring(sample.size[0]))
    alpha = GrabCut().segment(np.ascontiguousarray(sample.image[:, ::-1]), (mirrored,))
    assert iou(alpha[:, ::-1], found(sample)) > 0.98  # pixels are drawn and halved from the left


def test_threads_repeats_and_seeds_change_nothing():
    samples = [cropped(photo) for photo in photos()[:6]]
    cv2.setRNGSeed(1)
    alone = [found(sample) for sample in samples]
    cv2.setRNGSeed(2)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(found, samples * 2))
    for first, second in zip(alone * 2, together, strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_picture_is_not_changed():
    sample = one("rock")
    before = sample.image.copy()
    found(sample)
    np.testing.assert_array_equal(sample.image, before)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (40, 2, 3), (30, 40, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_tiny_pictures_and_pictures_of_one_colour_are_borne(shape, value):
    picture = np.full(shape, value, np.uint8)
    hands = (Hand(box=(0, 0, shape[1], shape[0]), score=1.0),)
    for given_hands in (hands, ()):
        assert GrabCut().segment(picture, given_hands).shape == shape[:2]


coordinates = st.floats(-1e6, 1e6) | st.floats(-20, 80)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 2**32),
    st.lists(st.tuples(coordinates, coordinates), min_size=21, max_size=21),
    st.booleans(),
)
def test_no_picture_and_no_hand_breaks_it(height, width, seed, points, boxed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    landmarks = np.array(points, np.float32)
    hand = Hand(box=geometry.enclosing_box(landmarks), score=0.5, landmarks=None if boxed else landmarks)
    alpha = GrabCut(iterations=1, resolution=16).segment(picture, (hand,))
    assert alpha.shape == (height, width)
    assert alpha.dtype == np.uint8


def test_it_is_known_by_its_parameters():
    segmenter = GrabCut(iterations=3)
    assert isinstance(segmenter, Segmenter)
    assert repr(segmenter) == "GrabCut(iterations=3, resolution=64)"
    assert pickle.loads(pickle.dumps(segmenter)) == segmenter
    assert Configurable.from_dict(segmenter.to_dict()) == segmenter
    assert segmenter.model_files == frozenset()


@pytest.mark.parametrize(
    "parameters", [{"iterations": 0}, {"iterations": "2"}, {"iterations": 1.5}, {"resolution": 8}]
)
def test_parameters_out_of_range_are_refused(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        GrabCut(**parameters)


def test_other_pictures_are_refused():
    with pytest.raises(InputError, match=r"RGB array, not uint8 \(9, 9\)"):
        GrabCut().segment(np.zeros((9, 9), np.uint8), ())
