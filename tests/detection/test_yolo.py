"""A YOLO network of one's own as a detector: the rendered hands, every layout, and files that are none."""

from __future__ import annotations

import multiprocessing
import pickle
import re
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from handprep import HandCropper, Pipeline, ResizePad, images
from handprep.detection.base import HandDetector, LandmarkDetector
from handprep.detection.litert import LiteRTDetector
from handprep.detection.refinement import landmarks_from_box
from handprep.detection.search import SearchingDetector
from handprep.detection.views import View
from handprep.detection.yolo import YoloDetector
from handprep.errors import InputError, ModelError
from handprep.geometry import iou
from tests.detection import tiny_yolo
from tests.rendered import photos

TINY = YoloDetector(tiny_yolo.PATH)


@pytest.fixture(scope="module")
def pictures():
    return [images.read(photo.path).image for photo in photos()]


@pytest.fixture(scope="module")
def detected(pictures):
    return [TINY.detect(image) for image in pictures]


@pytest.fixture(scope="module")
def refined(pictures):
    return [YoloDetector(tiny_yolo.PATH, refine=True).detect(image) for image in pictures]


def test_the_tiny_network_finds_the_rendered_hands_it_was_not_trained_on(detected):
    overlaps = [
        iou(hands[0].box, photo.box) if hands else 0.0
        for hands, photo in zip(detected, photos(), strict=True)
    ]
    assert np.sum(np.array(overlaps) >= 0.5) >= LEAST_FOUND
    assert np.median(overlaps) >= LEAST_OVERLAP


LEAST_FOUND = 25  # of 36; it finds 27, with 119,000 parameters that saw renders alone
LEAST_OVERLAP = 0.7


def test_hands_have_boxes_within_the_picture_and_scores_and_the_best_comes_first(detected, pictures):
    assert any(detected)
    for hands, image in zip(detected, pictures, strict=True):
        for hand in hands:
            assert 0 <= hand.box[0] < hand.box[2] <= image.shape[1]
            assert 0 <= hand.box[1] < hand.box[3] <= image.shape[0]
            assert TINY.confidence <= hand.score <= 1
            assert (hand.landmarks, hand.handedness, hand.view) == (None, None, "as-is")
        assert [hand.score for hand in hands] == sorted((hand.score for hand in hands), reverse=True)


def test_confidence_iou_and_number_limit_what_is_found(pictures):
    def count(**parameters):
        detector = YoloDetector(tiny_yolo.PATH, **{"max_hands": 300, **parameters})
        return sum(len(detector.detect(image)) for image in pictures[:6])

    assert count(confidence=0.01) > count(confidence=0.25) > 0
    assert count(confidence=0.9) < count(confidence=0.25)
    assert (
        count(confidence=0.01, iou=0.9) > count(confidence=0.01, iou=0.45) > count(confidence=0.01, iou=0.05)
    )
    assert count(confidence=0.01, max_hands=1) == 6


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (3000, 1, 3), (90, 120, 3), (160, 160, 3)])
def test_an_empty_picture_of_any_shape_has_no_hands(shape):
    assert TINY.detect(np.full(shape, 200, np.uint8)) == ()


