"""An image in a network's input: where Ultralytics puts it, and back to where it was."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from handprep import geometry
from handprep.detection.yolo import GREY, letterbox

SIDES = st.integers(1, 700)
INPUTS = st.tuples(st.integers(32, 700), st.integers(32, 700))


def white(width, height):
    return np.full((height, width, 3), 200, np.uint8)


def place(filled):
    """Return left, top, width and height of what is not grey."""
    rows, columns = np.nonzero((filled != GREY).any(2))
    return columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1


@pytest.mark.parametrize(
    ("given", "scaled", "left_top", "whole"),
    [
        (((480, 360), (160, 160), None), (160, 120), (0, 20), (160, 160)),
        (((360, 480), (160, 160), None), (120, 160), (20, 0), (160, 160)),
        (((100, 67), (160, 160), None), (160, 107), (0, 26), (160, 160)),  # 53 rows of grey: 26 and 27
        (((100, 67), (160, 160), 32), (160, 107), (0, 10), (160, 128)),  # of these 21: 10 and 11
        (((300, 200), (640, 640), 32), (640, 427), (0, 10), (640, 448)),
        (((3000, 1), (160, 160), None), (160, 1), (0, 79), (160, 160)),
        (((30, 20), (160, 160), None), (160, 107), (0, 26), (160, 160)),  # enlarged, too
        (((640, 480), (320, 160), None), (213, 160), (53, 0), (320, 160)),
    ],
)
def test_an_image_lies_where_ultralytics_puts_it(given, scaled, left_top, whole):
    (width, height), size, stride = given
    filled, _ = letterbox(white(width, height), size, stride=stride)
    assert place(filled) == (*left_top, *scaled)
    assert filled.shape == (whole[1], whole[0], 3)


@hypothesis.given(
    width=SIDES, height=SIDES, size=INPUTS, stride=st.sampled_from([None, 32, 64]), stretch=st.booleans()
)
def test_the_image_fills_its_place_and_the_map_leads_back(width, height, size, stride, stretch):
    filled, to_image = letterbox(white(width, height), size, stride=stride, stretch=stretch)
    left, top, across, down = place(filled)
    corners = geometry.apply_to_box(to_image, (left, top, left + across, top + down))
    np.testing.assert_allclose(corners, (0, 0, width, height), atol=1e-6 * max(width, height))
    assert ((filled == GREY).all(2) | (filled == 200).all(2)).all()
    for whole, part, wanted in zip(filled.shape[1::-1], (across, down), size, strict=True):
        assert part <= whole <= wanted
        assert whole == wanted or (stride is not None and (wanted - whole) % stride == 0)
        assert whole == part or not stretch


@pytest.mark.parametrize("stretch", [False, True])
def test_what_lies_in_the_image_lies_there_in_the_input(stretch):
    image = np.zeros((300, 500, 3), np.uint8)
    image[120:180, 300:400] = 255
    filled, to_image = letterbox(image, (160, 160), stretch=stretch)
    rows, columns = np.nonzero((filled == 255).all(2))
    box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    found = geometry.apply_to_box(to_image, tuple(map(float, box)))
    np.testing.assert_allclose(found, (300, 120, 400, 180), atol=4)  # a pixel there is 3.1 here


def test_an_input_of_the_images_own_size_is_the_image():
    image = np.arange(160 * 160 * 3, dtype=np.uint8).reshape(160, 160, 3)
    np.testing.assert_array_equal(letterbox(image, (160, 160))[0], image)
