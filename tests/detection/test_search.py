"""Searching: more hands than one look finds, where they are, and no more false ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from handprep import geometry, images
from handprep.detection.litert import LiteRTDetector
from handprep.detection.search import VIEWS, SearchingDetector, convincing
from handprep.detection.views import View
from handprep.errors import InputError
from handprep.sample import Hand
from tests.rendered import photos

SINGLE = LiteRTDetector()
SEARCH = SearchingDetector(SINGLE)
CLEAR = [photo for photo in photos() if photo.label != "rock"][::4]


def close_to(hand, photo, tolerance=0.12):
    """Whether landmarks are those of the render, as a share of the hand's size."""
    size = np.linalg.norm(np.ptp(photo.landmarks, axis=0))
    return np.linalg.norm(hand.landmarks - photo.landmarks, axis=1).mean() < tolerance * size


def noisy(image):
    return np.clip(image + np.random.default_rng(0).normal(0, 70, image.shape), 0, 255).astype(np.uint8)


def swapped(image):
    return np.ascontiguousarray(image[..., ::-1])


def dark_and_tinted(image):
    return (255 * (image / 255) ** 2.5 * [0.25, 0.6, 0.2]).astype(np.uint8)


def test_every_rendered_hand_is_found():
    found = [SEARCH.detect(images.read(photo.path).image) for photo in photos()]
    single = [SINGLE.detect(images.read(photo.path).image) for photo in photos()]
    assert sum(map(bool, found)) >= 35  # of 36; a single look finds 34
    assert sum(map(bool, found)) > sum(map(bool, single))


@pytest.mark.parametrize("spoil", [noisy, swapped, dark_and_tinted], ids=lambda spoil: spoil.__name__)
def test_hands_in_spoilt_pictures_are_found_where_they_are(spoil):
    pictures = [(photo, spoil(images.read(photo.path).image)) for photo in CLEAR]
    close = [any(close_to(hand, photo) for hand in SEARCH.detect(image)) for photo, image in pictures]
    alone = [any(close_to(hand, photo) for hand in SINGLE.detect(image)) for photo, image in pictures]
    assert sum(close) >= len(CLEAR) - 1
    assert sum(close) >= sum(alone)


def test_a_hand_that_the_first_look_sees_is_given_as_it_is():
    image = images.read(photos()[1].path).image
    (single,), (found,) = SINGLE.detect(image), SEARCH.detect(image)
    assert found.view == "as-is"
    np.testing.assert_array_equal(found.landmarks, single.landmarks)


@dataclass(frozen=True)
class BlindTo:
    """The real detector, but for pictures of one shape, which it does not look at."""

    shape: tuple[int, ...]

    @property
    def least_presence(self):
        return SINGLE.least_presence

    def detect(self, image):
        return () if image.shape == self.shape else SINGLE.detect(image)

    def look(self, image, region):
        return SINGLE.look(image, region)


@pytest.mark.parametrize(
    "view",
    [
        View(pad=0.4),
        View(light="smoothed", pad=0.2),
        View(pad=0.3, turn=90),
        View(pad=0.3, mirror=True),
        View(turn=45),
    ],
    ids=lambda view: view.name,
)
def test_what_a_view_shows_is_mapped_back_to_the_photo(view):
    for photo in CLEAR[:3]:
        image = images.read(photo.path).image
        (expected,) = SINGLE.detect(image)
        (hand,) = SearchingDetector(BlindTo(image.shape), views=(view,)).detect(image)
        assert hand.view == view.name
        assert hand.handedness == expected.handedness
        size = np.linalg.norm(np.ptp(expected.landmarks, axis=0))
        assert np.linalg.norm(hand.landmarks - expected.landmarks, axis=1).mean() < 0.05 * size


def test_the_whole_picture_taken_for_the_hand_needs_no_palm():
    photo = CLEAR[0]
    x0, y0, x1, y1 = (int(n) for n in photo.box)
    image = images.read(photo.path).image[max(0, y0 - 20) : y1 + 20, max(0, x0 - 20) : x1 + 20]
    turns = tuple(View(whole=True, turn=turn) for turn in range(0, 360, 45))
    (hand,) = SearchingDetector(BlindTo(image.shape), views=turns).detect(image)
    assert "whole picture" in hand.view
    moved = geometry.apply(geometry.translation(max(0, x0 - 20), max(0, y0 - 20)), hand.landmarks)
    assert np.linalg.norm(moved - photo.landmarks, axis=1).mean() < 0.12 * max(x1 - x0, y1 - y0)


def test_a_picture_larger_than_a_view_gives_the_same_hand():
    photo = CLEAR[0]
    image = cv2.resize(images.read(photo.path).image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    (hand,) = SearchingDetector(BlindTo(image.shape), views=(View(light="smoothed"),)).detect(image)
    assert np.linalg.norm(hand.landmarks / 3 - photo.landmarks, axis=1).mean() < 30


def test_a_real_hand_convinces_and_a_made_up_one_does_not():
    photo = CLEAR[0]
    image = images.read(photo.path).image
    (hand,) = SINGLE.detect(image)
    assert convincing(SINGLE, image, hand, 0.7) is not None
    elsewhere = hand.moved(geometry.translation(-hand.box[0], 360 - hand.box[1]))
    assert convincing(SINGLE, image, elsewhere, 0.7) is None
    point = Hand(landmarks=np.full((21, 2), 50.0), box=(50, 50, 50, 50), score=1.0)
    assert convincing(SINGLE, image, point, 0.0) is None


def test_pictures_without_hands_show_none():
    random = np.random.default_rng(0)
    for image in (
        np.zeros((120, 160, 3), np.uint8),
        random.integers(0, 256, (120, 160, 3), np.uint8),
        cv2.GaussianBlur(random.integers(0, 256, (120, 160, 3), np.uint8), (0, 0), 6),
        np.full((1, 1, 3), 90, np.uint8),
        np.full((1, 3000, 3), 90, np.uint8),
    ):
        assert SEARCH.detect(image) == ()


@dataclass(frozen=True)
class Boxes:
    """A detector that knows boxes only, and sees one where the picture is padded."""

    score: float

    def detect(self, image):
        return (Hand(box=(50.0, 50, 60, 60), score=self.score),) if image.shape[0] > 100 else ()


def test_a_hand_without_landmarks_is_believed_by_its_score():
    image = np.zeros((100, 100, 3), np.uint8)
    views = (View(pad=0.4, presence=0.6),)
    (hand,) = SearchingDetector(Boxes(0.7), views=views).detect(image)
    assert hand.box == (10, 10, 20, 20)
    assert SearchingDetector(Boxes(0.5), views=views).detect(image) == ()


def test_the_views_have_names_of_their_own():
    assert len({view.name for view in VIEWS}) == len(VIEWS)


def test_something_else_than_a_detector_or_a_view_is_refused():
    with pytest.raises(InputError, match="detect"):
        SearchingDetector("litert")
    with pytest.raises(InputError, match="View"):
        SearchingDetector(SINGLE, views=("padded",))