def test_a_large_picture_gives_the_box_of_its_small_self(pictures, detected):
    large = cv2.resize(pictures[1], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    small = detected[1][0].box
    np.testing.assert_allclose(np.array(TINY.detect(large)[0].box) / 4, small, atol=8)  # 3 of 160 pixels


def test_a_picture_stretched_to_the_input_gives_boxes_of_the_picture(pictures):
    stretching = YoloDetector(tiny_yolo.PATH, fit="stretch")
    overlaps = [
        iou(hands[0].box, photo.box) if (hands := stretching.detect(image)) else 0.0
        for image, photo in zip(pictures, photos(), strict=True)
    ]
    assert np.median(overlaps) >= 0.6  # it was trained with the aspect kept


# --- landmarks in the boxes ---


def test_refining_gives_the_landmarks_that_were_rendered(refined):
    off = []
    for hands, photo in zip(refined, photos(), strict=True):
        best = max(hands, key=lambda hand: hand.score, default=None)
        if best is not None and best.landmarks is not None and photo.label != "rock":
            size = np.linalg.norm(np.ptp(photo.landmarks, axis=0))
            off.append(np.linalg.norm(best.landmarks - photo.landmarks, axis=1).mean() / size)
    assert len(off) >= 18  # of 24
    assert np.median(off) < 0.06  # as much as the palm network's own way to the landmarks


def test_a_refined_hand_has_the_box_of_its_landmarks_and_keeps_the_boxs_score(refined, detected):
    hands = [
        pair
        for pair in zip(sum(refined, ()), sum(detected, ()), strict=True)
        if pair[0].landmarks is not None
    ]
    assert hands
    for after, before in hands:
        np.testing.assert_allclose(after.box, [*after.landmarks.min(0), *after.landmarks.max(0)], rtol=1e-5)
        assert after.score >= 0.5  # presence
        assert after.palm_score == before.score
        assert after.handedness in ("Left", "Right")
        assert after.world.shape == (21, 3)
        assert iou(after.box, before.box) >= 0.25


def test_a_box_without_a_hand_gets_no_landmarks():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    for image in (noise, np.full_like(noise, 90)):
        for box in ((20.0, 20.0, 150.0, 180.0), (290.0, 190.0, 300.0, 200.0), (0.0, 0.0, 300.0, 200.0)):
            assert landmarks_from_box(LiteRTDetector(), image, box) is None


@pytest.mark.parametrize("turn", range(4))
def test_landmarks_are_found_whichever_way_the_fingers_point(pictures, turn):
    photo = photos()[1]
    image = np.ascontiguousarray(np.rot90(pictures[1], turn))
    height, width = pictures[1].shape[:2]
    turned = {
        0: lambda x, y: (x, y),
        1: lambda x, y: (y, width - x),
        2: lambda x, y: (width - x, height - y),
        3: lambda x, y: (height - y, x),
    }[turn]
    landmarks = np.array([turned(x, y) for x, y in photo.landmarks])
    (x0, y0), (x1, y1) = landmarks.min(0) - 10, landmarks.max(0) + 10
    hand = landmarks_from_box(LiteRTDetector(), image, (x0, y0, x1, y1))
    size = np.linalg.norm(np.ptp(landmarks, axis=0))
    assert np.linalg.norm(hand.landmarks - landmarks, axis=1).mean() < 0.06 * size


def test_landmarks_of_a_hand_in_a_very_large_picture_are_found(pictures):
    photo = photos()[1]
    large = np.full((6000, 9000, 3), 120, np.uint8)
    large[5000:5360, 8000:8480] = pictures[1]
    x0, y0, x1, y1 = photo.box
    box = x0 + 8000, y0 + 5000, x1 + 8000, y1 + 5000
    hand = landmarks_from_box(LiteRTDetector(), large, box)
    size = np.linalg.norm(np.ptp(photo.landmarks, axis=0))
    assert np.linalg.norm(hand.landmarks - photo.landmarks - [8000, 5000], axis=1).mean() < 0.06 * size


# --- as a part of a pipeline ---


def test_a_cropper_crops_to_its_boxes(pictures, detected):
    for image, hands in list(zip(pictures, detected, strict=True))[:6]:
        cropped = HandCropper(detector=TINY, margin=0, search=False).run(image)
        x0, y0, x1, y1 = hands[0].box
        assert abs(cropped.size[0] - (x1 - x0)) <= 2
        assert abs(cropped.size[1] - (y1 - y0)) <= 2


def test_a_refined_hand_can_be_turned_upright(pictures):
    cropper = HandCropper(detector=YoloDetector(tiny_yolo.PATH, refine=True), upright=True)
    sample = cropper.run(pictures[1])
    assert sample.steps[-1].details["upright"]
    wrist, knuckle = sample.hand.landmarks[[0, 9]]
    assert wrist[1] > knuckle[1]


def test_searching_looks_at_other_views_and_believes_by_score(pictures, detected):
    wrong_colours = [np.ascontiguousarray(image[..., ::-1]) for image in pictures[:18]]
    unseen = [image for image in wrong_colours if not TINY.detect(image)]

    def found(presence):
        swapped = View(light="swapped", presence=presence)
        searching = SearchingDetector(TINY, views=(swapped,), further=())
        return [hand for image in unseen for hand in searching.detect(image)]

    hands = found(0.5)
    assert len(hands) >= 3  # of 13 images
    assert {hand.view for hand in hands} == {"swapped"}
    assert all(hand.landmarks is not None or hand.score >= 0.5 for hand in hands)
    assert len(found(0.8)) < len(hands)


def test_searching_leaves_what_is_seen_at_once_as_it_is(pictures, detected):
    seen = next(image for image, hands in zip(pictures, detected, strict=True) if hands)
    assert [hand.box for hand in SearchingDetector(TINY).detect(seen)] == [
        hand.box for hand in TINY.detect(seen)
    ]


def test_it_is_a_detector_and_none_whose_landmark_network_can_be_pointed():
    assert isinstance(TINY, HandDetector)
    assert not isinstance(TINY, LandmarkDetector)


def test_it_survives_json_pickle_and_its_own_repr(pictures):
    detector = YoloDetector(
        tiny_yolo.PATH, classes=[0, "hand"], size=160, anchors=[[1, 2, 3, 4]], refine=True, layout="v8"
    )
    TINY.detect(pictures[0])
    assert len(pickle.dumps(TINY)) < 600
    assert pickle.loads(pickle.dumps(detector)) == detector
    assert eval(repr(detector)) == detector
    pipeline = Pipeline([HandCropper(detector=detector), ResizePad(64)])
    assert Pipeline.from_json(pipeline.to_json()) == pipeline
    assert hash(pipeline) == hash(Pipeline.from_json(pipeline.to_json()))


def test_results_depend_on_the_files_content(tmp_path, pictures):
    file = tmp_path / "hands.onnx"
    shutil.copy(tiny_yolo.PATH, file)
    plain, refining = YoloDetector(file), YoloDetector(file, refine=True)
    pipelines = [Pipeline([HandCropper(detector=detector, search=False)]) for detector in (plain, refining)]
    before = [pipeline.fingerprint() for pipeline in pipelines]
    assert refining.model_files - plain.model_files == LiteRTDetector().model_files
    assert plain.detect(pictures[1])
    file.write_bytes(tiny_yolo.PATH.read_bytes()[:-100])
    assert [pipeline.fingerprint() for pipeline in pipelines] != before
    with pytest.raises(ModelError, match="cannot open"):  # it is opened anew
        plain.detect(pictures[1])


def test_weights_beside_the_file_count_too(tmp_path):
    file = tmp_path / "hands.onnx"
    shutil.copy(tiny_yolo.PATH, file)
    alone = YoloDetector(file).model_files
    (tmp_path / "hands.onnx.data").write_bytes(b"weights")
    assert YoloDetector(file).model_files == alone | {f"file:{file}.data"}


def test_threads_see_what_one_thread_sees(pictures):
    def boxes(image):
        return [hand.box for hand in TINY.detect(image)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(boxes, pictures[:8] * 3)) == [boxes(image) for image in pictures[:8] * 3]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_process_opens_its_own_network(method, pictures):
    expected = TINY.detect(pictures[1])[0].box  # the parent's network is open now
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply_async(TINY.detect, (pictures[1],)).get(timeout=60)[0].box == expected


# --- what is refused ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence": 1.5},
        {"confidence": True},
        {"iou": -0.1},
        {"classes": ()},
        {"classes": "hand"},
        {"classes": (0.5,)},
        {"classes": ("hand", 0.5)},
        {"size": 31},
        {"size": 4097},
        {"size": (160, 160, 160)},
        {"size": "160"},
        {"size": True},
        {"fit": "crop"},
        {"anchors": ()},
        {"anchors": (10, 14)},
        {"anchors": ((10, 14, 23),)},
        {"anchors": ((10, -14),)},
        {"anchors": ((10, 1.5e5),)},
        {"anchors": "10,14"},
        {"layout": "v3"},
        {"refine": "yes"},
        {"max_hands": 0},
        {"threads": 0},
        {"model": ""},
        {"model": 3},
        {"model": None},
    ],
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        YoloDetector(**{"model": tiny_yolo.PATH, **wrong})


