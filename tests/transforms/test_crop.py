"""HandCropper on rendered hands: the hand is in the crop, the way back is right, every choice is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handprep import geometry, images
from handprep.detection.litert import LiteRTDetector
from handprep.detection.search import SearchingDetector
from handprep.errors import HandNotFoundError, ImageError, InputError, SampleSkipped
from handprep.geometry import iou
from handprep.sample import Hand, Sample
from handprep.transforms.crop import HandCropper
from tests.rendered import photos

HANDS = [photo for photo in photos() if photo.label != "rock"][::3]  # fists of renders are hard to find
EMPTY = np.full((90, 120, 3), 128, np.uint8)


def longest_side(photo):
    x0, y0, x1, y1 = photo.box
    return max(x1 - x0, y1 - y0)


def hand_at(x0, y0, x1, y1, score=0.9, **extra):
    return Hand(box=(x0, y0, x1, y1), score=score, **extra)


def test_the_crop_holds_the_hand_and_little_else():
    held = []
    for photo in HANDS:
        done = HandCropper().run(photo.path)
        x0, y0, x1, y1 = geometry.apply_to_box(done.to_source, (0, 0, *done.size))
        slack = 0.05 * longest_side(photo)
        inside = (
            np.array([x0, y0, -x1, -y1]) <= np.array([*photo.box[:2], *np.negative(photo.box[2:])]) + slack
        )
        held.append(inside.all() and max(x1 - x0, y1 - y0) < 1.6 * longest_side(photo))
    assert sum(held) >= len(held) - 1  # one render's landmarks end a knuckle below its finger tips


@pytest.mark.parametrize("photo", HANDS, ids=lambda photo: photo.path.stem)
def test_every_pixel_of_the_crop_is_traced_to_its_pixel_in_the_photo(photo):
    whole = images.read(photo.path).image
    done = HandCropper(mirror="right").run(photo.path)
    rows, columns = np.indices(done.image.shape[:2])
    centres = np.stack([columns, rows], axis=-1) + 0.5
    x, y = np.moveaxis(geometry.apply(done.to_source, centres), -1, 0)
    np.testing.assert_array_equal(done.image, whole[np.floor(y).astype(int), np.floor(x).astype(int)])


@pytest.mark.parametrize("photo", HANDS, ids=lambda photo: photo.path.stem)
def test_upright_turns_the_hand_to_point_up(photo):
    done = HandCropper(upright=True).run(photo.path)
    dx, dy = done.hand.landmarks[9] - done.hand.landmarks[0]
    assert abs(math.degrees(math.atan2(dx, -dy))) < 0.1
    inside = (done.hand.landmarks >= 0) & (done.hand.landmarks <= done.size)
    assert inside.all()


def test_an_upright_crop_without_a_margin_is_the_box_of_the_turned_landmarks():
    done = HandCropper(upright=True, margin=0).run(HANDS[0].path)
    extent = np.ptp(done.hand.landmarks, axis=0)
    assert abs(extent[0] - extent[1]) > 20
    np.testing.assert_array_equal(done.size, np.ceil(extent - 1e-3))


@pytest.mark.parametrize(("wide", "high"), [(60.5, 30.5), (30.5, 60.5)])
def test_a_square_upright_crop_is_as_large_as_the_hands_longer_side(wide, high):
    landmarks = np.random.default_rng(0).uniform((20, 20), (20 + wide, 20 + high), (21, 2)).astype(np.float32)
    landmarks[[0, 9, 4, 20]] = (40, 20 + high), (40, 20), (20, 30), (20 + wide, 30)  # it points up already
    hand = Hand(landmarks=landmarks, box=geometry.enclosing_box(landmarks), score=0.9)
    done = HandCropper(upright=True, square=True, margin=0).apply(Sample(image=PICTURE, hands=(hand,)))
    assert done.size == (61, 61)


def test_upright_landmarks_lie_on_the_same_colours_as_before():
    photo = HANDS[0]
    whole, done = images.read(photo.path).image, HandCropper(upright=True).run(photo.path)
    before = geometry.apply(done.to_source, done.hand.landmarks)

    def colours(image, points):
        return np.array([image[int(y), int(x)] for x, y in points], float)

    difference = np.abs(colours(done.image, done.hand.landmarks) - colours(whole, before))
    assert np.median(difference) < 6  # interpolation between neighbours


@pytest.mark.parametrize("side", ["left", "right"])
def test_mirror_shows_every_hand_as_the_same_hand(side):
    plain = HandCropper()
    mirrored = HandCropper(mirror=side)
    for photo in HANDS:
        before, after = plain.run(photo.path), mirrored.run(photo.path)
        assert after.hand.handedness == side.capitalize()
        flipped = before.hand.handedness != after.hand.handedness
        np.testing.assert_array_equal(after.image, before.image[:, ::-1] if flipped else before.image)


def test_square_crops_are_square():
    for photo in HANDS:
        for upright in (False, True):
            width, height = HandCropper(square=True, upright=upright).run(photo.path).size
            assert width == height


@given(st.floats(0, 150), st.floats(0, 150), st.floats(2, 120), st.floats(2, 120), st.floats(0, 0.5))
def test_a_square_crop_is_square_wherever_the_hand_lies_as_far_as_the_image_reaches(x, y, wide, high, margin):
    sample = Sample(image=np.zeros((200, 260, 3), np.uint8), hands=(hand_at(x, y, x + wide, y + high),))
    width, height = HandCropper(square=True, margin=margin).apply(sample).size
    side = math.ceil(max(wide, high) * (1 + 2 * margin) - 1e-6)
    assert abs(width - min(side, 260)) <= 1
    assert height == min(width, 200)


def test_the_margin_is_a_share_of_the_boxs_long_side():
    sample = Sample(image=np.zeros((200, 200, 3), np.uint8), hands=(hand_at(80, 60, 120, 140),))
    for margin, size in ((0.0, (40, 80)), (0.25, (80, 120))):
        assert HandCropper(margin=margin).apply(sample).size == size


def test_the_square_of_a_square_box_is_the_box():
    sample = Sample(image=np.zeros((200, 200, 3), np.uint8), hands=(hand_at(80, 60, 120, 100),))
    done = HandCropper(square=True, margin=0).apply(sample)
    assert geometry.apply_to_box(done.to_source, (0, 0, *done.size)) == (80, 60, 120, 100)


def test_a_crop_ends_where_the_photo_ends():
    sample = Sample(image=np.zeros((100, 100, 3), np.uint8), hands=(hand_at(-30, 80, 40, 130),))
    assert HandCropper(margin=0.1).apply(sample).size == (47, 27)


@dataclass(frozen=True)
class Fixed:
    """A detector that finds what it was given."""

    hands: tuple[Hand, ...]

    def detect(self, image):
        return self.hands


SMALL = hand_at(0, 0, 10, 10, score=0.9, handedness="Left")
LARGE = hand_at(50, 50, 90, 90, score=0.4, handedness="Right")
TWO = Fixed((SMALL, LARGE))
PICTURE = np.zeros((100, 100, 3), np.uint8)


@pytest.mark.parametrize(
    ("hand", "size", "scores"),
    [
        ("best", (10, 10), [0.9, 0.4]),
        ("largest", (40, 40), [0.4, 0.9]),
        ("left", (10, 10), [0.9, 0.4]),
        ("right", (40, 40), [0.4, 0.9]),
        ("all", (90, 90), [0.9, 0.4]),
    ],
)
@pytest.mark.parametrize("detector", [TWO, Fixed(TWO.hands[::-1])])
def test_each_choice_of_hand_crops_to_it_and_puts_it_first(hand, size, scores, detector):
    done = HandCropper(detector=detector, search=False, hand=hand, margin=0).run(PICTURE)
    assert done.size == size
    assert [hand.score for hand in done.hands] == scores


def test_a_photo_without_a_hand_of_the_wanted_side_is_one_without_a_hand():
    cropper = HandCropper(detector=Fixed((SMALL,)), search=False, hand="right", on_missing="raise")
    with pytest.raises(HandNotFoundError, match="right hand"):
        cropper.run(PICTURE)
    kept = replace(cropper, on_missing="keep").run(PICTURE)
    assert kept.size == (100, 100)
    assert kept.hands == ()  # what follows must not take the other hand for it


@dataclass(frozen=True)
class Nearsighted:
    """A detector that sees a left hand in whole pictures, and in parts of them a small white right one."""

    def detect(self, image):
        y, x = np.nonzero(image[..., 0])
        if image.shape == PICTURE.shape:
            return (SMALL,)
        whole = len(x) == 100
        return (hand_at(x[0], y[0], x[0] + 10, y[0] + 10, handedness="Right"),) if whole else ()


def test_a_hand_of_the_wanted_side_may_be_a_small_one_beside_the_first():
    picture = PICTURE.copy()
    picture[80:90, 70:80] = 255
    done = HandCropper(detector=Nearsighted(), hand="right", margin=0).run(picture)
    assert (done.image == 255).all()
    assert done.size == (10, 10)
    assert done.steps[-1].details["found"] == 2
    assert HandCropper(detector=Nearsighted(), hand="left", margin=0).run(picture).size == (10, 10)
    alone = HandCropper(detector=Nearsighted(), hand="right", search=False, on_missing="keep").run(picture)
    assert alone.hands == ()


def test_an_upright_crop_that_no_memory_holds_is_refused():
    landmarks = np.random.default_rng(0).uniform(0, 1e5, (21, 2)).astype(np.float32)
    huge = Hand(landmarks=landmarks, box=geometry.enclosing_box(landmarks), score=0.9)
    with pytest.raises(ImageError, match="margin"):
        HandCropper(upright=True).apply(Sample(image=PICTURE, hands=(huge,)))


def test_known_hands_keep_their_order():
    for hands in (TWO.hands, TWO.hands[::-1]):
        sample = Sample(image=PICTURE, hands=hands)
        for choice in ("best", "largest"):
            assert HandCropper(hand=choice).apply(sample).hand.score == hands[0].score


def test_all_hands_lie_in_an_upright_crop():
    pair = [replace(hand, handedness=None) for hand in TWO.hands]
    points = np.random.default_rng(0).uniform(0, 1, (21, 2)).astype(np.float32)
    pair = tuple(
        Hand(landmarks=points * 30 + corner, box=geometry.enclosing_box(points * 30 + corner), score=0.9)
        for corner in (5, 60)
    )
    done = HandCropper(hand="all", upright=True).apply(Sample(image=PICTURE, hands=pair))
    landmarks = np.concatenate([hand.landmarks for hand in done.hands])
    assert ((landmarks > 0) & (landmarks < done.size)).all()


def test_the_largest_hand_is_found_among_many():
    """The large hand's palm is not among the two that score best, which is all that MediaPipe looks at."""
    photo = photos()[1]
    image = images.read(photo.path).image
    small = cv2.resize(image, (240, 180), interpolation=cv2.INTER_AREA)
    scene = np.hstack([cv2.GaussianBlur(image, (0, 0), 3), np.tile(small, (2, 2, 1))])
    palms = LiteRTDetector().propose(scene)
    assert all(place.palm[0] > 480 for place in palms[:2])
    done = HandCropper(hand="largest", search=False).run(scene)
    assert iou(geometry.apply_to_box(done.to_source, done.hand.box), photo.box) > 0.6
    assert HandCropper(hand="best", search=False).run(scene).to_source[0, 2] > 400


