"""Skeletons: what is drawn, where its landmarks lie, and what no longer matters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handprep import (
    Hand,
    HandCropper,
    HandNotFoundError,
    InputError,
    Pipeline,
    Sample,
    SampleSkipped,
    Skeleton,
    features,
    geometry,
    images,
)
from handprep.detection.litert import LiteRTDetector
from tests.rendered import photos

TRUTH = {truth.path.stem: truth for truth in photos()}
VIEWS = ("image", "upright", "palm")


@pytest.fixture(scope="module")
def sample():
    read = images.read(TRUTH["paper-022"].path)  # the back of a left hand
    return replace(read, hands=HandCropper().finder().detect(read.image))


def moved(sample, forward):
    return replace(sample, hands=tuple(hand.transformed(forward) for hand in sample.hands))


@pytest.mark.parametrize("view", VIEWS)
def test_the_landmarks_that_come_out_lie_on_the_lines_of_the_drawing(sample, view):
    drawn = Skeleton(view=view, size=(96, 128)).run(sample)
    assert drawn.image.shape == (96, 128)
    inside = drawn.hand.landmarks.astype(int)
    assert (drawn.image[inside[:, 1], inside[:, 0]] > 60).all()
    assert (drawn.image == 0).mean() > 0.5


def test_the_image_lies_in_the_middle_of_the_drawing(sample):
    for size in ((96, 200), (200, 96)):
        drawn = Skeleton(view="image", size=size).run(sample)
        middle = np.array(size[::-1]) / 2
        np.testing.assert_allclose(drawn.to_photo(middle), np.array(sample.size) / 2, atol=1e-6)


@pytest.mark.parametrize("view", ["image", "upright"])
def test_points_of_the_drawing_lead_back_to_the_photo(sample, view):
    drawn = Skeleton(view=view, size=(96, 128)).run(sample)
    np.testing.assert_allclose(drawn.to_photo(drawn.hand.landmarks), sample.hand.landmarks, atol=1e-3)


def test_for_a_palm_the_way_back_is_the_best_that_an_affine_map_can_be(sample):
    drawn = Skeleton().run(sample)
    missed = drawn.to_photo(drawn.hand.landmarks) - sample.hand.landmarks
    length = np.ptp(sample.hand.landmarks)
    assert np.linalg.norm(missed, axis=1).mean() < 0.1 * length


@pytest.mark.parametrize("view", ["upright", "palm"])
def test_turn_mirror_scale_and_shift_of_the_photo_do_not_matter(sample, view):
    forward = geometry.compose(geometry.rotation(2), geometry.scaling(-3, 3), geometry.translation(70, -20))
    one, other = Skeleton(view=view).run(sample), Skeleton(view=view).run(moved(sample, forward))
    np.testing.assert_allclose(one.hand.landmarks, other.hand.landmarks, atol=64 * 1e-4)
    assert np.abs(one.image.astype(int) - other.image).max() <= 8  # a sixteenth of a pixel, rounded otherwise
    assert one.hand.handedness == "Right"


def test_in_the_palm_view_it_does_not_matter_how_the_hand_was_held(sample):
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    space = np.column_stack([sample.hand.landmarks, sample.hand.depth]) @ turn.T
    box = geometry.enclosing_box(space[:, :2])
    held = replace(sample.hand, landmarks=space[:, :2], depth=space[:, 2], box=box)
    one, other = Skeleton().run(sample), Skeleton().run(replace(sample, hands=(held,)))
    np.testing.assert_allclose(one.hand.landmarks, other.hand.landmarks, atol=64 * 1e-4)


def test_a_palm_is_the_palm_frame_fitted_into_the_drawing(sample):
    drawn = Skeleton(size=100).run(sample).hand
    frame = features.palm_frame(sample.hand)
    scale = np.linalg.norm(drawn.landmarks[9] - drawn.landmarks[0])
    np.testing.assert_allclose(drawn.landmarks - drawn.landmarks[0], scale * frame[:, :2], atol=1e-2)
    np.testing.assert_allclose(drawn.depth, scale * frame[:, 2], atol=1e-2)
    x0, y0, x1, y1 = drawn.box
    assert min(x0, y0, 100 - x1, 100 - y1) == pytest.approx(6, abs=0.01)
    assert drawn.handedness == "Right"


def test_which_hand_the_photo_shows_is_on_record_where_every_hand_is_drawn_as_a_right_one(sample):
    recorded = {view: Skeleton(view=view).run(sample).steps[-1].details for view in VIEWS}
    assert recorded["palm"]["photo_handedness"] == "Left"
    assert all("photo_handedness" not in recorded[view] for view in ("image", "upright"))


def test_nearer_bones_stand_out_more_and_cover_those_behind():
    points = np.random.default_rng(0).uniform(20, 80, (21, 2))
    depth = np.where(np.arange(21) < 5, -50.0, 20.0)
    hand = Hand(landmarks=points, depth=depth, box=geometry.enclosing_box(points), score=1)
    given = Sample(image=np.zeros((100, 100, 3), np.uint8), hands=(hand,))
    dark, light = (Skeleton(view="image", size=100, background=grey).run(given).image for grey in (0, 255))
    near, far = (
        dark[int(y), int(x)] for x, y in ((points[3] + points[4]) / 2, (points[19] + points[20]) / 2)
    )
    assert near > far > 0
    mean = depth.mean() + 50, 20 - depth.mean()  # nearer, and farther, than the middle of the hand
    expected = [175 + 80 * np.clip(sign * away / 30, -1, 1) for sign, away in zip((1, -1), mean, strict=True)]
    np.testing.assert_allclose((near, far), expected, atol=3)  # a box of 60 pixels reaches 30 either way
    np.testing.assert_allclose(dark, 255.0 - light, atol=2)  # rounded down, twice


def test_fingers_have_their_colours(sample):
    drawn = Skeleton(size=128, colours="fingers", background=(0, 0, 90)).run(sample)
    assert drawn.image[0, 0].tolist() == [0, 0, 90]
    x, y = drawn.hand.landmarks[8].astype(int)
    red, green, blue = drawn.image[y, x].astype(int)
    assert min(red, blue) > green  # the index finger's violet


def test_kept_it_is_drawn_onto_the_image(sample):
    alpha = np.full(sample.image.shape[:2], 9, np.uint8)
    drawn = Skeleton(view="image", size=None, background="keep").run(replace(sample, alpha=alpha))
    changed = (drawn.image != sample.image).any(axis=2)
    assert 0 < changed.mean() < 0.08
    assert drawn.size == sample.size
    assert (drawn.alpha == 9).all()
    assert Skeleton(view="image", size=None).run(replace(sample, alpha=alpha)).alpha is None


@pytest.mark.parametrize("view", VIEWS)
def test_it_looks_for_a_hand_where_nobody_has(view):
    path = TRUTH["paper-022"].path
    found = Skeleton(view=view).run(path)
    assert found.hand is not None
    assert found.image.max() > 0
    known = Pipeline([HandCropper(), Skeleton(view=view)])
    assert known.model_files == LiteRTDetector().model_files


def test_it_looks_for_hands_as_the_cropper_does():
    assert Skeleton().finder() == HandCropper().finder()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("hands", [(), (Hand(box=(1, 1, 5, 5), score=0.9),)])
def test_without_landmarks_on_missing_decides(view, hands):
    given = Sample(image=np.full((30, 40, 3), 90, np.uint8), hands=hands)
    blank = Skeleton(view=view, background=7).run(given)
    assert blank.image.shape == (64, 64)
    assert (blank.image == 7).all()
    assert blank.steps[-1].details["found"] == len(hands)
    with pytest.raises(HandNotFoundError, match="no hand"):
        Skeleton(view=view, on_missing="raise").run(given)
    with pytest.raises(SampleSkipped):
        Skeleton(view=view, on_missing="skip").run(given)


@pytest.mark.parametrize(
    "wrong",
    [
        {"view": "side"},
        {"size": 0},
        {"size": None},
        {"background": "keep"},
        {"background": 256},
        {"colours": "rainbow"},
        {"width": 2},
        {"on_missing": "keep"},
        {"detector": "nobody"},
    ],
)
def test_a_wrong_parameter_is_refused(wrong):
    with pytest.raises(InputError):
        Skeleton(**wrong)


def test_it_is_a_value_as_any_transform():
    pipeline = Pipeline([HandCropper(), Skeleton(view="upright", size=(32, 48), colours="fingers")])
    assert Pipeline.from_json(pipeline.to_json()) == pipeline
    assert pipeline.output_size == (32, 48)
    assert pipeline.fingerprint() != Pipeline([HandCropper(), Skeleton()]).fingerprint()


def test_an_array_comes_back_as_an_array_of_the_drawing(sample):
    assert Skeleton()(np.asarray(sample)).shape == (64, 64)
