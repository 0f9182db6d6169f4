"""Samples and hands: what a constructor refuses, and what moves along."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace

import numpy as np
import PIL.Image
import PIL.ImageShow
import pytest

from handprep import ResizePad, geometry, read
from handprep.errors import InputError, OutputError
from handprep.sample import Hand, Sample

LANDMARKS = np.random.default_rng(0).uniform(10, 90, (21, 2)).astype(np.float32)


def a_hand(**changes):
    return Hand(**{"landmarks": LANDMARKS, "box": geometry.enclosing_box(LANDMARKS), "score": 0.9, **changes})


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_an_image_of_the_wrong_kind_is_refused(image):
    with pytest.raises(InputError, match="uint8"):
        Sample(image=image)


def test_an_alpha_of_another_size_is_refused():
    with pytest.raises(InputError, match="alpha"):
        Sample(image=np.zeros((4, 4), np.uint8), alpha=np.zeros((4, 5), np.uint8))


def test_a_sample_is_read_only_and_leaves_the_callers_array_writable():
    image = np.zeros((4, 4, 3), np.uint8)
    sample = Sample(image=image, alpha=image[..., 0])
    with pytest.raises(ValueError, match="read-only"):
        sample.image[1:3][0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        sample.alpha[0, 0] = 1
    image[0, 0] = 1
    changed = sample.image.copy()
    changed[0, 0] = 2
    assert Sample(image=changed).image[0, 0].tolist() == [2, 2, 2]


def test_what_is_computed_from_pixels_is_an_array_or_a_number_as_any_other():
    image = Sample(image=np.full((2, 3), 4, np.uint8)).image
    assert type(image / 2) is type(np.abs(image[0])) is np.ndarray
    assert isinstance(image.mean(), np.floating)
    assert isinstance(image.astype(np.float32).max(), np.floating)
    assert isinstance(image[0, 0], np.uint8)
    assert pickle.loads(pickle.dumps(image)).tolist() == image.tolist()


def test_as_an_array_a_sample_is_its_image():
    sample = Sample(image=np.arange(12, dtype=np.uint8).reshape(3, 4))
    array = np.asarray(sample)
    assert type(array) is np.ndarray
    assert np.shares_memory(array, sample.image)
    np.testing.assert_array_equal(np.array(sample, dtype=np.float32), sample.image)
    np.array(sample)[0, 0] = 9  # a copy of one's own


def test_samples_and_hands_say_in_one_line_what_they_are():
    sample = Sample(image=np.zeros((4, 6), np.uint8), hands=(a_hand(handedness="Right"),), source="a.jpg")
    assert repr(sample.with_step("ResizePad").with_step("Greyscale")) == (
        "<Sample 6x4 grey, Right 0.90, a.jpg > ResizePad > Greyscale>"
    )
    assert "no hand, " in repr(replace(sample, hands=()))
    assert "hands not looked for" in repr(replace(sample, hands=None))
    assert "no landmarks" in repr(Hand(box=(0, 0, 1, 1), score=0.5))
    assert "view as-is" in repr(sample.hand)
    assert not {"\n", "["} & {*repr(sample), *repr(sample.hand)}


def test_points_go_to_the_photo_and_back():
    forward = geometry.compose(geometry.rotation(0.3), geometry.scaling(0.5, 0.7), geometry.translation(9, 4))
    sample = Sample(image=np.zeros((90, 90), np.uint8)).transformed(
        forward, np.zeros((50, 50), np.uint8), None
    )
    photo = sample.to_photo(LANDMARKS)
    np.testing.assert_allclose(geometry.apply(forward, photo), LANDMARKS, atol=1e-9)
    np.testing.assert_allclose(sample.from_photo(photo), LANDMARKS, atol=1e-9)


@pytest.mark.parametrize(("side", "shown"), [(64, 256), (300, 300), (4000, 800)])
def test_a_notebook_shows_a_sample_with_its_hands_at_a_size_to_look_at(side, shown):
    sample = Sample(image=np.zeros((100, 100, 3), np.uint8), hands=(a_hand(),))
    picture = PIL.Image.open(io.BytesIO(ResizePad(side).apply(sample)._repr_png_()))
    assert picture.size == (shown, shown)
    assert np.asarray(picture).max() > 100


def test_a_sample_is_saved_with_all_that_is_known_as_its_ending_says(tmp_path):
    alpha = np.arange(24, dtype=np.uint8).reshape(4, 6)
    sample = Sample(image=np.full((4, 6, 3), 9, np.uint8), alpha=alpha, hands=(a_hand(),)).with_step(
        "ResizePad"
    )
    sample.save(tmp_path / "a.png")
    assert np.asarray(PIL.Image.open(tmp_path / "a.png")).tolist() == sample.image.tolist()
    again = read(tmp_path / "a.png")
    np.testing.assert_array_equal(again.alpha, alpha)
    np.testing.assert_array_equal(again.hand.landmarks, LANDMARKS)
    assert again.steps == sample.steps
    with pytest.raises(InputError, match=r"a\.txt"):
        sample.save(tmp_path / "a.txt")


def test_show_opens_a_viewer_with_the_hands_or_says_that_there_is_none(monkeypatch):
    sample, opened = Sample(image=np.zeros((100, 100, 3), np.uint8), hands=(a_hand(),)), []

    class Viewer(PIL.ImageShow.Viewer):
        def show(self, image, **options):
            opened.append(np.asarray(image))
            return True

    monkeypatch.setattr(PIL.ImageShow, "_viewers", [])
    with pytest.raises(OutputError, match="save"):
        sample.show()
    PIL.ImageShow.register(Viewer())
    sample.show()
    assert opened[0].max() > 100


WORLD = np.random.default_rng(1).uniform(-0.1, 0.1, (21, 3)).astype(np.float32)
DEPTH = np.random.default_rng(2).uniform(-40, 10, 21).astype(np.float32)


@pytest.mark.parametrize(
    "changes",
    [
        {"box": (0, 0, np.nan, 1)},
        {"landmarks": LANDMARKS[:20]},
        {"landmarks": LANDMARKS * np.nan},
        {"depth": DEPTH[:, None]},
        {"world": WORLD[:, :2]},
        {"handedness_score": np.inf},
        {"handedness": "left"},
        {"box": "abcd"},
    ],
)
def test_a_hand_with_impossible_numbers_is_refused(changes):
    with pytest.raises(InputError):
        a_hand(**changes)


def test_mirroring_makes_a_left_hand_a_right_hand():
    hand = a_hand(handedness="Left").transformed(geometry.mirroring(100))
    assert hand.handedness == "Right"
    np.testing.assert_allclose(hand.landmarks[:, 0], 100 - LANDMARKS[:, 0], rtol=1e-6)


def test_world_landmarks_turn_and_mirror_with_the_image_and_keep_their_lengths():
    hand = a_hand(world=WORLD)
    turned = hand.transformed(geometry.compose(geometry.rotation(np.pi / 2), geometry.scaling(3, 3)))
    np.testing.assert_allclose(turned.world, WORLD[:, [1, 0, 2]] * [-1, 1, 1], atol=1e-7)
    mirrored = hand.transformed(geometry.mirroring(100))
    np.testing.assert_array_equal(mirrored.world, WORLD * np.float32([-1, 1, 1]))
    np.testing.assert_array_equal(hand.transformed(geometry.scaling(2, 2)).world, hand.world)


def test_depth_scales_with_the_image_and_survives_mirroring():
    hand = a_hand(depth=DEPTH)
    forward = geometry.compose(geometry.scaling(2, 2), geometry.mirroring(50), geometry.rotation(1))
    np.testing.assert_allclose(hand.transformed(forward).depth, 2 * DEPTH, rtol=1e-6)


def test_a_turned_hand_has_the_box_of_its_landmarks():
    hand = a_hand().transformed(geometry.rotation(0.5))
    np.testing.assert_allclose(hand.box, geometry.enclosing_box(hand.landmarks), atol=1e-4)


def test_what_a_moved_sample_knows_leads_back_to_the_source():
    forward = geometry.compose(geometry.translation(-5, -7), geometry.scaling(2, 3))
    sample = Sample(image=np.zeros((90, 90, 3), np.uint8), hands=(a_hand(),))
    moved = sample.transformed(forward, np.zeros((20, 20, 3), np.uint8), None)
    np.testing.assert_allclose(geometry.apply(moved.to_source, moved.hand.landmarks), LANDMARKS, atol=1e-3)