def test_an_array_in_bgr_is_pointed_out():
    photo = next(photo for photo in photos() if swapped_only(images.read(photo.path).image))
    image = images.read(photo.path).image
    with pytest.warns(UserWarning, match="BGR"):
        HandCropper().run(np.ascontiguousarray(image[..., ::-1]))


def swapped_only(image):
    found = SearchingDetector(LiteRTDetector()).detect(np.ascontiguousarray(image[..., ::-1]))
    return bool(found) and "swapped" in found[0].view


def test_a_hand_without_landmarks_is_cropped_but_not_turned():
    sample = Sample(image=np.zeros((100, 100, 3), np.uint8), hands=(hand_at(20, 20, 60, 60),))
    done = HandCropper(upright=True, margin=0).apply(sample)
    assert done.size == (40, 40)
    assert done.steps[-1].details["upright"] is False


def test_alpha_is_cropped_along():
    alpha = np.arange(10000, dtype=np.uint32).reshape(100, 100).astype(np.uint8)
    sample = Sample(image=np.zeros((100, 100, 3), np.uint8), alpha=alpha, hands=(hand_at(20, 30, 60, 90),))
    np.testing.assert_array_equal(HandCropper(margin=0).apply(sample).alpha, alpha[30:90, 20:60])


def test_a_missing_hand_keeps_the_whole_picture():
    done = HandCropper().run(EMPTY)
    assert done.hands == ()
    np.testing.assert_array_equal(done.image, EMPTY)


