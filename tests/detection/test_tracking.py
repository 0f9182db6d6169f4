"""Following hands: where the networks look, which number a hand keeps, and smooth landmarks."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handprep import HandCropper, Pipeline, ResizePad, geometry, images
from handprep.detection.base import LandmarkDetector
from handprep.detection.litert import LiteRTDetector
from handprep.detection.tracking import OneEuro, Tracker
from handprep.errors import HandNotFoundError, ImageError, InputError
from handprep.sample import Hand, Sample
from tests import moving
from tests.detection.test_search import close_to, dark_and_tinted
from tests.rendered import photos

EMPTY = moving.background()


@cache
def swaying() -> tuple[moving.Frame, ...]:
    return tuple(moving.one(24, 4, speed=2))


@dataclass(frozen=True)
class Counting:
    """The real detector, which counts how often each of its networks looks."""

    detector: LiteRTDetector = field(default_factory=LiteRTDetector)
    looks: Counter[str] = field(default_factory=Counter)

    @property
    def least_presence(self):
        return self.detector.least_presence

    def detect(self, image):
        return self.hands_at(image, self.propose(image))

    def propose(self, image, confidence=None):
        self.looks["palm"] += 1
        return self.detector.propose(image, confidence)

    def hands_at(self, image, proposals):
        proposals = list(proposals)
        self.looks["found"] += len(proposals)
        return self.detector.hands_at(image, proposals)

    def look(self, image, region):
        self.looks["followed"] += 1
        return self.detector.look(image, region)


@dataclass(frozen=True)
class Boxes:
    """A detector of boxes alone, which sees what a frame's first pixels say: an x each, 255 for none."""

    y: int = 20

    def detect(self, image):
        places = [int(x) for x in image[0, :, 0] if x != 255]
        return tuple(Hand(box=(x, self.y, x + 20, self.y + 20), score=0.9) for x in places)


def boxes_at(*places):
    image = np.full((60, 300, 3), 255, np.uint8)
    image[0, : len(places), 0] = places
    return image


def error(hand, landmarks):
    return np.hypot(*(hand.landmarks - landmarks).T).mean()


def test_a_moving_hand_is_where_it_truly_is_in_every_frame():
    tracker, single = Tracker(LiteRTDetector(), most=1), LiteRTDetector(max_hands=1)
    followed, detected = [], []
    for frame in swaying():
        (hand,) = tracker(frame.image)
        assert (hand.track, hand.handedness) == (0, photos()[4].handedness)
        followed.append(error(hand, frame.landmarks[0]))
        detected.append(error(single.detect(frame.image)[0], frame.landmarks[0]))
    assert max(followed) < 0.1 * moving.HAND
    assert np.mean(followed) < 1.05 * np.mean(detected)


def test_the_palm_network_looks_only_while_hands_are_wanted():
    detector = Counting()
    assert isinstance(detector, LandmarkDetector)
    tracker = Tracker(detector, most=1)
    for frame in swaying()[:6]:
        tracker(frame.image)
    assert detector.looks == {"palm": 1, "found": 1, "followed": 5}
    for _ in range(4):
        assert tracker(EMPTY) == ()
    assert detector.looks["followed"] == 6  # once more where it was
    assert detector.looks["palm"] == 5
    two = Counting()
    tracker = Tracker(two, most=2)
    for frame in swaying()[:6]:
        tracker(frame.image)
    assert (two.looks["palm"], two.looks["found"], two.looks["followed"]) == (6, 1, 5)


@dataclass(frozen=True)
class Strict(Counting):
    """A detector that takes nothing for a hand of which its landmark network is not wholly sure."""

    @property
    def least_presence(self):
        return 1.0


def test_a_hand_less_present_than_the_detector_asks_for_is_looked_for_anew():
    detector = Strict()
    tracker = Tracker(detector, most=1)
    for frame in swaying()[:4]:
        assert len(tracker(frame.image)) == 1
    assert detector.looks["palm"] == 4


