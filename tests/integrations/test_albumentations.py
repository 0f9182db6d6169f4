"""handprep in albumentations' Compose: what is annotated on a photo stays where it was on the hand."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handprep import BackgroundRemover, Greyscale, Hand, HandCropper, Pipeline, ResizePad, geometry, images
from handprep.configurable import Configurable
from handprep.errors import HandNotFoundError, HandprepError, InputError, SampleSkipped
from tests.rendered import photos

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else its import asks the internet for news
A = pytest.importorskip("albumentations", reason="needs albumentations, which is optional")

from albumentations.augmentations.geometric.functional import keypoints_affine  # noqa: E402
from albumentations.core.keypoints_utils import check_keypoints  # noqa: E402

from handprep.integrations.albumentations import PrepareHands  # noqa: E402

PHOTOS = photos()
SOME = PHOTOS[::5]  # all classes, both hands, both sides
OPEN = [photo for photo in PHOTOS if photo.label != "rock"][::4]  # of fists, the networks are less sure
UPRIGHT = Pipeline([HandCropper(upright=True, mirror="right"), ResizePad(256)])
PIXEL_CENTRE = 0.5
BOXES = {"format": "pascal_voc", "label_fields": ["labels"]}
POINTS = {"format": "xy", "remove_invisible": False}


@dataclass(frozen=True, slots=True)
class Annotated(Configurable):
    """Finds the hand of one of the rendered photos where it was rendered."""

    number: int

    def detect(self, image: Any) -> tuple[Hand, ...]:
        photo = PHOTOS[self.number]
        return (Hand(box=photo.box, score=1.0, landmarks=photo.landmarks, handedness=photo.handedness),)


def pixels_of(photo: Any) -> NDArray[np.uint8]:
    return images.read(photo.path).image.copy()


def mask_of(photo: Any) -> NDArray[np.uint8]:
    return images.read(photo.mask).image[..., 0] // 128


def box_of(mask: NDArray[Any]) -> tuple[float, float, float, float]:
    """Return the box of what is in a mask, x1 and y1 outside."""
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


moves = st.builds(
    lambda number, margin, square, upright, mirror, resized: Pipeline(
        [
            HandCropper(
                detector=Annotated(number), margin=margin, square=square, upright=upright, mirror=mirror
            ),
            *resized,
        ]
    ),
    number=st.integers(0, len(PHOTOS) - 1),
    margin=st.floats(0.2, 1),
    square=st.booleans(),
    upright=st.booleans(),
    mirror=st.sampled_from([None, "left", "right"]),
    resized=st.lists(st.builds(ResizePad, st.tuples(st.integers(96, 300), st.integers(96, 300))), max_size=2),
)


@settings(max_examples=40, deadline=None)
@given(moves)
def test_annotations_go_where_the_samples_own_hand_goes(pipeline):
    photo = PHOTOS[pipeline.transforms[0].detector.number]
    expected = pipeline.run(pixels_of(photo))
    transform = A.Compose([PrepareHands(pipeline)], bbox_params=BOXES, keypoint_params=POINTS)
    done = transform(
        image=pixels_of(photo),
        keypoints=photo.landmarks - PIXEL_CENTRE,
        bboxes=[photo.box],
        labels=["hand"],
    )
    np.testing.assert_array_equal(done["image"], expected.image)
    # 0.01: albumentations keeps coordinates as float32
    np.testing.assert_allclose(done["keypoints"] + PIXEL_CENTRE, expected.hand.landmarks, atol=0.01)
    around = geometry.apply_to_box(geometry.invert(expected.to_source), photo.box)
    width, height = expected.size
    inside = np.clip(around, 0, [width, height, width, height])  # as albumentations does with all boxes
    np.testing.assert_allclose(done["bboxes"][0], inside, atol=0.01)
    assert done["labels"] == ["hand"]


@settings(max_examples=40, deadline=None)
@given(moves, st.integers(0, 20), st.floats(0, 360, exclude_max=True))
def test_a_dot_drawn_at_a_key_point_is_still_at_it(pipeline, landmark, degrees):
    """Half a pixel, an angle or a scale taken wrongly would show."""
    photo = PHOTOS[pipeline.transforms[0].detector.number]
    at = np.round(photo.landmarks[landmark]) - PIXEL_CENTRE
    radians = math.radians(degrees)
    ahead = at + 20 * np.array([math.cos(radians), -math.sin(radians)])  # angles are counterclockwise
    transform = A.Compose([PrepareHands(pipeline)], keypoint_params={**POINTS, "format": "xyas"})
    (x, y, angle, scale), (x2, y2, *_) = transform(
        image=dot_at(at, photo.size), keypoints=[(*at, degrees, 20), (*ahead, 0, 0)]
    )["keypoints"]
    dot = transform(image=dot_at(at, photo.size))["image"][..., 0].astype(np.float64)
    rows, columns = np.indices(dot.shape)
    # 0.1: grey levels of 8 bits, of a dot that may have become 2 pixels wide
    assert (dot * columns).sum() / dot.sum() == pytest.approx(x, abs=0.1)
    assert (dot * rows).sum() / dot.sum() == pytest.approx(y, abs=0.1)
    # ResizePad rounds width and height to whole pixels, so that one axis may shrink 1 % more
    assert math.hypot(x2 - x, y2 - y) == pytest.approx(scale, rel=0.03)
    turned = math.degrees(math.atan2(-(y2 - y), x2 - x)) - angle
    assert (turned + 180) % 360 - 180 == pytest.approx(0, abs=1)


def dot_at(centre: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    distance = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2
    return np.repeat((255 * np.exp(-distance / 32)).round().astype(np.uint8)[..., None], 3, axis=2)


@settings(max_examples=40, deadline=None)
@given(moves)
def test_a_mask_covers_what_it_covered(pipeline):
    photo = PHOTOS[pipeline.transforms[0].detector.number]
    mask = mask_of(photo)
    drawn = np.repeat(255 * mask[..., None], 3, axis=2)
    done = PrepareHands(pipeline)(image=drawn, mask=mask)
    assert done["mask"].dtype == mask.dtype
    assert set(np.unique(done["mask"])) <= {0, 1}
    # 2 %: the picture is interpolated along the outline, a mask is not
    assert np.mean((done["image"][..., 0] > 127) != done["mask"]) < 0.02


@pytest.mark.parametrize("mirror", [None, "left", "right"])
def test_a_mask_is_cropped_exactly(mirror):
    photo = PHOTOS[0]
    transform = PrepareHands(HandCropper(detector=Annotated(0), mirror=mirror))
    labels = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    done = transform(image=labels, mask=labels, masks=np.stack([labels, labels + 1]), depth=None)
    assert photo.size == labels.shape[1::-1]
    np.testing.assert_array_equal(done["mask"], done["image"])
    np.testing.assert_array_equal(done["masks"][1], done["image"] + 1)


class TestRealDetection:
    """Hands that the networks find, annotations that the renderer knows."""

    @pytest.mark.parametrize("photo", OPEN, ids=lambda photo: photo.path.stem)
    def test_what_is_found_in_the_result_is_at_the_moved_key_points(self, photo):
        finder = HandCropper().finder()
        found = finder.detect(pixels_of(photo))[0].landmarks
        transform = A.Compose(
            [PrepareHands(UPRIGHT)],
            keypoint_params=POINTS,
            additional_targets={"annotated": "keypoints"},
        )
        done = transform(
            image=pixels_of(photo),
            keypoints=found - PIXEL_CENTRE,
            annotated=photo.landmarks - PIXEL_CENTRE,
        )
        again = finder.detect(done["image"])[0].landmarks - PIXEL_CENTRE
        # pixels of 256. The networks differ from themselves by up to 4.8 in the turned view of these 24
        # hands, and from the renderer's joints by up to 11.7
        assert np.median(np.linalg.norm(again - done["keypoints"], axis=1)) < 7
        assert np.median(np.linalg.norm(again - done["annotated"], axis=1)) < 15

    @pytest.mark.parametrize("photo", SOME, ids=lambda photo: photo.path.stem)
    def test_key_points_stay_on_the_mask_of_the_hand(self, photo):
        transform = A.Compose([PrepareHands(UPRIGHT)], keypoint_params=POINTS)
        given = photo.landmarks - PIXEL_CENTRE
        done = transform(image=pixels_of(photo), mask=mask_of(photo), keypoints=given)
        assert done["image"].shape == (256, 256, 3)
        # 1 of 21: a joint at the outline may fall on the other side
        assert share_inside(done["mask"], done["keypoints"]) >= share_inside(mask_of(photo), given) - 1 / 21

    @pytest.mark.parametrize("photo", SOME, ids=lambda photo: photo.path.stem)
    def test_the_box_of_the_mask_is_the_moved_box(self, photo):
        mask = mask_of(photo)
        pipeline = Pipeline([HandCropper(margin=0.8, mirror="left"), ResizePad(200)])  # cuts nothing off
        transform = A.Compose([PrepareHands(pipeline)], bbox_params=BOXES)
        x0, y0, x1, y1 = (round(edge) for edge in photo.box)
        hand = np.zeros_like(mask)
        hand[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
        done = transform(image=pixels_of(photo), mask=hand, bboxes=[box_of(hand)], labels=[1])
        # a pixel belongs to the mask if its centre does: up to half a pixel, or half one of the photo's
        most = 0.5 + 0.5 * max(1.0, 200 / max(x1 - x0, y1 - y0))
        np.testing.assert_allclose(box_of(done["mask"]), done["bboxes"][0], atol=most)


def share_inside(mask: NDArray[Any], points: Any) -> float:
    """Return which share of points lies on a mask, or within 3 pixels of it."""
    columns, rows = np.round(np.asarray(points)).astype(int).T
    near = cv2.dilate(mask, np.ones((7, 7), np.uint8))
    inside = (columns >= 0) & (rows >= 0) & (columns < mask.shape[1]) & (rows < mask.shape[0])
    return float(np.mean(inside & (near[rows * inside, columns * inside] > 0)))


class TestAsAlbumentationsDoes:
    """The same moves made by its own transforms."""

    @pytest.fixture
    def given(self) -> dict[str, Any]:
        points = [
            (x, y, angle, 7) for angle, (x, y) in zip(range(0, 360, 18), PHOTOS[0].landmarks, strict=False)
        ]
        return {
            "image": pixels_of(PHOTOS[0]),
            "mask": mask_of(PHOTOS[0]),
            "bboxes": [PHOTOS[0].box, (0, 0, 480, 360)],
            "labels": [1, 2],
            "keypoints": points,
        }

    @staticmethod
    def both(ours: Any, theirs: Any, given: dict[str, Any], boxes: Any = BOXES) -> tuple[Any, Any]:
        points = {**POINTS, "format": "xyas"}
        composed = [A.Compose([t], bbox_params=boxes, keypoint_params=points) for t in (ours, theirs)]
        return composed[0](**given), composed[1](**given)

    def test_a_mirrored_picture(self, given):
        assert PHOTOS[0].handedness == "Left"
        everything = HandCropper(detector=Annotated(0), margin=10, mirror="right")
        ours, theirs = self.both(PrepareHands(everything), A.HorizontalFlip(p=1), given)
        for key in ("image", "mask"):
            np.testing.assert_array_equal(ours[key], theirs[key])
        np.testing.assert_allclose(ours["bboxes"], theirs["bboxes"], atol=0.001)  # float32
        apart = np.array(ours["keypoints"]) - np.array(theirs["keypoints"])
        apart[:, 2] = (apart[:, 2] + 180) % 360 - 180  # degrees: 359.99997 is 0
        np.testing.assert_allclose(apart, 0, atol=0.001)

    def test_a_resized_picture(self, given):
        ours, theirs = self.both(
            PrepareHands(ResizePad((90, 120))), A.Resize(90, 120, interpolation=cv2.INTER_AREA, p=1), given
        )
        np.testing.assert_array_equal(ours["image"], theirs["image"])
        np.testing.assert_allclose(np.array(ours["bboxes"]), np.array(theirs["bboxes"]), atol=0.001)
        # A.Resize multiplies coordinates of pixel centres, which shifts points by up to half a pixel
        shift = [0.5 * 0.25 - 0.5] * 2 + [0, 0]
        np.testing.assert_allclose(
            np.array(ours["keypoints"]), theirs["keypoints"] + np.array(shift), atol=0.001
        )

    def test_a_turned_picture(self, given):
        upright = HandCropper(detector=Annotated(0), upright=True)
        forward = geometry.in_pixel_centres(geometry.invert(upright.run(given["image"]).to_source))
        ours = A.Compose([PrepareHands(upright)], keypoint_params={**POINTS, "format": "xyas"})
        points = np.array([(x, y, 0, math.radians(angle), size) for x, y, angle, size in given["keypoints"]])
        matrix = np.vstack([forward, [0, 0, 1]])
        expected = keypoints_affine(points, matrix, (360, 480), {"x": 1, "y": 1}, cv2.BORDER_CONSTANT)
        done = np.array(ours(image=given["image"], keypoints=given["keypoints"])["keypoints"])
        np.testing.assert_allclose(done[:, :2], expected[:, :2], atol=0.001)
        np.testing.assert_allclose(done[:, 2], np.degrees(expected[:, 3]), atol=0.001)
        np.testing.assert_allclose(done[:, 3], expected[:, 4], atol=0.001)


def test_an_angle_that_nearly_comes_back_to_0_is_one_that_albumentations_accepts():
    for number in range(len(PHOTOS)):
        turn = PrepareHands(HandCropper(detector=Annotated(number), upright=True, margin=5))
        from_0 = turn(image=BLANK, keypoints=[[0, 0, 0, 0, 1]])["keypoints"][0][3]
        to_0 = np.float32(2 * math.pi - from_0) + np.arange(-4, 5) * np.float32(2**-23)
        points = np.pad(to_0[:, None], ((0, 0), (3, 1)))
        done = turn(image=BLANK, keypoints=points)["keypoints"]
        assert np.sin(done[:, 3]) == pytest.approx(0, abs=1e-5)
        check_keypoints(done, {"height": 9999, "width": 9999})


BLANK = np.zeros((360, 480, 3), np.uint8)
SMALL = Pipeline([HandCropper(detector=Annotated(0)), ResizePad(64)])


class TestInACompose:
    def test_before_and_after_others(self):
        pytorch = pytest.importorskip("albumentations.pytorch", reason="needs torch, which is optional")
        for pipeline, channels in ((SMALL, 3), (Pipeline([SMALL, Greyscale()]), 1)):
            normalise = A.Normalize(mean=(0.5,) * channels, std=(0.5,) * channels)
            turned = [A.Rotate((10, 10), p=1), PrepareHands(pipeline), A.HorizontalFlip(p=1)]
            transform = A.Compose([*turned, normalise, pytorch.ToTensorV2()], keypoint_params=POINTS)
            done = transform(image=pixels_of(PHOTOS[0]), keypoints=PHOTOS[0].landmarks)
            assert tuple(done["image"].shape) == (channels, 64, 64)
            assert len(done["keypoints"]) == 21

    def test_grey_is_as_from_to_gray(self):
        theirs = A.ToGray(num_output_channels=1, p=1)(image=pixels_of(PHOTOS[0]))["image"]
        ours = PrepareHands(Greyscale())(image=pixels_of(PHOTOS[0]))["image"]
        assert ours.shape == theirs.shape
        assert PrepareHands(Greyscale(channels=3))(image=pixels_of(PHOTOS[0]))["image"].shape[2] == 3

    def test_float_pictures_stay_float(self):
        photo = pixels_of(PHOTOS[0])
        done = PrepareHands(SMALL)(image=photo.astype(np.float32) / 255)["image"]
        assert done.dtype == np.float32
        np.testing.assert_array_equal(np.rint(done * 255), SMALL(photo))

    def test_a_view_of_another_array_will_do(self):
        bgr = cv2.cvtColor(pixels_of(PHOTOS[0]), cv2.COLOR_RGB2BGR)
        done = PrepareHands(SMALL)(image=bgr[..., ::-1])["image"]
        np.testing.assert_array_equal(done, SMALL(pixels_of(PHOTOS[0])))

    def test_what_lies_outside_is_removed_with_its_labels(self):
        outside = (470.0, 350.0)
        points = {"format": "xy", "label_fields": ["names"], "remove_invisible": True}
        transform = A.Compose([PrepareHands(SMALL)], bbox_params=BOXES, keypoint_params=points)
        done = transform(
            image=pixels_of(PHOTOS[0]),
            keypoints=[*PHOTOS[0].landmarks[:2], outside],
            names=["wrist", "thumb", "corner"],
            bboxes=[(465, 345, 480, 360), PHOTOS[0].box],
            labels=["corner", "hand"],
        )
        assert list(done["names"]) == ["wrist", "thumb"]
        assert list(done["labels"]) == ["hand"]

    def test_nothing_annotated_is_nothing_afterwards(self):
        transform = A.Compose([PrepareHands(SMALL)], bbox_params=BOXES, keypoint_params=POINTS)
        done = transform(image=pixels_of(PHOTOS[0]), bboxes=[], labels=[], keypoints=[], masks=[])
        assert [len(done[key]) for key in ("bboxes", "labels", "keypoints", "masks")] == [0, 0, 0, 0]

    def test_additional_targets_move_as_their_kind_does(self):
        photo = pixels_of(PHOTOS[0])
        more = {"depth": "mask", "joints": "keypoints", "areas": "bboxes"}
        transform = A.Compose(
            [PrepareHands(SMALL)],
            keypoint_params=POINTS,
            bbox_params={"format": "coco"},
            additional_targets=more,
        )
        depth = np.random.default_rng(0).random((360, 480), np.float32)
        annotated = {"keypoints": PHOTOS[0].landmarks, "joints": PHOTOS[0].landmarks}
        done = transform(
            image=photo,
            mask=depth,
            depth=depth,
            bboxes=[[0, 0, 90, 90, 5]],
            areas=[[0, 0, 90, 90, 5]],
            **annotated,
        )
        for one, other in (("mask", "depth"), ("keypoints", "joints"), ("bboxes", "areas")):
            np.testing.assert_array_equal(done[one], done[other])
        assert set(done["depth"].ravel()) <= {0.0, *depth.ravel()}

    def test_it_happens_with_the_given_probability(self):
        transform = A.Compose([PrepareHands(SMALL, p=0.5)], seed=7)
        shapes = [transform(image=BLANK)["image"].shape for _ in range(60)]
        assert 15 < shapes.count((64, 64, 3)) < 45
        again = A.Compose([PrepareHands(SMALL, p=0.5)], seed=7)
        assert [again(image=BLANK)["image"].shape for _ in range(60)] == shapes

    def test_a_replay_is_json_and_does_the_same_to_other_pictures(self):
        photo = pixels_of(PHOTOS[0])
        points = {"format": "xy", "remove_invisible": False}
        prepare = PrepareHands(Pipeline([HandCropper(), ResizePad(64)]), p=0.5)
        transform = A.ReplayCompose([prepare, A.HorizontalFlip(p=0.5)], keypoint_params=points)
        for _ in range(6):
            done = transform(image=photo, keypoints=PHOTOS[0].landmarks, mask=photo[..., 0])
            replay = json.loads(json.dumps(done["replay"]))
            again = A.ReplayCompose.replay(
                replay, image=255 - photo, keypoints=PHOTOS[0].landmarks, mask=photo[..., 0]
            )
            np.testing.assert_array_equal(again["keypoints"], done["keypoints"])
            np.testing.assert_array_equal(again["mask"], done["mask"])
            # inverted, but for the padding; and averaging rounds the other way
            inside = done["image"].any(-1) & again["image"].any(-1)
            assert np.abs(255 - again["image"].astype(int) - done["image"])[inside].max() <= 1

    def test_what_was_applied_can_be_looked_up(self):
        done = A.Compose([PrepareHands(SMALL)], save_applied_params=True)(image=pixels_of(PHOTOS[0]))
        ((name, params),) = done["applied_transforms"]
        assert (name, len(params["hands"])) == ("PrepareHands", 1)

    def test_pictures_beside_the_picture_move_as_it_does(self):
        photo, blank = pixels_of(PHOTOS[0]), np.full_like(pixels_of(PHOTOS[0]), 9)
        transform = A.Compose([PrepareHands(HandCropper())], additional_targets={"infrared": "image"})
        alone = transform(image=photo)["image"]
        done = transform(image=photo, infrared=blank, images=np.stack([blank, photo]))
        np.testing.assert_array_equal(done["image"], alone)
        np.testing.assert_array_equal(done["images"][1], alone)
        for other in (done["infrared"], done["images"][0]):
            assert other.shape == alone.shape
            assert (other == 9).all()

    def test_the_first_picture_is_looked_at(self):
        photo, blank = pixels_of(PHOTOS[0]), BLANK
        cropped = PrepareHands(HandCropper())
        alone = cropped(image=photo)["image"]
        for more in ({"images": np.stack([photo, blank])}, {"volume": np.stack([photo, blank])}):
            (done,) = A.Compose([cropped])(**more).values()
            np.testing.assert_array_equal(done[0], alone)
            assert not done[1].any()

    def test_masks_are_filled_as_said(self):
        mask = np.ones(BLANK.shape[:2], np.uint8)
        done = A.Compose([PrepareHands(ResizePad(64), fill_mask=255)])(image=BLANK, mask=mask)["mask"]
        assert (np.unique(done).tolist(), done[0, 0]) == ([1, 255], 255)

    def test_a_crop_of_floats_is_exact(self):
        photo = pixels_of(PHOTOS[0]).astype(np.float32) / 255 + np.float32(1e-4)
        done = PrepareHands(HandCropper())(image=photo)["image"]
        assert done.dtype == np.float32
        assert np.isin(done, photo).all()
        assert np.abs(done * 255 - np.rint(done * 255)).max() > 0.02

    @pytest.mark.parametrize("remover", [BackgroundRemover(background="transparent")])
    def test_transparent_pictures_have_four_channels(self, remover):
        done = PrepareHands(Pipeline([SMALL, remover]))(image=pixels_of(PHOTOS[0]))
        assert done["image"].shape == (64, 64, 4)


class TestRefuses:
    def test_a_second_picture_of_another_size(self):
        transform = A.Compose(
            [PrepareHands(SMALL)], additional_targets={"infrared": "image"}, is_check_shapes=False
        )
        with pytest.raises(InputError, match="an image of 359 x 480"):
            transform(image=BLANK, infrared=BLANK[1:])

    @pytest.mark.parametrize("call", [{"mask": BLANK}, {"image": None}])
    def test_a_call_without_a_picture(self, call):
        with pytest.raises(InputError, match="image="):
            PrepareHands(SMALL)(**call)

    def test_a_mask_of_another_size(self):
        transform = A.Compose([PrepareHands(SMALL)], is_check_shapes=False)
        with pytest.raises(InputError, match=r"a mask of 359 x 480 .* photo of 360 x 480"):
            transform(image=BLANK, mask=BLANK[1:])

    def test_a_picture_of_whole_numbers_beyond_8_bits(self):
        with pytest.raises(InputError, match="int32"):
            PrepareHands(SMALL)(image=BLANK.astype(np.int32) + 256)

    @pytest.mark.parametrize("transform", [None, "crop", A.HorizontalFlip(), {"name": "LiteRTDetector"}])
    def test_what_is_no_transform(self, transform):
        with pytest.raises(InputError):
            PrepareHands(transform)

    def test_a_probability_above_1(self):
        with pytest.raises(ValueError, match="less than or equal to 1"):
            PrepareHands(SMALL, p=1.5)


@pytest.mark.parametrize(("on_missing", "error"), [("raise", HandNotFoundError), ("skip", SampleSkipped)])
def test_a_missing_hand_is_reported_as_anywhere(on_missing, error):
    transform = A.Compose([PrepareHands(HandCropper(on_missing=on_missing))])
    with pytest.raises(error):
        transform(image=BLANK)


PLAIN = Pipeline([HandCropper(upright=True), ResizePad((48, 64), fill=(1, 2, 3)), Greyscale()])


class TestWritten:
    @pytest.mark.parametrize("data_format", ["json", "yaml"])
    def test_it_comes_back_from_a_file(self, data_format, tmp_path):
        if data_format == "yaml":
            pytest.importorskip("yaml", reason="needs PyYAML")
        A.save(A.Compose([PrepareHands(PLAIN, p=0.25)]), tmp_path / "file", data_format=data_format)
        loaded = A.load(tmp_path / "file", data_format=data_format)[0]
        assert (loaded.transform, loaded.p) == (PLAIN, 0.25)

    def test_it_comes_back_in_another_process(self, tmp_path):
        A.save(A.Compose([PrepareHands(PLAIN)]), tmp_path / "file.json")
        code = (
            "import sys, albumentations as A, handprep.integrations.albumentations\n"
            "print(repr(A.load(sys.argv[1])[0].transform))"
        )
        done = run_python(code, tmp_path / "file.json")
        assert done.stdout.strip() == repr(PLAIN), done.stderr

    def test_its_repr_can_be_pasted_back(self):
        pasted = eval(repr(A.Compose([PrepareHands(PLAIN, p=0.25)])), {**vars(A), **globals()})
        assert (pasted[0].transform, pasted[0].p) == (PLAIN, 0.25)

    def test_a_detector_that_cannot_be_written_says_so(self):
        class Unnamed:
            def detect(self, image: Any) -> tuple[Hand, ...]:
                return ()

        with pytest.raises(HandprepError, match="cannot be written as JSON"):
            A.to_dict(PrepareHands(HandCropper(detector=Unnamed())))


class Photos:
    """A dataset as people write it."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return self.transform(image=pixels_of(PHOTOS[index]))["image"]


