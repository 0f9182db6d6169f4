"""Annotations move as the picture does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handprep import Greyscale, Hand, HandCropper, Pipeline, ResizePad
from handprep.annotations import check_fits, moved_boxes, moved_mask
from handprep.errors import InputError
from handprep.sample import Sample
from tests.rendered import photos

PHOTO = photos()[4]

pipelines = st.builds(
    lambda margin, square, upright, mirror, size: Pipeline(
        [
            HandCropper(margin=margin, square=square, upright=upright, mirror=mirror),
            ResizePad(size),
            Greyscale(),
        ]
    ),
    margin=st.floats(0, 1),
    square=st.booleans(),
    upright=st.booleans(),
    mirror=st.sampled_from([None, "left", "right"]),
    size=st.integers(8, 200) | st.tuples(st.integers(8, 200), st.integers(8, 200)),
)


def known(image: np.ndarray) -> Sample:
    """Return a sample whose hand is the annotated one, so that nothing is looked for."""
    hand = Hand(
        box=PHOTO.box, score=1, landmarks=PHOTO.landmarks.astype(np.float32), handedness=PHOTO.handedness
    )
    return Sample(image=image, hands=(hand,))


BLANK = np.zeros((*PHOTO.size[::-1], 3), np.uint8)


@given(pipelines)
def test_points_go_where_the_samples_own_landmarks_go(pipeline: Pipeline) -> None:
    done = pipeline.run(known(BLANK))
    np.testing.assert_allclose(done.from_photo(PHOTO.landmarks), done.hand.landmarks, atol=0.01)


@given(pipelines)
def test_boxes_stay_around_what_they_were_around(pipeline: Pipeline) -> None:
    done = pipeline.run(known(BLANK))
    x0, y0, x1, y1 = moved_boxes(done, [PHOTO.box])[0]
    corners = done.from_photo([[PHOTO.box[0], PHOTO.box[1]], [PHOTO.box[2], PHOTO.box[3]]])
    assert (corners >= [x0 - 1e-6, y0 - 1e-6]).all()
    assert (corners <= [x1 + 1e-6, y1 + 1e-6]).all()


@given(pipelines)
def test_a_mask_goes_where_the_picture_goes(pipeline: Pipeline) -> None:
    """A picture that is its own mask stays that, but for the pixels that resizing blends."""
    mask = np.zeros(BLANK.shape[:2], np.uint8)
    mask[100:220, 150:300] = 255
    done = pipeline.run(known(np.repeat(mask[..., None], 3, axis=2)))
    moved = moved_mask(done, mask)
    assert moved.shape == done.image.shape
    assert set(np.unique(moved)) <= {0, 255}
    blended = (done.image > 2) & (done.image < 253)
    differs = np.abs(moved.astype(int) - done.image) > 127
    assert (differs & ~blended).mean() < 0.002


def test_a_crop_of_a_mask_is_exact_for_every_dtype_and_shape() -> None:
    done = HandCropper(margin=0.1).run(known(BLANK))
    left, top = done.to_source[:, 2].astype(int)
    width, height = done.size
    for dtype in (bool, np.int64, np.float32, np.uint8):
        masks = np.random.default_rng(1).integers(0, 2, (3, 2, *BLANK.shape[:2])).astype(dtype)
        moved = moved_mask(done, masks)
        assert moved.dtype == masks.dtype
        np.testing.assert_array_equal(moved, masks[..., top : top + height, left : left + width])


def test_what_the_photo_does_not_have_is_outside() -> None:
    done = ResizePad((4, 8)).run(np.zeros((2, 2, 3), np.uint8))
    moved = moved_mask(done, np.ones((2, 2), np.int32), outside=-1)
    assert moved.tolist() == [[-1, -1, 1, 1, 1, 1, -1, -1]] * 4


def test_a_box_that_a_crop_has_cut_ends_where_the_crop_does() -> None:
    done = Pipeline([HandCropper(margin=0), ResizePad((50, 200))]).run(known(BLANK))
    whole = [[0.0, 0.0, *map(float, PHOTO.size)]]
    x0, y0, x1, y1 = moved_boxes(done, whole, clip=True)[0]
    padding = (200 - (x1 - x0)) / 2
    assert (y0, y1) == (0, 50)
    assert padding > 10
    assert abs(x0 - padding) <= 1
    assert moved_boxes(done, whole)[0][0] < 0


def test_no_boxes_stay_no_boxes() -> None:
    assert moved_boxes(ResizePad(8).run(BLANK), np.zeros((0, 4))).shape == (0, 4)


def test_an_annotation_of_another_size_is_refused() -> None:
    check_fits((4, 6), (4, 6), "a mask")
    with pytest.raises(InputError, match=r"a mask of 6 x 4 pixels .* photo of 4 x 6"):
        check_fits((6, 4), (4, 6), "a mask")
