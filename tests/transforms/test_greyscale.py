"""Greyscale: Pillow's and OpenCV's luma, nothing else changed."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from handprep.errors import InputError
from handprep.sample import Sample
from handprep.transforms.greyscale import Greyscale
from tests.rendered import photos


def test_the_greys_are_pillows():
    with PIL.Image.open(photos()[0].path) as photo:
        ours, theirs = Greyscale()(photo), photo.convert("L")
    difference = np.asarray(ours).astype(int) - np.asarray(theirs)
    assert abs(difference).max() <= 1  # both round the same sum


def test_three_channels_hold_the_same_grey():
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    one, three = Greyscale()(image), Greyscale(channels=3)(image)
    assert one.shape == (5, 6)
    np.testing.assert_array_equal(three, np.repeat(one[..., None], 3, axis=2))


def test_a_grey_picture_stays_as_it_is():
    grey = np.arange(30, dtype=np.uint8).reshape(5, 6)
    np.testing.assert_array_equal(Greyscale().apply(Sample(image=grey)).image, grey)
    assert Greyscale(channels=3).apply(Sample(image=grey)).image.shape == (5, 6, 3)


def test_other_channel_counts_are_refused():
    with pytest.raises(InputError, match="channels"):
        Greyscale(channels=2)
