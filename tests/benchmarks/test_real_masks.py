"""Fair scores of masks: what truths cannot say is left out, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import PIL.Image
import pytest

from handprep.landmarks import PALM
from tests.benchmarks import real_masks
from tests.rendered import photos


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A segmenter with one answer."""

    alpha: np.ndarray

    def segment(self, image, hands):
        return self.alpha


def only(tmp_path, convention, change=lambda mask: None):
    """Return the case of one rendered hand, whose truth is changed."""
    photo = photos()[0]
    mask = np.array(PIL.Image.open(photo.mask))
    change(mask)
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    PIL.Image.open(photo.path).save(tmp_path / "photo.png")
    truth = {"photo.png": {"mask": "mask.png", "convention": convention}}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return next(real_masks.cases(tmp_path))


def cut_at_the_wrist(case, below):
    place = real_masks.below_the_wrist(case.sample.alpha.shape, list(case.sample.hands))
    return np.where(place > below, np.uint8(0), case.sample.alpha)


def test_the_truth_itself_is_without_fault(tmp_path):
    case = only(tmp_path, "hand+forearm")
    score = real_masks.score(case, Answer(alpha=case.sample.alpha))
    assert (score.iou, score.core, score.border, score.holes) == (1.0, 1.0, 1.0, False)


@pytest.mark.parametrize("below", [-0.15, 0.0, 0.4])
def test_where_exactly_a_hand_ends_at_the_wrist_does_not_count(tmp_path, below):
    case = only(tmp_path, "hand")
    truth = cut_at_the_wrist(case, 0.1)
    case.sample.alpha.setflags(write=True)
    case.sample.alpha[:] = truth
    assert real_masks.score(case, Answer(alpha=cut_at_the_wrist(case, below))).iou == 1.0


def test_an_arm_that_the_truth_does_not_have_is_cut_off(tmp_path):
    whole = only(tmp_path, "hand+forearm").sample.alpha
    case = only(tmp_path, "hand")
    case.sample.alpha.setflags(write=True)
    case.sample.alpha[:] = cut_at_the_wrist(case, 0.0)
    assert real_masks.score(case, Answer(alpha=whole)).iou == 1.0


def test_another_hand_that_nobody_found_does_not_count(tmp_path):
    def another(mask):
        mask[:20, :20] = 255

    case = only(tmp_path, "hand+forearm", another)
    assert real_masks.score(case, Answer(alpha=np.where(case.counts, case.sample.alpha, 0))).iou == 1.0


def test_a_missing_finger_and_a_hole_do_count(tmp_path):
    case = only(tmp_path, "hand+forearm")
    alpha = case.sample.alpha.copy()
    x, y = case.sample.hand.landmarks[PALM].mean(0).astype(int)
    alpha[y - 8 : y + 8, x - 8 : x + 8] = 0
    score = real_masks.score(case, Answer(alpha=alpha))
    assert score.holes
    assert score.iou < 0.995
    assert real_masks.score(case, Answer(alpha=np.zeros_like(alpha))).bones_outside == 1.0