def test_a_missing_hand_can_give_the_centre_square():
    done = HandCropper(on_missing="center").run(EMPTY)
    assert done.size == (90, 90)
    np.testing.assert_array_equal(done.to_source, geometry.translation(15, 0))
    tall = HandCropper(on_missing="center").run(np.ascontiguousarray(EMPTY.swapaxes(0, 1)))
    np.testing.assert_array_equal(tall.to_source, geometry.translation(0, 15))


def test_a_missing_hand_can_raise_and_names_the_photo(tmp_path):
    path = tmp_path / "nothing.png"
    PIL.Image.fromarray(EMPTY).save(path)
    with pytest.raises(HandNotFoundError, match=r"nothing\.png"):
        HandCropper(on_missing="raise").run(path)


def test_a_missing_hand_can_skip():
    with pytest.raises(SampleSkipped):
        HandCropper(on_missing="skip").run(EMPTY)


@dataclass(frozen=True)
class Counting:
    """A detector of one's own: anything with detect(image)."""

    seen: list

    def detect(self, image):
        self.seen.append(image.shape)
        return (hand_at(10, 10, 20, 20),)


def test_hands_that_are_known_are_not_looked_for_again():
    detector = Counting([])
    once = HandCropper(detector=detector).run(EMPTY)
    HandCropper(detector=detector).apply(once)
    assert detector.seen == [EMPTY.shape]


