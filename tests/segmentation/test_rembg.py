"""rembg's networks, held to the hand; with u2netp, the small one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from handprep import geometry, models
from handprep.configurable import Configurable
from handprep.errors import InputError, ModelError
from handprep.sample import Hand
from handprep.segmentation.base import Segmenter
from handprep.segmentation.rembg import RembgSegmenter
from tests.rendered import photos
from tests.segmentation.cases import cropped, iou, needs_rembg_that_trusts_its_files, one

SMALL = RembgSegmenter(model="u2netp")


def test_hand_and_forearm_are_found():
    samples = [cropped(photo) for photo in photos()[::4]]
    overlaps = [iou(SMALL.segment(sample.image, sample.hands), sample.alpha) for sample in samples]
    assert np.mean(overlaps) > 0.93  # 0.97 over all 36


@pytest.mark.parametrize(("axis", "first"), [(0, False), (1, True), (1, False)])
def test_it_is_held_to_the_known_hand(axis: int, first: bool):
    known, other = one("paper", 0), one("scissors", 1)
    side = known.image.shape[axis]
    picture = np.concatenate([known.image, other.image][:: 1 if first else -1], axis)
    shift = np.array((0, side) if axis == 0 else (side, 0)) * (not first)
    hands = (known.hand.transformed(geometry.translation(*shift)),)
    halves = np.split(SMALL.segment(picture, hands), 2, axis)
    held, beyond = halves if first else halves[::-1]
    assert iou(held, known.alpha) > 0.9
    assert np.mean(beyond > 127) < 0.02  # but for what of the arm reaches over
    alone = RembgSegmenter(model="u2netp", only_hand=False).segment(picture, hands)
    assert np.split(alone, 2, axis)[first].max() > 200  # the other hand is as salient


@pytest.mark.parametrize("boxed", [False, True])
def test_what_is_salient_beside_the_hand_and_does_not_touch_it_is_dropped(boxed: bool):
    known, other = one("paper"), cropped(next(photo for photo in photos() if photo.label == "rock"))
    picture, there = known.image.copy(), np.zeros_like(known.alpha)
    place = np.s_[100:180, 72:122]  # within the hand's surroundings
    for target, source in ((picture, other.image), (there, other.alpha)):
        target[place] = cv2.resize(source, (50, 80), interpolation=cv2.INTER_AREA)
    hands = (Hand(box=known.hand.box, score=1.0),) if boxed else known.hands
    alone = RembgSegmenter(model="u2netp", only_hand=False).segment(picture, hands)
    assert np.mean(alone[there > 200] > 127) > 0.9
    held = SMALL.segment(picture, hands)
    assert not held[there > 200].any()
    assert iou(held, known.alpha) > 0.9


def test_a_hand_outside_of_the_picture_is_not_in_it():
    sample = one("paper")
    away = sample.hand.transformed(geometry.translation(5000, 0))
    assert not SMALL.segment(sample.image, (away,)).any()


def test_without_hands_it_is_rembgs_answer_to_the_whole_picture():
    sample = one("paper")
    unheld = RembgSegmenter(model="u2netp", only_hand=False)
    np.testing.assert_array_equal(SMALL.segment(sample.image, ()), unheld.segment(sample.image, sample.hands))


def test_post_process_makes_the_mask_hard_edged():
    sample = cropped(photos()[0])
    alpha = RembgSegmenter(model="u2netp", post_process=True).segment(sample.image, sample.hands)
    assert set(np.unique(alpha)) == {0, 255}
    assert iou(alpha, SMALL.segment(sample.image, sample.hands)) > 0.95


def test_alpha_matting_gives_what_rembg_gives():
    from rembg import remove

    from handprep.segmentation.rembg import rembg_session

    image = np.ascontiguousarray(cropped(photos()[0]).image[::2, ::2])
    segmenter = RembgSegmenter(model="u2netp", alpha_matting=True, only_hand=False)
    expected = remove(image, session=rembg_session("u2netp"), alpha_matting=True)[..., 3]
    np.testing.assert_allclose(segmenter.segment(image, ()), expected, atol=1)


def test_a_network_file_of_your_own_is_opened(tmp_path: Path):
    sample = cropped(photos()[0])
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(models.fetch("u2netp").read_bytes())
    segmenter = RembgSegmenter(model="u2netp", path=mine)
    assert segmenter.model_files == {models.own_file(mine)}
    same = segmenter.segment(sample.image, sample.hands)
    np.testing.assert_array_equal(same, SMALL.segment(sample.image, sample.hands))
    mine.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"could not open .*mine\.onnx"):
        segmenter.segment(sample.image, sample.hands)


def test_threads_agree():
    samples = [cropped(photo) for photo in photos()[:2]]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda s: SMALL.segment(s.image, s.hands), samples))
    for sample, alpha in zip(samples, together, strict=True):
        np.testing.assert_array_equal(alpha, SMALL.segment(sample.image, sample.hands))


def test_other_pictures_are_refused():
    with pytest.raises(InputError, match=r"RGB array, not uint8 \(9, 9\)"):
        SMALL.segment(np.zeros((9, 9), np.uint8), ())


def test_rembg_is_not_imported_before_it_is_used():
    code = (
        "import sys; from handprep.transforms.background import BackgroundRemover; "
        "BackgroundRemover(method='rembg'); print('rembg' in sys.modules, 'onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_an_unknown_model_is_refused_with_the_names_that_are_known():
    sample = one("paper")
    with pytest.raises(InputError, match=r"no model 'u3net' .* it has .*u2net"):
        RembgSegmenter(model="u3net").segment(sample.image, sample.hands)


@needs_rembg_that_trusts_its_files
def test_a_non_commercial_model_is_opened_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # its file is 1 GB, so that a damaged one stands in for it: the warning comes first
    folder = tmp_path / "models" / "bria-rmbg"
    folder.mkdir(parents=True)
    for name in ("bria-rmbg.onnx", "bria-rmbg-2.0.onnx"):
        (folder / name).write_bytes(b"no network")
        (tmp_path / name).write_bytes(b"no network")  # for older rembg
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    sample = one("paper")
    with (
        pytest.warns(UserWarning, match="'bria-rmbg' has a licence of its own: CC BY-NC 4.0"),
        pytest.raises(ModelError, match="could not open its model 'bria-rmbg'"),
    ):
        RembgSegmenter(model="bria-rmbg").segment(sample.image, sample.hands)


def test_the_default_model_may_be_used_commercially():
    assert RembgSegmenter().model == "u2net"


def test_it_is_known_by_its_parameters():
    segmenter = RembgSegmenter(model="u2netp", threads=2)
    assert isinstance(segmenter, Segmenter)
    assert eval(repr(segmenter)) == segmenter
    assert pickle.loads(pickle.dumps(segmenter)) == segmenter
    assert Configurable.from_dict(segmenter.to_dict()) == segmenter
    assert segmenter.model_files == {"u2netp"}
    assert RembgSegmenter(model="isnet-general-use").model_files == frozenset()  # rembg fetches it


@pytest.mark.parametrize(
    "parameters", [{"model": ""}, {"model": None}, {"threads": 0}, {"path": 3}, {"alpha_matting": "yes"}]
)
def test_parameters_out_of_range_are_refused(parameters):
    with pytest.raises(InputError, match=next(iter(parameters))):
        RembgSegmenter(**parameters)
