"""Searching: more hands than one look finds, where they are, and no more false ones."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from handprep import geometry, images
from handprep.detection.base import Proposal
from handprep.detection.litert import LiteRTDetector
from handprep.detection.refinement import TRACKED, confirmed
from handprep.detection.region import Region
from handprep.detection.search import SearchingDetector
from handprep.detection.views import FURTHER, VIEWS, View
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
    """The real detector, but for images of one shape, in which it sees no palm."""

    shape: tuple[int, ...]
    best: float = 0.0

    @property
    def least_presence(self):
        return SINGLE.least_presence

    def detect(self, image):
        return () if image.shape == self.shape else SINGLE.detect(image)

    def propose(self, image, confidence=None):
        seen = SINGLE.propose(image, confidence)
        return (replace(seen[0], score=self.best),) if image.shape == self.shape else seen

    def hands_at(self, image, proposals):
        return () if image.shape == self.shape else SINGLE.hands_at(image, proposals)

    def look(self, image, region):
        return SINGLE.look(image, region)


TURNED = View(light="smoothed", pad=0.05, turn=90)


@pytest.mark.parametrize(
    "views",
    [
        (View(pad=0.4),),
        (View(light="smoothed", pad=0.2),),
        (View(pad=0.3, turn=90),),
        (View(turn=45),),
        ((View(light="skin-toned", turn=180), TURNED, View(pad=1.0, turn=180)),),
        ((*[View(light="swapped", turn=180)] * 8, TURNED),),
    ],
    ids=lambda views: f"{views}"[:60],
)
def test_what_a_view_shows_is_mapped_back_to_the_photo(views):
    for photo in CLEAR[:3]:
        image = images.read(photo.path).image
        (expected,) = SINGLE.detect(image)
        (hand,) = SearchingDetector(BlindTo(image.shape), views=views, further=()).detect(image)
        assert hand.view != "as-is"
        assert hand.handedness == expected.handedness
        size = np.linalg.norm(np.ptp(expected.landmarks, axis=0))
        assert np.linalg.norm(hand.landmarks - expected.landmarks, axis=1).mean() < 0.05 * size


def test_a_detector_of_ones_own_is_shown_each_view_by_itself():
    photo = CLEAR[0]
    image = images.read(photo.path).image
    (expected,) = SINGLE.detect(image)
    (hand,) = SearchingDetector(Plain(image.shape), views=((View(pad=0.4), View(turn=180)),)).detect(image)
    size = np.linalg.norm(np.ptp(expected.landmarks, axis=0))
    assert np.linalg.norm(hand.landmarks - expected.landmarks, axis=1).mean() < 0.05 * size


@dataclass(frozen=True)
class Plain:
    """A detector that only detects, and sees nothing in images of one shape."""

    shape: tuple[int, ...]

    def detect(self, image):
        return () if image.shape == self.shape else SINGLE.detect(image)


def test_an_image_larger_than_a_view_gives_the_same_hand():
    photo = CLEAR[0]
    image = cv2.resize(images.read(photo.path).image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    (hand,) = SearchingDetector(BlindTo(image.shape), views=(View(light="smoothed"),)).detect(image)
    assert np.linalg.norm(hand.landmarks / 3 - photo.landmarks, axis=1).mean() < 30


def test_hands_in_an_image_that_is_shrunk_first_are_given_in_its_own_pixels():
    photo = CLEAR[0]
    large = cv2.resize(images.read(photo.path).image, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    (hand,) = SEARCH.detect(large)
    size = np.linalg.norm(np.ptp(photo.landmarks, axis=0))
    assert np.linalg.norm(hand.landmarks / 5 - photo.landmarks, axis=1).mean() < 0.12 * size


def scene_of(*places):
    """Return a scene of 1600 x 1200 with rendered hands, each so many pixels wide at (x, y)."""
    scene = np.full((1200, 1600, 3), 120, np.uint8)
    for photo, (x, y, wide) in zip(CLEAR, places, strict=False):
        small = cv2.resize(images.read(photo.path).image, (wide, wide * 3 // 4), interpolation=cv2.INTER_AREA)
        scene[y : y + wide * 3 // 4, x : x + wide] = small
    return scene


def test_a_small_hand_in_a_large_image_is_found_in_a_tile_if_some_palm_was_promising():
    scene = scene_of((1200, 850, 200))
    for best, found in ((0.1, 0), (0.2, 1)):
        hands = SearchingDetector(BlindTo(scene.shape, best), views=((),), further=()).detect(scene)
        assert len(hands) == found
        for hand in hands:
            assert "tiles" in hand.view
            assert 1200 < hand.box[0] < hand.box[2] < 1400


def test_small_hands_beside_a_large_one_are_found_if_many_are_asked_for():
    scene = scene_of((60, 300, 700), (1300, 60, 220), (1250, 900, 220))
    counts = {most: len(SearchingDetector(LiteRTDetector(max_hands=most)).detect(scene)) for most in (2, 10)}
    assert counts[10] == 3
    assert counts[2] < 3
    assert len(SearchingDetector(LiteRTDetector(max_hands=2), beside=True).detect(scene)) == 2


def test_a_hand_free_image_costs_few_looks():
    """As a single look at one is one run of the palm network, so many runs are the price of a search."""
    calls = []

    @dataclass(frozen=True)
    class Counting(BlindTo):
        def propose(self, image, confidence=None):
            calls.append("palm")
            return super().propose(image, confidence)

        def look(self, image, region):
            calls.append("landmarks")
            return super().look(image, region)

    image = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8), (0, 0), 9)
    assert SearchingDetector(Counting(image.shape)).detect(image) == ()
    assert calls.count("palm") == 3
    assert calls.count("landmarks") <= 4


def test_a_real_hand_convinces_and_a_made_up_one_does_not():
    photo = CLEAR[0]
    image = images.read(photo.path).image
    (hand,) = SINGLE.detect(image)
    assert confirmed(SINGLE, image, hand, 0.7) is not None
    elsewhere = hand.transformed(geometry.translation(-hand.box[0], 360 - hand.box[1]))
    assert confirmed(SINGLE, image, elsewhere, 0.7) is None
    point = Hand(landmarks=np.full((21, 2), 50.0), box=(50, 50, 50, 50), score=1.0)
    assert confirmed(SINGLE, image, point, 0.0) is None


@pytest.mark.parametrize("doubted", range(4))
def test_one_look_around_a_hand_that_doubts_it_is_enough(doubted):
    image = images.read(CLEAR[0].path).image
    (hand,) = SINGLE.detect(image)
    looks = itertools.count(-TRACKED)

    class Doubting(LiteRTDetector):
        def look(self, image, region):
            seen = SINGLE.look(image, region)
            return replace(seen, score=0.0) if next(looks) == doubted else seen

    assert confirmed(Doubting(), image, hand, 0.7) is None


def test_a_palm_where_a_sheet_shows_no_view_is_none():
    class Misled(LiteRTDetector):
        def propose(self, image, confidence=None):
            return (Proposal(score=0.6, palm=(150.0, 150.0), region=Region(150.0, 150.0, 50.0)),)

    grey = np.full((300, 300, 3), 120, np.uint8)
    three = ((View(), View(turn=90), View(turn=180)),)  # in a sheet of two by two
    assert SearchingDetector(Misled(), views=three, further=()).detect(grey) == ()


def shuffled(image, cells, seed):
    """Return an image cut into cells x cells pieces that lie anywhere."""
    height, width = (side // cells for side in image.shape[:2])
    pieces = image[: height * cells, : width * cells].reshape(cells, height, cells, width, 3).swapaxes(1, 2)
    order = np.random.default_rng(seed).permutation(cells * cells)
    return np.vstack(
        [np.hstack(pieces.reshape(-1, height, width, 3)[row]) for row in order.reshape(cells, -1)]
    )


def test_a_first_look_at_pieces_of_hands_is_doubted():
    pieces = [shuffled(images.read(photo.path).image, 6, seed) for seed, photo in enumerate(photos())]
    taken = [image for image in pieces if SINGLE.detect(image)]
    believed = [image for image in taken if SearchingDetector(SINGLE, views=(), further=()).detect(image)]
    assert len(taken) >= 9  # of 36: a single look takes 11 for hands
    assert len(believed) <= 7  # the search 5


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
    """A detector that knows boxes only, and sees one where the image is padded."""

    score: float

    def detect(self, image):
        return (Hand(box=(50.0, 50, 60, 60), score=self.score),) if image.shape[0] > 100 else ()


def test_a_hand_without_landmarks_is_believed_by_its_score():
    image = np.zeros((100, 100, 3), np.uint8)
    views = (View(pad=0.4, presence=0.6),)
    (hand,) = SearchingDetector(Boxes(0.7), views=views).detect(image)
    assert hand.box == (10, 10, 20, 20)
    assert SearchingDetector(Boxes(0.5), views=views).detect(image) == ()


@pytest.mark.parametrize("detector", [SINGLE, SEARCH], ids=["single", "search"])
@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((9, 9, 3), np.float32),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 3), np.uint16),
        None,
        "hand.jpg",
    ],
    ids=lambda wrong: f"{getattr(wrong, 'dtype', wrong)}{getattr(wrong, 'shape', '')}",
)
def test_what_is_no_rgb_array_is_refused_and_not_taken_for_an_image_without_hands(detector, wrong):
    with pytest.raises(InputError, match="uint8"):
        detector.detect(wrong)


def test_the_views_have_names_of_their_own():
    names = [(view.name, len(sheet)) for sheet in VIEWS + FURTHER for view in sheet]
    assert len(set(names)) == len(names)


def test_something_else_than_a_detector_or_a_view_is_refused():
    with pytest.raises(InputError, match="detect"):
        SearchingDetector("litert")
    with pytest.raises(InputError, match="View"):
        SearchingDetector(SINGLE, views=("padded",))
    with pytest.raises(InputError, match="beside"):
        SearchingDetector(SINGLE, beside="yes")


def error(hand, photo):
    """The mean error of a landmark as a share of the hand's length."""
    length = np.linalg.norm(photo.landmarks - photo.landmarks[0], axis=1).max()
    return np.linalg.norm(hand.landmarks - photo.landmarks, axis=1).mean() / length


def test_a_second_look_makes_the_landmarks_of_rendered_hands_more_exact():
    def mean_error(detector):
        found = [(detector.detect(images.read(photo.path).image), photo) for photo in photos()]
        return np.mean([error(hands[0], photo) for hands, photo in found if hands])

    once, twice = mean_error(SEARCH), mean_error(replace(SEARCH, refine=True))
    assert once == pytest.approx(0.0601, abs=0.002)  # decoders of JPEG differ
    assert twice == pytest.approx(0.0550, abs=0.002)


def test_a_second_look_is_one_run_of_the_landmark_network_and_none_for_a_hand_that_was_confirmed(monkeypatch):
    looks = []
    look = LiteRTDetector.look
    monkeypatch.setattr(LiteRTDetector, "look", lambda *args: looks.append(1) or look(*args))
    image = images.read(photos()[1].path).image
    SEARCH.detect(image)
    assert len(looks) == 0
    replace(SEARCH, refine=True).detect(image)
    assert len(looks) == 1
    looks.clear()
    spoilt = swapped(image)
    assert SEARCH.detect(spoilt)[0].view != "as-is"
    needed = len(looks)
    replace(SEARCH, refine=True).detect(spoilt)
    assert len(looks) == 2 * needed
