"""The scores by skin tone: how a tone is named, what counts as found, and what dim light and blur do."""

from __future__ import annotations

import numpy as np
import pytest

from handprep.sample import Hand
from tests.benchmarks import tones
from tests.benchmarks.mask_scores import tone_of
from tests.rendered import RENDERED

ROW = tones.annotations(RENDERED)[3]


def hand_of(row: tones.Row, shift: float = 0.0) -> Hand:
    landmarks = np.array(row["landmarks"]) + shift
    box = (*landmarks.min(0), *landmarks.max(0))
    return Hand(box=box, score=1.0, landmarks=landmarks, handedness=row["handedness"])


@pytest.mark.parametrize(
    ("albedo", "name"),
    [
        ((236, 196, 168), "light"),
        ((200, 146, 112), "medium"),
        ((128, 82, 57), "brown"),
        ((74, 48, 37), "dark"),
    ],
)
def test_the_renderer_s_tones_have_the_names_that_they_are_rendered_under(albedo, name):
    assert tone_of(albedo, tones.TONES) == name


def test_the_true_hand_scores_in_full():
    score = tones.score(tones.with_truth(RENDERED, ROW), (hand_of(ROW),), ROW)

    assert (score.found, score.there, score.side) == (True, True, True)
    assert score.error == pytest.approx(0, abs=1e-6)  # landmarks are float32
    assert score.overlap > 0.9


def test_a_hand_elsewhere_is_found_but_not_there():
    sample = tones.with_truth(RENDERED, ROW)

    assert tones.score(sample, (hand_of(ROW, 300),), ROW) == tones.Score(found=True, there=False)
    assert tones.score(sample, (), ROW) == tones.Score(found=False, there=False)


def test_a_rendered_hand_is_found_by_both_looks():
    assert all(score.there for score in tones.look(RENDERED, ROW).values())


def test_a_share_of_the_light_is_left_and_noise_comes_with_it():
    picture = np.full((200, 200, 3), 180, np.uint8)
    dark = tones.darkened(picture, 0.1, np.random.default_rng(0))

    assert np.mean((dark / 255) ** tones.GAMMA) == pytest.approx(0.1 * (180 / 255) ** tones.GAMMA, rel=0.05)
    assert dark.std() > 1
    assert tones.darkened(picture, 1, np.random.default_rng(0)) is picture


def test_a_camera_that_moves_blurs_sideways():
    picture = np.zeros((9, 9, 3), np.uint8)
    picture[4, 4] = 90

    assert tones.blurred(picture, 3)[4, :, 0].tolist() == [0, 0, 0, 30, 30, 30, 0, 0, 0]
    assert tones.blurred(picture, 0) is picture