@pytest.mark.parametrize("start", ["fork", "spawn"])
# Python itself warns of every fork of a process that has threads; that this works is what is tested
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_workers_of_a_dataloader_give_what_this_process_gives(start):
    data = pytest.importorskip("torch", reason="needs torch, which is optional").utils.data
    photos = Photos(A.Compose([PrepareHands(PLAIN), A.Normalize(mean=(0.5,), std=(0.5,))]))
    expected = np.stack([photos[index] for index in range(len(photos))])  # it also has been used before
    loader = data.DataLoader(photos, batch_size=3, num_workers=2, multiprocessing_context=start, timeout=120)
    np.testing.assert_array_equal(np.concatenate([batch.numpy() for batch in loader]), expected)


def test_a_pickled_one_does_the_same():
    transform = A.Compose([PrepareHands(PLAIN)])
    expected = transform(image=pixels_of(PHOTOS[0]))["image"]
    again = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(again(image=pixels_of(PHOTOS[0]))["image"], expected)


def test_without_albumentations_the_error_says_how_to_install_it():
    done = run_python(
        "import sys; sys.modules['albumentations'] = None\nimport handprep.integrations.albumentations"
    )
    assert done.returncode == 1
    assert "MissingExtraError: albumentations is not installed" in done.stderr
    assert 'pip install "handprep[albumentations]"' in done.stderr


def run_python(code: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
