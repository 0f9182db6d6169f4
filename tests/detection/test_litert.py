"""MediaPipe's networks on LiteRT: the classic API's results, and hands where hands are."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from handprep import images
from handprep.detection.litert import LiteRTDetector
from handprep.detection.region import region_of_landmarks
from handprep.errors import InputError
from tests.rendered import photos

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
MEDIAPIPE_LABEL = {"Left": "Right", "Right": "Left"}  # it labels hands as if the picture were mirrored


@pytest.fixture(scope="module")
def detected():
    return [(photo, LiteRTDetector().detect(images.read(photo.path).image)) for photo in photos()]


@pytest.mark.golden
@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the reference pictures do not ship with the project")
def test_the_hands_are_those_of_the_classic_api():
    recorded = json.loads((GOLDEN / "mediapipe-hands-0.10.21.json").read_text())["images"]
    distances, miscounted = [], []
    for name, expected in recorded.items():
        hands = LiteRTDetector().detect(images.read(GOLDEN / "images" / name).image)
        if len(hands) != len(expected):
            miscounted.append(name)
            continue
        for hand, wanted in zip(hands, expected, strict=True):
            distances.append(np.linalg.norm(hand.landmarks - wanted["landmarks"], axis=1).max())
            assert hand.handedness == MEDIAPIPE_LABEL[wanted["handedness"]], name
    assert len(miscounted) <= 1, miscounted
    assert np.median(distances) <= 0.05  # measured 0.005
    assert max(distances) <= 1  # measured 0.05


@pytest.mark.golden
@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the reference pictures do not ship with the project")
def test_world_landmarks_depth_and_the_score_of_the_side_are_those_of_the_classic_api():
    recorded = json.loads((GOLDEN / "mediapipe-hands-0.10.21-world.json").read_text())["images"]
    world, depth, score = [], [], []
    for name, expected in recorded.items():
        image = images.read(GOLDEN / "images" / name).image
        for hand, wanted in zip(LiteRTDetector().detect(image), expected, strict=True):
            world.append(np.linalg.norm(hand.world - wanted["world"], axis=1).max())
            z = np.array(wanted["landmarks"])[:, 2] * image.shape[1]  # as shares of the width
            depth.append(np.abs(hand.depth - z).max())
            score.append(abs(hand.handedness_score - wanted["score"]))
    assert np.median(world) <= 0.0002  # metres; measured 0.00001
    assert max(world) <= 0.0005  # measured 0.0001
    assert np.median(depth) <= 0.1  # pixels; measured 0.005
    assert max(depth) <= 1  # measured 0.05
    assert max(score) <= 0.001  # measured 0.0001


def test_one_hand_is_reported_once():
    for photo in photos():
        hands = LiteRTDetector(max_hands=20).detect(images.read(photo.path).image)
        assert len(hands) <= 1, photo.path.name  # each shows one hand; scissors-026 was two


def test_at_most_as_many_palms_are_looked_at_as_hands_are_wanted():
    pair = np.hstack([images.read(photo.path).image for photo in photos()[1:13:6]])
    assert [len(LiteRTDetector(max_hands=most).detect(pair)) for most in (1, 2, 3)] == [1, 2, 2]


def test_nearly_all_rendered_hands_are_found_where_they_are(detected):
    close = []
    for photo, hands in detected:
        size = np.linalg.norm(np.ptp(photo.landmarks, axis=0))
        close.append(any(np.abs(hand.landmarks - photo.landmarks).mean() < 0.1 * size for hand in hands))
    assert sum(close) >= 32  # of 36; measured 33: fists of renders are hard for the networks


def test_handedness_is_that_of_the_unmirrored_picture(detected):
    right = [hands[0].handedness == photo.handedness for photo, hands in detected if hands]
    assert np.mean(right) > 0.9  # measured 32 of 34


def test_world_landmarks_are_metres_of_a_hand(detected):
    lengths = [np.linalg.norm(hands[0].world[12] - hands[0].world[0]) for _, hands in detected if hands]
    assert 0.05 < np.median(lengths) < 0.25


def test_depth_is_in_pixels_as_the_landmarks_are(detected):
    reach, alike = [], []
    for hand in (hands[0] for _, hands in detected if hands):
        pixels = np.linalg.norm(np.ptp(hand.landmarks, axis=0)) / np.linalg.norm(
            np.ptp(hand.world, axis=0)[:2]
        )
        reach.append(np.ptp(hand.depth) / (pixels * np.ptp(hand.world[:, 2])))
        alike.append(np.corrcoef(hand.depth, hand.world[:, 2])[0, 1])
    assert 0.6 < np.median(reach) < 1.2  # 0.83: the network's two answers about depth are not the same
    assert np.median(alike) > 0.8


def test_an_empty_picture_has_no_hands():
    for shape in ((90, 120, 3), (1, 1, 3), (1, 2000, 3), (2000, 1, 3)):
        assert LiteRTDetector().detect(np.full(shape, 200, np.uint8)) == ()


def test_a_very_large_picture_gives_the_same_box_as_its_small_self():
    photo = photos()[1]
    image = images.read(photo.path).image
    large = cv2.resize(image, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    small_box, large_box = (np.array(LiteRTDetector().detect(i)[0].box) for i in (image, large))
    np.testing.assert_allclose(large_box / 8, small_box, atol=2)  # pixels of 480: sampling differs


def test_looking_again_where_the_hand_is_sees_the_same_hand():
    image = images.read(photos()[1].path).image
    hand = LiteRTDetector().detect(image)[0]
    again = LiteRTDetector().look(image, region_of_landmarks(hand.landmarks))
    assert again.score > 0.9
    assert again.palm_score == 0  # no palm was looked for
    size = np.linalg.norm(np.ptp(hand.landmarks, axis=0))
    assert np.abs(again.landmarks - hand.landmarks).mean() < 0.03 * size


def test_threads_see_what_one_thread_sees():
    pictures = [images.read(photo.path).image for photo in photos()[:8]] * 4

    def boxes(image):
        return [hand.box for hand in LiteRTDetector().detect(image)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(boxes, pictures)) == [boxes(image) for image in pictures]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_process_opens_its_own_networks(method):
    image = images.read(photos()[1].path).image
    expected = LiteRTDetector().detect(image)[0].box  # the parent's networks are open now
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply_async(LiteRTDetector().detect, (image,)).get(timeout=60)[0].box == expected


def test_a_detector_pickles_as_its_parameters():
    LiteRTDetector().detect(np.zeros((9, 9, 3), np.uint8))
    assert len(pickle.dumps(LiteRTDetector(confidence=0.3))) < 200


@pytest.mark.parametrize("wrong", [{"confidence": 1.5}, {"presence": -1}, {"max_hands": 0}, {"threads": 0}])
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        LiteRTDetector(**wrong)
