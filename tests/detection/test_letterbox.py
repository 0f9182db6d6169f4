"""A picture in a network's input: where Ultralytics puts it, and back to where it was."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from handprep import geometry
from handprep.detection.letterbox import GREY, letterboxed, stretched

SIDES = st.integers(1, 5000)
INPUTS = st.tuples(st.integers(32, 1280), st.integers(32, 1280))


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
def test_a_picture_lies_where_ultralytics_puts_it(given, scaled, left_top, whole):
    placement = letterboxed(*given)
    assert (placement.scaled, (placement.left, placement.top), placement.whole) == (scaled, left_top, whole)


@hypothesis.given(
    width=SIDES, height=SIDES, size=INPUTS, stride=st.sampled_from([None, 32, 64]), fit=st.booleans()
)
def test_a_box_there_and_back_is_the_same(width, height, size, stride, fit):
    picture = width, height
    placement = letterboxed(picture, size, stride) if fit else stretched(picture, size)
    there = geometry.invert(placement.to_picture)
    box = 0.1 * width, 0.2 * height, 0.7 * width, 0.9 * height
    back = geometry.apply_to_box(placement.to_picture, geometry.apply_to_box(there, box))
    np.testing.assert_allclose(back, box, atol=1e-3)


@hypothesis.settings(deadline=None)  # pictures of many sizes
@hypothesis.given(width=SIDES, height=SIDES, size=INPUTS, stride=st.sampled_from([None, 32]))
def test_the_picture_fills_its_place_and_grey_the_rest(width, height, size, stride):
    placement = letterboxed((width, height), size, stride)
    corners = geometry.apply_to_box(
        placement.to_picture,
        (
            placement.left,
            placement.top,
            placement.left + placement.scaled[0],
            placement.top + placement.scaled[1],
        ),
    )
    np.testing.assert_allclose(corners, (0, 0, width, height), atol=1e-6 * max(width, height))
    for along in (0, 1):
        assert placement.scaled[along] <= placement.whole[along] <= max(size[along], placement.scaled[along])
        assert stride is not None or placement.whole[along] == size[along]
    if width * height <= 200_000:
        filled = placement.fill(np.full((height, width, 3), 200, np.uint8))
        assert filled.shape == (placement.whole[1], placement.whole[0], 3)
        is_picture = (filled == 200).all(2)
        assert is_picture.sum() == placement.scaled[0] * placement.scaled[1]
        assert (filled[~is_picture] == GREY).all()
        assert is_picture[placement.top, placement.left]


def test_what_lies_in_the_picture_lies_there_in_the_input():
    image = np.zeros((300, 500, 3), np.uint8)
    image[120:180, 300:400] = 255
    for placement in (letterboxed((500, 300), (160, 160)), stretched((500, 300), (160, 160))):
        rows, columns = np.nonzero((placement.fill(image) == 255).all(2))
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        found = geometry.apply_to_box(placement.to_picture, tuple(map(float, box)))
        np.testing.assert_allclose(found, (300, 120, 400, 180), atol=4)  # a pixel there is 3.1 here


def test_an_input_of_the_pictures_own_size_is_the_picture():
    image = np.arange(160 * 160 * 3, dtype=np.uint8).reshape(160, 160, 3)
    np.testing.assert_array_equal(letterboxed((160, 160), (160, 160)).fill(image), image)