def test_the_least_and_the_most_are_taken():
    assert YoloDetector(tiny_yolo.PATH, size=(32, 4096), anchors=((1e-3, 1e5),)).size == (32, 4096)


def test_a_missing_file_is_refused_at_once_with_its_path(tmp_path):
    with pytest.raises(ModelError, match=r"missing\.onnx is not there"):
        YoloDetector(tmp_path / "missing.onnx")
    with pytest.raises(ModelError, match="is a folder"):
        YoloDetector(tmp_path)


def test_a_pipeline_of_another_machine_says_which_file_is_missing(tmp_path):
    file = tmp_path / "hands.onnx"
    shutil.copy(tiny_yolo.PATH, file)
    text = Pipeline([HandCropper(detector=YoloDetector(file))]).to_json()
    file.unlink()
    with pytest.raises(ModelError, match=rf"model file {re.escape(str(file))} is not there"):
        Pipeline.from_json(text)


def _zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("best/data.pkl", b"...")


@pytest.mark.parametrize(
    ("name", "write", "hint"),
    [
        ("best.pt", _zip, r"PyTorch checkpoint.*yolo export model=.*best\.pt format=onnx"),
        (
            "hands.weights",
            lambda file: file.write_bytes(bytes(1000)),
            "Darknet network, to be converted first",
        ),
        ("hands.cfg", lambda file: file.write_text("[net]"), "Darknet network, to be converted first"),
        ("empty.onnx", lambda file: file.write_bytes(b""), "damaged, or not an ONNX file"),
        ("text.onnx", lambda file: file.write_text("a letter"), "damaged, or not an ONNX file"),
        (
            "cut.onnx",
            lambda file: file.write_bytes(tiny_yolo.PATH.read_bytes()[:100_000]),
            "damaged, or not an ONNX file",
        ),
    ],
)
def test_a_file_that_is_no_onnx_network_is_told(tmp_path, name, write, hint):
    write(tmp_path / name)
    with pytest.raises(ModelError, match=hint) as caught:
        YoloDetector(tmp_path / name).detect(np.zeros((9, 9, 3), np.uint8))
    assert str(tmp_path / name) in str(caught.value)


def test_a_class_that_the_network_does_not_know_is_told(pictures):
    with pytest.raises(ModelError, match=r"no class 'foot'; it has 0 'hand'"):
        YoloDetector(tiny_yolo.PATH, classes=("foot",)).detect(pictures[0])
    with pytest.raises(ModelError, match="no class 1;"):
        YoloDetector(tiny_yolo.PATH, classes=(0, 1)).detect(pictures[0])


def test_a_size_other_than_the_networks_own_is_told(pictures):
    with pytest.raises(ModelError, match="fixed at 160 rows and 160 columns"):
        YoloDetector(tiny_yolo.PATH, size=(320, 160)).detect(pictures[0])


def test_a_layout_that_the_outputs_do_not_have_is_told(pictures):
    with pytest.raises(
        ModelError, match=r"\(1, 5, 375\) and not those of layout='darknet-maps'.*'v8': \(1, 4 \+"
    ):
        YoloDetector(tiny_yolo.PATH, layout="darknet-maps").detect(pictures[0])
