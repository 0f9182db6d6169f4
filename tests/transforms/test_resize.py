"""ResizePad: the aspect kept, the rest padded, everything moved along."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handprep import geometry
from handprep.errors import InputError
from handprep.sample import Hand, Sample
from handprep.transforms.resize import INTERPOLATIONS, ResizePad
from tests.rendered import photos

side = st.integers(1, 90)


def sample_of(width, height, **extra):
    return Sample(image=np.full((height, width, 3), 200, np.uint8), **extra)


@given(side, side, side, side, st.sampled_from(["auto", *INTERPOLATIONS]), st.booleans())
@settings(deadline=None)
def test_the_result_has_the_size_asked_for(width, height, out_width, out_height, interpolation, upscale):  # noqa: PLR0917
    transform = ResizePad((out_height, out_width), interpolation=interpolation, upscale=upscale)
    assert transform.apply(sample_of(width, height)).size == (out_width, out_height)


@given(side, side, side, side, st.booleans())
@settings(deadline=None)
def test_what_goes_through_to_source_comes_back(width, height, out_width, out_height, upscale):
    points = np.random.default_rng(0).uniform(0, 1, (21, 2)) * (width, height)
    hand = Hand(landmarks=points, box=geometry.enclosing_box(points), score=1.0)
    done = ResizePad((out_height, out_width), upscale=upscale).apply(sample_of(width, height, hands=(hand,)))
    np.testing.assert_allclose(geometry.apply(done.to_source, done.hand.landmarks), points, atol=1e-3)


@given(side, side)
@settings(deadline=None)
def test_the_picture_lies_where_to_source_says(width, height):
    done = ResizePad(64, fill=0).apply(sample_of(width, height))
    x0, y0, x1, y1 = geometry.apply_to_box(geometry.invert(done.to_source), (0, 0, width, height))
    rows, columns = np.nonzero(done.image[..., 0])
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == pytest.approx((x0, y0, x1, y1))


def test_the_padding_is_even_and_of_the_colour_asked_for():
    image = ResizePad(64, fill=(1, 2, 3))(np.full((32, 64, 3), 9, np.uint8))
    assert (image[:16] == (1, 2, 3)).all()
    assert (image[16:48] == 9).all()
    assert (image[48:] == (1, 2, 3)).all()


def test_a_tall_image_is_padded_evenly_at_its_sides():
    done = ResizePad((60, 90)).run(np.full((60, 30, 3), 9, np.uint8))
    assert (done.image[:, 30:60] == 9).all()
    assert not done.image[:, :30].any()
    assert not done.image[:, 60:].any()
    np.testing.assert_allclose(done.to_photo([(30, 0), (60, 60)]), [(0, 0), (30, 60)])


def test_the_padding_of_a_grey_picture_has_the_luma_of_the_colour():
    done = ResizePad(8, fill=(255, 0, 0)).apply(Sample(image=np.zeros((4, 8), np.uint8)))
    assert done.image[0, 0] == 76


def test_the_padding_of_a_transparent_picture_is_transparent():
    alpha = np.full((4, 8), 255, np.uint8)
    done = ResizePad(8).apply(sample_of(8, 4, alpha=alpha, transparent=True))
    assert done.alpha[0, 0] == 0
    assert done.alpha[4, 4] == 255


def test_a_small_picture_is_only_padded_without_upscale():
    done = ResizePad(64, upscale=False).apply(sample_of(10, 20))
    assert (done.image[..., 0] == 200).sum() == 10 * 20


def test_shrinking_averages():
    checks = (np.indices((300, 300)).sum(0) % 2 * 255).astype(np.uint8)
    image = ResizePad(60).run(checks).image  # bilinear sampling would see one pixel of 25
    np.testing.assert_allclose(image, 127.5, atol=6)  # of 25 pixels 12 or 13 are white


def test_a_photo_keeps_its_aspect():
    done = ResizePad(64).run(photos()[0].path)  # 480 × 360
    assert not done.image[:8].any()
    assert done.image[8:56].any(axis=(1, 2)).all()


@pytest.mark.parametrize("size", [0, -3, (10,), (10, 20, 30), 2.5, "64", (10, 0), 1_000_000])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(InputError, match="size"):
        ResizePad(size)


@pytest.mark.parametrize("fill", [-1, 256, (1, 2), "blick", (0, 0, 300)])
def test_an_impossible_colour_is_refused(fill):
    with pytest.raises(InputError, match="fill"):
        ResizePad(64, fill=fill)


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(InputError, match="interpolation"):
        ResizePad(64, interpolation="cubic-ish")