def test_hands_that_cross_keep_their_numbers():
    tracker, wrong, seen = Tracker(LiteRTDetector(), most=2), 0, 0
    for frame in moving.crossing(40, (4, 1), period=60):
        hands = tracker(frame.image)
        for number, landmarks in enumerate(frame.landmarks):
            near = [hand for hand in hands if error(hand, landmarks) < 0.25 * moving.HAND]
            seen += len(near)
            wrong += sum(hand.track != number for hand in near)
    assert seen >= 2 * 40 - 6
    assert wrong == 0


def test_a_hand_whose_side_is_unsure_does_not_change_it_from_frame_to_frame():
    frames = [frame.image for frame in moving.one(40, 1)]
    tracker, detector = Tracker(LiteRTDetector(), most=1), LiteRTDetector()

    def changes(looks):
        sides = [hands[0].handedness for hands in looks if hands]
        assert len(sides) > 35
        return sum(one != other for one, other in itertools.pairwise(sides))

    followed = [tracker(frame) for frame in frames]
    assert changes(followed) <= 4 < changes(detector.detect(frame) for frame in frames)
    assert all(0.5 <= hand.handedness_score <= 1 for hands in followed for hand in hands)


@dataclass(frozen=True)
class Sided:
    """A detector of one box, whose side a frame's first pixel says: 0 for a left hand."""

    def detect(self, image):
        side = "Right" if image[0, 0, 0] else "Left"
        return (Hand(box=(20, 20, 60, 60), score=0.9, handedness=side, handedness_score=0.75),)


def test_the_side_is_the_mean_of_the_first_frames_and_then_follows_slowly():
    tracker, shown = Tracker(Sided(), most=1), []
    right, left = (np.full((90, 90, 3), level, np.uint8) for level in (255, 0))
    for frame in (right, right, left, right):
        (hand,) = tracker(frame)
        shown.append((hand.handedness, hand.handedness_score))
    means = [0.75, 0.75, (2 * 0.75 + 0.25) / 3, (3 * 0.75 + 0.25) / 4]
    assert shown == [("Right", pytest.approx(mean)) for mean in means]
    for _ in range(50):
        tracker(right)
    needed = next(n for n in range(50) if tracker(left)[0].handedness == "Left")
    assert 5 <= needed <= 12  # 0.9 to the power of 7 is 1 / 2


def test_two_hands_whose_regions_meet_are_one_hand():
    tracker = Tracker(LiteRTDetector(), most=2)
    frames = list(moving.crossing(1, (4, 1)))
    assert [hand.track for hand in tracker(frames[0].image)] == [0, 1]
    canvas = moving.background()
    left = tracker(frames[0].image)[0]
    cutout = moving.Cutout(photos()[4])
    cutout.onto(canvas, *np.mean(left.landmarks, axis=0))
    for track in tracker._tracks:  # both look at the one that is left
        track.hand = replace(left, track=None)
    assert len(tracker(canvas)) == 1


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_boxes_keep_their_numbers_in_whatever_order_they_are_found(data):
    count = data.draw(st.integers(1, 4))
    places, tracker = np.arange(count) * 60 + 10, Tracker(Boxes(), most=4)
    of = {hand.box[0]: hand.track for hand in tracker(boxes_at(*places))}
    numbers = [of[place] for place in places]
    for _ in range(6):
        places = places + [data.draw(st.integers(-4, 4)) for _ in range(count)]
        places = np.clip(places, 0, 254)
        order = data.draw(st.permutations(range(count)))
        hands = tracker(boxes_at(*places[order]))
        assert [hand.track for hand in hands] == sorted(numbers)
        assert {hand.box[0]: hand.track for hand in hands} == dict(zip(places, numbers, strict=True))


@pytest.mark.parametrize(("away", "number"), [(0.5, 0), (2.0, 1)])
def test_a_hand_that_comes_back_within_a_second_is_the_same(away, number):
    tracker = Tracker(Boxes(), most=1)
    assert tracker(boxes_at(50), 0.0)[0].track == 0
    assert tracker(boxes_at(), 0.1) == ()
    assert tracker(boxes_at(55), 0.1 + away)[0].track == number


@pytest.mark.parametrize("image", [boxes_at(50), boxes_at(50, 120)])
def test_frames_that_are_seconds_apart_are_followed_too(image):
    tracker = Tracker(Boxes(), most=2)
    first, second = ([hand.track for hand in tracker(image, seconds)] for seconds in (0.0, 4.0))
    assert first == second


