"""HandMatte with the network that handprep ships, on rendered hands, which it was not trained on."""

from __future__ import annotations

import hashlib
import multiprocessing
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
from handprep.errors import InputError, ModelError
from handprep.landmarks import PALM
from handprep.pipeline import Pipeline
from handprep.sample import Hand
from handprep.segmentation import framing, matte, prior
from handprep.segmentation.base import Segmenter
from handprep.segmentation.matte import HandMatte
from handprep.transforms.background import BackgroundRemover
from tests.benchmarks.mask_scores import gap_iou
from tests.rendered import photos
from tests.segmentation.cases import cropped, iou, one, whole


def found(sample, **parameters):
    return HandMatte(**parameters).segment(sample.image, sample.hands)


# 0.966 and 0.96 on average, and 0.78 at worst, where a hand lies before a ground of its own colour
@pytest.mark.parametrize("view", [cropped, whole])
def test_hand_and_forearm_are_found(view):
    overlaps = [iou(found(sample), sample.alpha) for sample in map(view, photos())]
    assert np.mean(overlaps) > 0.95
    assert min(overlaps) > 0.75


def test_gaps_between_fingers_stay_open():
    papers = [cropped(photo) for photo in photos() if photo.label == "paper"]
    gaps = [gap_iou(found(sample), sample.alpha) for sample in papers]
    assert np.mean([gap for gap in gaps if gap is not None]) > 0.85


def test_the_palm_has_no_holes():
    for photo in photos():
        sample = cropped(photo)
        points = sample.hand.landmarks[PALM].round().astype(np.int32)
        palm = cv2.fillPoly(np.zeros(sample.image.shape[:2], np.uint8), [points], 1)
        inside = found(sample)[(palm > 0) & (sample.alpha > 127)]
        assert np.mean(inside > 127) > 0.97


def test_only_the_hand_ends_at_the_wrist():
    sample = one("paper")
    arm, hand = found(sample), found(sample, keep="hand")
    length = prior.palm_length(sample.hand)
    down, offset = framing.wrist_line(sample.hand.landmarks, length, matte.BELOW_WRIST)
    y, x = np.mgrid[: sample.size[1], : sample.size[0]] + 0.5
    beyond = x * down[0] + y * down[1] - offset
    assert arm[beyond > 1].any()
    assert not hand[beyond > 1].any()
    np.testing.assert_array_equal(hand[beyond < -1], arm[beyond < -1])


def test_a_finger_that_reaches_below_the_wrist_stays():
    landmarks = one("paper").hand.landmarks.copy()
    down, _ = framing.wrist_line(landmarks, 1.0, 0.0)
    length = prior.palm_length(one("paper").hand)
    landmarks[17:21] = (
        landmarks[0] + np.outer([0.2, 0.4, 0.6, 0.8], down * length) + 0.4 * length * down[::-1]
    )
    bent = Hand(box=geometry.enclosing_box(landmarks), score=1.0, landmarks=landmarks)
    kept = matte._without_arm(np.full((360, 480), 255, np.uint8), bent)
    x, y = landmarks[19:21].mean(0).astype(int)
    assert kept[y, x] == 255
    assert not kept.all()


def test_several_hands_are_found_together():
    left, right = one("paper", 0), one("scissors", 1)
    picture = np.hstack([left.image, right.image])
    hands = (left.hand, right.hand.transformed(geometry.translation(left.size[0], 0)))
    alpha = HandMatte().segment(picture, hands)
    assert iou(alpha, np.hstack([left.alpha, right.alpha])) > 0.9


def test_another_hand_that_is_not_asked_for_is_background():
    left, right = one("paper", 0), one("scissors", 1)
    picture = np.hstack([left.image, right.image])
    alpha = HandMatte().segment(picture, (left.hand,))
    assert iou(alpha, np.hstack([left.alpha, np.zeros_like(right.alpha)])) > 0.9


def test_what_has_the_hands_colour_and_does_not_touch_it_is_dropped():
    sample = one("paper")
    x, y = sample.hand.landmarks[9].astype(int)
    left, middle = int(sample.hand.box[0]) - 40, int(sample.hand.box[1] + sample.hand.box[3]) // 2
    patch = np.s_[middle : middle + 24, left : left + 24]
    image = sample.image.copy()
    image[patch] = image[y - 12 : y + 12, x - 12 : x + 12]
    alpha = HandMatte().segment(image, sample.hands)
    assert not alpha[patch].any()
    assert iou(alpha, sample.alpha) > 0.9


def test_a_box_alone_finds_most_of_the_hand():
    overlaps = []
    for photo in photos():
        sample = cropped(photo)
        boxed = Hand(box=sample.hand.box, score=1.0)
        overlaps.append(iou(HandMatte().segment(sample.image, (boxed,)), sample.alpha))
    assert np.mean(overlaps) > 0.85


def test_without_a_hand_the_picture_is_taken_to_show_one():
    overlaps = []
    for photo in photos():
        sample = cropped(photo)
        overlaps.append(iou(HandMatte().segment(sample.image, ()), sample.alpha))
    assert np.mean(overlaps) > 0.8