def test_a_grey_picture_can_be_cropped_too():
    photo = HANDS[0]
    with PIL.Image.open(photo.path) as picture:
        done = HandCropper().apply(Sample(image=np.asarray(picture.convert("L"))))
    assert done.image.ndim == 2
    assert done.hand is not None


def test_detectors_by_name_search_and_confidence():
    assert HandCropper().finder() == SearchingDetector(LiteRTDetector(confidence=0.1))
    assert HandCropper(search=False, confidence=0.4).finder() == LiteRTDetector(confidence=0.4)
    searching = SearchingDetector(LiteRTDetector(confidence=0.7))
    assert HandCropper(detector=searching).finder() is searching
    assert HandCropper(detector=searching, refine=True).finder() == replace(searching, refine=True)
    assert HandCropper(refine=True).finder().refine


@pytest.mark.parametrize(
    "wrong",
    [
        {"detector": "yolo9000"},
        {"detector": 3},
        {"confidence": 2},
        {"margin": -0.1},
        {"margin": 10.5},
        {"hand": "first"},
        {"max_hands": 0},
        {"max_hands": 2.0},
        {"search": "no"},
        {"refine": "yes"},
        {"refine": True, "search": False},
        {"upright": 1},
        {"mirror": "up"},
        {"on_missing": "ignore"},
    ],
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        HandCropper(**wrong)


@pytest.mark.parametrize(
    ("name", "limits"), [("max_hands", (1, 100)), ("margin", (0, 10)), ("confidence", (0, 1))]
)
def test_parameters_at_the_ends_of_their_ranges_are_taken(name, limits):
    for limit in limits:
        assert getattr(HandCropper(**{name: limit}), name) == limit


@pytest.mark.parametrize("ignored", [{"confidence": 0.5}, {"max_hands": 5}])
def test_a_parameter_that_a_given_detector_would_ignore_is_refused(ignored):
    with pytest.raises(InputError, match="detector given by name"):
        HandCropper(detector=LiteRTDetector(), **ignored)


def test_replacing_a_parameter_makes_another_cropper():
    assert replace(HandCropper(), margin=0.3) == HandCropper(margin=0.3) != HandCropper()


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize(
    ("box", "pixel"),
    [
        ((500, 400, 520, 420), (119, 89)),
        ((-50, -40, -30, -20), (0, 0)),
        ((60, 300, 60, 310), (60, 89)),
    ],
)
def test_a_box_outside_of_the_image_is_cropped_to_the_pixels_nearest_to_it(box, pixel, square):
    done = HandCropper(detector=Fixed((hand_at(*box),)), search=False, margin=0, square=square).run(EMPTY)
    (x0, y0), (x1, y1) = done.to_photo([(0, 0), done.size])
    assert 0 <= x0 <= pixel[0] < x1 <= 120
    assert 0 <= y0 <= pixel[1] < y1 <= 90
    assert square or done.size == (1, 1)