@pytest.mark.parametrize("y", [20, 2000])
def test_a_hand_elsewhere_is_another_one(y):
    tracker = Tracker(Boxes(y), most=1)
    assert [tracker(boxes_at(x))[0].track for x in (150, 152, 230, 232)] == [0, 0, 1, 1]


def test_no_more_hands_than_are_wanted():
    assert len(Tracker(Boxes(), most=2)(boxes_at(5, 80, 160))) == 2


def test_frames_without_times_and_times_that_go_back_do_no_harm():
    tracker = Tracker(Boxes(), most=1, smooth=OneEuro())
    for x, seconds in enumerate((None, 0.5, 0.5, 0.0, None, 1.0), 50):
        (hand,) = tracker(boxes_at(x), seconds)
        assert (hand.track, hand.box[0]) == (0, x)


def test_a_frame_of_another_size_begins_anew():
    tracker = Tracker(LiteRTDetector(), most=1)
    frame = swaying()[0].image
    assert tracker(frame)[0].track == 0
    assert tracker(frame[:, 20:])[0].track == 1


def test_large_frames_are_shrunk_and_landmarks_are_given_in_their_pixels():
    tracker, frame = Tracker(LiteRTDetector(), most=1), swaying()[0]
    large = cv2.resize(frame.image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    for _ in range(2):
        (hand,) = tracker(large)
        assert error(hand, 4 * frame.landmarks[0]) < 0.1 * 4 * moving.HAND


def spoilt():
    """Return a hand that only the search finds, and where it is."""
    for photo in photos():
        image = dark_and_tinted(images.read(photo.path).image)
        if not any(hand.score >= 0.5 for hand in LiteRTDetector().detect(image)):
            (found,) = HandCropper().finder().detect(image)[:1] or (None,)
            if found is not None and close_to(found, photo):
                return image
    raise AssertionError("every hand is found at once")


def test_a_frame_is_searched_only_where_that_is_told():
    image = spoilt()
    assert Tracker(LiteRTDetector(), most=1)(image) == ()
    for search in ("first", "always"):
        assert len(Tracker(LiteRTDetector(), most=1, search=search)(image)) == 1
    first = Tracker(LiteRTDetector(), most=1, search="first")
    first(swaying()[0].image)
    assert first(image) == ()
    always = Tracker(LiteRTDetector(), most=1, search="always")
    always(swaying()[0].image)
    assert len(always(image)) == 1


def trembling(hands, of):
    places = np.stack([getattr(hand, of) for hand in hands[8:]])
    return np.linalg.norm(places.std(0).reshape(21, -1), axis=1).mean()


def test_smoothing_halves_the_trembling_of_a_still_hand_and_hardly_lags():
    single, smooth = LiteRTDetector(max_hands=1), Tracker(LiteRTDetector(), most=1, smooth=OneEuro())
    still = [frame.image for frame in moving.one(30, 4, speed=0, sigma=8)]
    calm, raw = [smooth(image)[0] for image in still], [single.detect(image)[0] for image in still]
    for of in ("landmarks", "depth"):
        assert trembling(calm, of) < 0.5 * trembling(raw, of)
    smooth, raw = (Tracker(LiteRTDetector(), most=1, smooth=by) for by in (OneEuro(), None))
    errors = [
        (error(smooth(f.image)[0], f.landmarks[0]), error(raw(f.image)[0], f.landmarks[0])) for f in swaying()
    ]
    assert np.mean(errors, axis=0)[0] < 1.15 * np.mean(errors, axis=0)[1]


def test_a_smoothed_hand_is_whole():
    tracker = Tracker(LiteRTDetector(), most=1, smooth=OneEuro(min_cutoff=0.5, beta=1))
    rough = Tracker(LiteRTDetector(), most=1)
    for frame in swaying()[:5]:
        (hand,), (seen,) = tracker(frame.image), rough(frame.image)
    assert np.abs(hand.depth - seen.depth).max() < 0.3 * np.ptp(seen.depth)
    assert hand.box == pytest.approx(geometry.enclosing_box(hand.landmarks))
    assert hand.world is not None and hand.score > 0.5


@pytest.mark.parametrize(
    "changed", [{"min_cutoff": 0}, {"beta": -1}, {"derivative_cutoff": 0}, {"beta": float("nan")}]
)
def test_bad_parameters_of_the_filter_are_refused(changed):
    with pytest.raises(InputError, match=next(iter(changed))):
        OneEuro(**changed)


PIPELINE = Pipeline([HandCropper(), ResizePad(64)])


def test_a_stream_gives_finished_samples_with_hands_that_know_their_numbers():
    frames = [Sample(image=f.image, source=f"a#{i}", time=i / 25) for i, f in enumerate(swaying()[:5])]
    done = list(PIPELINE.stream(frames))
    assert [(sample.size, sample.source, sample.time) for sample in done] == [
        ((64, 64), f"a#{i}", i / 25) for i in range(5)
    ]
    for sample, frame in zip(done, swaying(), strict=False):
        assert sample.hand is not None and sample.hand.track == 0
        back = sample.to_photo(sample.hand.landmarks)
        assert np.hypot(*(back - frame.landmarks[0]).T).mean() < 0.1 * moving.HAND


def test_streams_of_one_pipeline_know_nothing_of_each_other():
    image = swaying()[0].image
    first, second = PIPELINE.stream([image, EMPTY, image]), PIPELINE.stream([image, image, image])
    tracks = [
        [sample.hand and sample.hand.track for sample in pair] for pair in zip(first, second, strict=True)
    ]
    assert tracks == [[0, 0], [None, 0], [0, 0]]


def test_the_croppers_parameters_hold():
    pair = [frame.image for frame in moving.crossing(3, (10, 7))]
    assert {len(s.hands) for s in PIPELINE.stream(pair)} == {1}
    assert {len(s.hands) for s in Pipeline([HandCropper(max_hands=2)]).stream(pair)} == {2}
    assert {len(s.hands) for s in Pipeline([HandCropper(hand="all")]).stream(pair)} == {2}
    for side, number in (("left", 10), ("right", 7)):
        assert photos()[number].handedness.lower() == side
        for sample in Pipeline([HandCropper(hand=side)]).stream(pair):
            assert sample.hand.handedness.lower() == side
    boxes = [s.hands for s in Pipeline([HandCropper(hand="largest")]).stream(pair)]
    for hands in boxes:
        areas = [(h.box[2] - h.box[0]) * (h.box[3] - h.box[1]) for h in hands]
        assert areas == sorted(areas, reverse=True)


def test_frames_without_a_hand_are_kept_skipped_or_refused():
    frames = [EMPTY, swaying()[0].image, EMPTY]
    kept = list(PIPELINE.stream(frames))
    assert [len(sample.hands) for sample in kept] == [0, 1, 0]
    assert len(list(Pipeline([HandCropper(on_missing="skip")]).stream(frames))) == 1
    with pytest.raises(HandNotFoundError):
        list(Pipeline([HandCropper(on_missing="raise")]).stream(frames))


def test_a_detector_of_boxes_streams_too():
    pipeline = Pipeline([HandCropper(Boxes())])
    tracks = [sample.hand.track for sample in pipeline.stream([boxes_at(50), boxes_at(53), boxes_at(200)])]
    assert tracks == [0, 0, 1]


def test_bad_calls_are_refused_at_once_and_bad_frames_at_their_place(tmp_path):
    with pytest.raises(InputError, match="HandCropper"):
        Pipeline([ResizePad(8)]).stream([])
    with pytest.raises(InputError, match="search"):
        PIPELINE.stream([], search=True)
    with pytest.raises(InputError, match="smooth"):
        PIPELINE.stream([], smooth=0.5)
    stream = PIPELINE.stream([EMPTY, tmp_path / "missing.png"])
    next(stream)
    with pytest.raises(ImageError, match="no such file"):
        next(stream)


def test_opencvs_threads_are_put_back_when_a_stream_is_closed():
    before = cv2.getNumThreads()
    stream = PIPELINE.stream([EMPTY, EMPTY])
    next(stream)
    assert cv2.getNumThreads() == 1
    stream.close()
    assert cv2.getNumThreads() == before
