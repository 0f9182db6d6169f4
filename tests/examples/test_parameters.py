"""The strips in the documentation show what the code does now."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import PIL.Image
import pytest

from tests.rendered import RENDERED

sys.path.insert(0, str(RENDERED.parent))

import parameters

STORED = RENDERED.parents[1] / "docs" / "assets" / "parameters"


@pytest.mark.parametrize("name", parameters.STRIPS)
def test_a_strip_is_as_the_code_makes_it(name):
    stored = np.asarray(PIL.Image.open(STORED / f"{name}.jpg"))
    made = parameters.strip(name)
    assert abs(stored.shape[0] - made.shape[0]) <= 3
    assert stored.shape[1] == made.shape[1]
    # JPEG, fonts, and a pixel more or less of a crop with another version of OpenCV: nothing seen from afar.
    one, other = (
        cv2.resize(each, (60, 20), interpolation=cv2.INTER_AREA).astype(int) for each in (stored, made)
    )
    assert np.abs(one - other).mean() < 2.5


def test_every_strip_is_stored_and_no_other():
    assert {path.stem for path in STORED.iterdir()} == set(parameters.STRIPS)