def test_landmarks_that_are_a_little_off_do_little_harm():
    overlaps = []
    for number, photo in enumerate(photos()[::3]):
        sample = cropped(photo)
        errors = np.random.default_rng(number).normal(0, 0.04, (21, 2)) * max(sample.size)
        hand = replace(sample.hand, landmarks=sample.hand.landmarks + errors.astype(np.float32))
        overlaps.append(iou(HandMatte().segment(sample.image, (hand,)), sample.alpha))
    assert np.mean(overlaps) > 0.9


def test_a_turned_picture_has_the_turned_mask():
    sample = one("scissors")
    height = sample.size[1]
    turning = geometry.compose(geometry.rotation(np.pi / 2), geometry.translation(height, 0))
    turned = np.ascontiguousarray(np.rot90(sample.image, -1))
    alpha = HandMatte().segment(turned, (sample.hand.transformed(turning),))
    assert iou(np.rot90(alpha), found(sample)) > 0.98  # the window is the same but for rounding


def test_a_large_picture_is_cut_as_well_as_a_small_one():
    sample = one("paper")
    factor = 5
    size = sample.size[0] * factor, sample.size[1] * factor
    large = cv2.resize(sample.image, size, interpolation=cv2.INTER_CUBIC)
    truth = cv2.resize(sample.alpha, size, interpolation=cv2.INTER_LINEAR)
    alpha = HandMatte().segment(large, (sample.hand.transformed(geometry.scaling(factor, factor)),))
    assert alpha.shape == truth.shape
    assert iou(alpha, truth) > iou(found(sample), sample.alpha) - 0.015


def test_a_hand_outside_of_the_picture_is_not_in_it():
    sample = one("paper")
    away = sample.hand.transformed(geometry.translation(5000, 0))
    assert not HandMatte().segment(sample.image, (away,)).any()


def test_the_confidence_compares_network_and_cut_so_the_fast_way_has_none():
    sample = one("paper")
    _, confidence = HandMatte().segment_rated(sample.image, sample.hands)
    assert 0.8 < confidence < 0.99  # never quite the same
    assert HandMatte(fast=True).segment_rated(sample.image, sample.hands)[1] is None


def test_threads_and_repeats_change_nothing():
    samples = [cropped(photo) for photo in photos()[:4]]
    alone = [found(sample) for sample in samples]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(found, samples * 2))
    for first, second in zip(alone * 2, together, strict=True):
        np.testing.assert_array_equal(first, second)


def _hashed(sample):
    return hashlib.sha256(found(sample).tobytes()).hexdigest()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_worker_opens_its_own():
    sample = one("rock")
    here = _hashed(sample)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_hashed, (sample,)).get(timeout=60) == here


coordinates = st.floats(-1e6, 1e6) | st.floats(-20, 80)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 2**32),
    st.lists(st.tuples(coordinates, coordinates), min_size=21, max_size=21),
    st.booleans(),
)
def test_no_picture_and_no_hand_breaks_it(height, width, seed, points, boxed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    before = picture.copy()
    landmarks = np.array(points, np.float32)
    hand = Hand(box=geometry.enclosing_box(landmarks), score=0.5, landmarks=None if boxed else landmarks)
    alpha = HandMatte(keep="hand").segment(picture, (hand,))
    assert alpha.shape == (height, width)
    assert alpha.dtype == np.uint8
    np.testing.assert_array_equal(picture, before)


def test_it_is_known_by_its_parameters():
    segmenter = HandMatte(keep="hand")
    assert isinstance(segmenter, Segmenter)
    assert repr(segmenter) == "HandMatte(keep='hand', fast=False, network=None, threads=1)"
    assert pickle.loads(pickle.dumps(segmenter)) == segmenter
    assert Configurable.from_dict(segmenter.to_dict()) == segmenter


def test_the_shipped_network_is_the_one_that_was_measured():
    assert hashlib.sha256(matte.NETWORK.read_bytes()).hexdigest() == matte.SHA256
    assert matte.NETWORK.stat().st_size < 4_000_000


def test_another_network_gives_another_fingerprint(tmp_path):
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(matte.NETWORK.read_bytes())
    pipeline = Pipeline([BackgroundRemover(method=HandMatte(network=str(mine)))])
    before = pipeline.fingerprint()
    mine.write_bytes(matte.NETWORK.read_bytes() + b"\0")
    assert pipeline.fingerprint() != before


def test_a_damaged_network_is_refused(tmp_path, monkeypatch):
    damaged = tmp_path / "hand_matte.onnx"
    content = bytearray(matte.NETWORK.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setattr(matte, "NETWORK", damaged)
    sample = one("rock")
    with pytest.raises(ModelError, match="not the network that handprep ships"):
        found(sample)
    damaged.write_bytes(content[:1000])
    with pytest.raises(ModelError, match="cannot open the matting network"):
        found(sample, network=str(damaged))


@pytest.mark.parametrize("parameters", [{"keep": "fingers"}, {"fast": "yes"}, {"threads": 0}, {"network": 3}])
def test_parameters_out_of_range_are_refused(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        HandMatte(**parameters)


def test_a_network_that_is_not_there_is_refused_at_once():
    with pytest.raises(ModelError, match="is not there"):
        HandMatte(network="nowhere.onnx")


def test_other_pictures_are_refused():
    with pytest.raises(InputError, match=r"RGB array, not uint8 \(9, 9\)"):
        HandMatte().segment(np.zeros((9, 9), np.uint8), ())
