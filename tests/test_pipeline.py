"""Pipeline: composing, settings, reduced decoding, many pictures in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image
import pytest

from handprep import geometry, images, models
from handprep.configurable import Configurable
from handprep.detection.litert import LiteRTDetector
from handprep.errors import HandNotFoundError, ImageError, InputError, ModelError
from handprep.pipeline import Pipeline, study_pipeline
from handprep.sample import Hand, Sample
from handprep.segmentation.matte import HandMatte
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.rendered import photos

PHOTO = photos()[1]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return a 12-megapixel JPEG of a rendered hand."""
    path = tmp_path_factory.mktemp("large") / "hand.jpg"
    with PIL.Image.open(PHOTO.path) as photo:
        photo.resize((4000, 3000), PIL.Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def test_a_pipeline_is_its_transforms_in_turn():
    parts = [HandCropper(), ResizePad(64), Greyscale()]
    sample = images.read(PHOTO.path)
    for part in parts:
        sample = part.apply(sample)
    np.testing.assert_array_equal(Pipeline(parts)(PHOTO.path), sample.image)


@pytest.mark.parametrize("transform", [Pipeline([]), BackgroundRemover(), ResizePad(24)])
def test_a_call_neither_changes_the_given_array_nor_gives_it_back(transform):
    given = np.full((24, 24, 3), 77, np.uint8)
    result = transform(given)
    assert not np.shares_memory(result, given)
    result[:] = 0
    assert given.flags.writeable
    assert (given == 77).all()


def test_pipelines_nest():
    nested = Pipeline([HandCropper(), Pipeline([ResizePad(64), Greyscale()])])
    flat = Pipeline([HandCropper(), ResizePad(64), Greyscale()])
    np.testing.assert_array_equal(nested(PHOTO.path), flat(PHOTO.path))
    assert nested.output_size == (64, 64)
    assert nested.model_files == flat.model_files


def test_only_the_first_that_looks_needs_its_detectors_files():
    network, detector = HandMatte().model_files, LiteRTDetector().model_files
    own = HandCropper(detector=Nobody(), search=False)

    assert Pipeline([own, BackgroundRemover()]).model_files == network
    assert Pipeline([ResizePad(64), BackgroundRemover(), HandCropper()]).model_files == network | detector
    assert Pipeline([Pipeline([own]), Pipeline([BackgroundRemover()])]).model_files == network
    assert Pipeline([own, BackgroundRemover(on_missing="skip"), HandCropper()]).model_files == network


@dataclass(frozen=True, slots=True)
class Nobody(Configurable):
    """A detector that finds nothing, and needs no file for it."""

    def detect(self, image):
        return ()


def test_landmarks_lie_on_the_hand_in_the_output_and_lead_back_to_the_photo():
    done = Pipeline([HandCropper(upright=True, mirror="right"), ResizePad(128), Greyscale()]).run(PHOTO.path)
    hand = LiteRTDetector().detect(images.read(PHOTO.path).image)[0]
    np.testing.assert_allclose(geometry.apply(done.to_source, done.hand.landmarks), hand.landmarks, atol=0.01)
    assert ((done.hand.landmarks > 0) & (done.hand.landmarks < 128)).all()


@dataclass(frozen=True, slots=True)
class Two(Configurable):
    """A detector that finds two hands and counts how often it is asked."""

    asked: list

    def detect(self, image):
        self.asked.append(image.shape)
        small = Hand(box=(10, 10, 30, 40), score=0.9, handedness="Left")
        return (small, Hand(box=(40, 20, 110, 80), score=0.5, handedness="Right"))


@pytest.mark.parametrize(
    ("hand", "scores"), [("best", [0.9, 0.5]), ("largest", [0.5, 0.9]), ("left", [0.9]), ("right", [0.5])]
)
def test_each_hand_of_a_photo_becomes_a_sample_and_hands_are_detected_once(hand, scores):
    asked = []
    cropper = HandCropper(detector=Two(asked), search=False, hand=hand, margin=0)
    pipeline = Pipeline([Pipeline([cropper]), ResizePad(64)])
    samples = list(pipeline.each(np.zeros((90, 120, 3), np.uint8)))
    assert [sample.hand.score for sample in samples] == scores
    assert len(asked) == 1
    for sample in samples:
        assert len(sample.hands) == 2
        assert sample.size == (64, 64)
        x0, y0, x1, y1 = sample.hand.box
        assert max(x1 - x0, y1 - y0) == pytest.approx(64, abs=0.1)


def test_each_sees_what_run_sees_where_there_is_one_hand(large):
    pipeline = Pipeline([HandCropper(), ResizePad(512)])
    (only,) = pipeline.each(large)
    np.testing.assert_array_equal(only.image, pipeline.run(large).image)  # decoded finer, too


@pytest.mark.parametrize(("on_missing", "count"), [("keep", 1), ("skip", 0)])
def test_each_treats_a_photo_without_a_hand_as_run_does(on_missing, count):
    pipeline = Pipeline([HandCropper(detector=Nobody(), search=False, on_missing=on_missing)])
    assert len(list(pipeline.each(np.zeros((9, 9, 3), np.uint8)))) == count


@pytest.mark.parametrize("pipeline", [Pipeline([ResizePad(64)]), Pipeline([HandCropper(hand="all")])])
def test_each_needs_a_transform_that_crops_to_one_hand(pipeline):
    with pytest.raises(InputError, match="an image for each hand"):
        next(pipeline.each(np.zeros((9, 9, 3), np.uint8)))


@pytest.mark.parametrize("one", ["photo.jpg", b"photo", PHOTO.path])
def test_one_photo_given_to_map_is_not_taken_apart(one):
    with pytest.raises(InputError, match="use run"):
        next(Pipeline([ResizePad(8)]).map(one))


@pytest.mark.parametrize(
    "one", ["clip.mp4", b"clip", PHOTO.path, Sample(image=np.zeros((8, 8, 3), np.uint8))]
)
def test_a_clip_given_to_stream_gets_the_right_form_shown(one):
    with pytest.raises(InputError, match=r"such as handprep\.video\.frames\(clip\) yields, not"):
        Pipeline([HandCropper()]).stream(one)


def test_every_step_is_on_record():
    assert [step.name for step in study_pipeline().run(PHOTO.path).steps] == [
        "HandCropper",
        "ResizePad",
        "Greyscale",
    ]


def test_the_studys_pipeline_gives_300_pixels_of_grey():
    assert study_pipeline()(PHOTO.path).shape == (300, 300)
    assert study_pipeline(64)(PHOTO.path).shape == (64, 64)


def test_something_that_is_no_transform_is_refused():
    with pytest.raises(InputError, match="transforms"):
        Pipeline([ResizePad(64), np.fliplr])


def test_a_pipeline_is_a_sequence():
    crop, size, grey = parts = [HandCropper(), ResizePad(64), Greyscale()]
    pipeline = Pipeline(parts)
    assert (len(pipeline), [*pipeline], pipeline[0], pipeline[-1]) == (3, parts, crop, grey)
    assert pipeline[:2] == Pipeline([crop, size])
    assert pipeline[:2] + [grey] == pipeline  # noqa: RUF005
    assert pipeline[:2] + grey == pipeline[:1] + pipeline[1:] == pipeline
    with pytest.raises(IndexError):
        pipeline[3]


@pytest.mark.parametrize("wrong", [(ResizePad(64), Greyscale()), (ResizePad(64),), ("HandCropper",), (3,)])
def test_transforms_that_are_no_list_get_the_right_form_shown(wrong):
    with pytest.raises(InputError, match=r"Pipeline\(\["):
        Pipeline(*wrong)


def test_a_class_in_place_of_a_transform_gets_the_right_form_shown():
    with pytest.raises(InputError, match=r"Greyscale\(\)"):
        Pipeline([ResizePad(64), Greyscale])


def test_a_notebook_shows_the_steps_and_what_is_not_as_by_default():
    pipeline = Pipeline([HandCropper(margin=0.3), Pipeline([BackgroundRemover(background="blur")])])
    shown = pipeline._repr_html_()
    assert "<li><b>HandCropper</b> margin=0.3</li>" in shown
    assert "<b>BackgroundRemover</b> background=&#x27;blur&#x27;" in shown


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"pipeline": 3}', "null", "[" * 100_000, '{"pipeline": {"name": "Pipeline"}}']
)
def test_text_that_is_no_pipeline_is_refused(text):
    with pytest.raises(InputError):
        Pipeline.from_json(text)


def test_the_fingerprint_tells_parameters_and_models_apart(monkeypatch):
    pipeline = study_pipeline()
    assert pipeline.fingerprint() == study_pipeline().fingerprint()
    assert pipeline.fingerprint() != study_pipeline(64).fingerprint()
    before = pipeline.fingerprint()
    monkeypatch.setattr(models, "fingerprint", lambda name: f"another {name}")
    assert pipeline.fingerprint() != before


def test_a_large_jpeg_is_decoded_small_and_gives_the_same_crop(large):
    pipeline = Pipeline([HandCropper(), ResizePad(300)])
    small, full = pipeline.run(large), pipeline.apply(images.read(large))
    boxes = [np.array(geometry.apply_to_box(s.to_source, s.hand.box)) for s in (small, full)]
    assert np.abs(boxes[0] - boxes[1]).max() < 0.01 * np.ptp(boxes[1])
    assert np.abs(small.image.astype(int) - full.image).mean() < 3


def test_a_small_hand_in_a_large_jpeg_keeps_the_photos_resolution(tmp_path):
    canvas = np.full((3000, 4000, 3), 90, np.uint8)
    with PIL.Image.open(PHOTO.path) as photo:
        canvas[1000:1720, 1500:2460] = cv2.resize(
            np.asarray(photo), (960, 720), interpolation=cv2.INTER_CUBIC
        )
    path = tmp_path / "small-hand.jpg"
    PIL.Image.fromarray(canvas).save(path, quality=95)
    pipeline = Pipeline([HandCropper(), ResizePad(300)])
    reduced, full = pipeline.run(path), pipeline.apply(images.read(path))

    def sharpness(sample):
        return cv2.Laplacian(sample.image, cv2.CV_64F).var()

    assert reduced.hand is not None
    assert sharpness(reduced) > 0.8 * sharpness(full)
    difference = np.abs(
        np.array(geometry.apply_to_box(reduced.to_source, reduced.hand.box))
        - geometry.apply_to_box(full.to_source, full.hand.box)
    )
    assert difference.max() < 0.02 * 720


def test_hands_are_detected_once_also_where_a_photo_is_decoded_again(large):
    shown = []

    @dataclass(frozen=True, slots=True)
    class Corner(Configurable):
        """A detector that sees a small hand in a corner."""

        def detect(self, image):
            shown.append(image.shape)
            return (Hand(box=(8.0, 8.0, 88.0, 88.0), score=1.0),)

    sample = Pipeline([HandCropper(detector=Corner(), search=False), ResizePad(300)]).run(large)
    assert len(shown) == 1
    assert geometry.scale_of(sample.to_source) < 4000 / shown[0][1]  # pixels of a finer photo


def test_a_pipeline_without_a_final_size_keeps_the_full_size(large):
    assert Pipeline([Greyscale()]).run(large).size == (4000, 3000)


def test_map_gives_what_run_gives_in_order():
    pipeline = study_pipeline(64)
    paths = [photo.path for photo in photos()[:8]]
    done = list(pipeline.map(paths, workers=3))
    assert [sample.source for sample in done] == [str(path) for path in paths]
    for sample, path in zip(done, paths, strict=True):
        np.testing.assert_array_equal(sample.image, pipeline(path))


def test_map_leaves_skipped_samples_out():
    pipeline = Pipeline([HandCropper(on_missing="skip", search=False), ResizePad(64)])
    empty = np.zeros((90, 90, 3), np.uint8)
    assert len(list(pipeline.map([empty, PHOTO.path, empty], workers=2))) == 1


def test_map_raises_at_the_place_of_the_broken_picture(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    results = Pipeline([ResizePad(8)]).map([PHOTO.path, broken, PHOTO.path], workers=2)
    assert next(results).size == (8, 8)
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        next(results)


def test_the_error_says_which_picture_it_was(tmp_path):
    batch = [np.zeros((9, 9, 3), np.uint8), b"no picture"]
    with pytest.raises(ImageError) as caught:
        list(Pipeline([ResizePad(8)]).map(batch, workers=2))
    assert caught.value.__notes__ == ["This was image 1 of those given, counted from 0."]


def test_broken_pictures_are_left_out_when_asked_for_and_named_in_the_log(tmp_path, caplog):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    batch = [PHOTO.path, broken, np.zeros(3), PHOTO.path]
    done = list(Pipeline([ResizePad(8)]).map_indexed(batch, workers=2, on_error="skip"))
    assert [index for index, _ in done] == [0, 3]
    first, second = (record.getMessage() for record in caplog.records if record.name == "handprep.pipeline")
    assert first.startswith("left out image 1: ")
    assert "broken.jpg" in first
    assert second.startswith("left out image 2: ")


def test_what_is_no_pictures_fault_is_raised_also_when_broken_ones_are_left_out(monkeypatch):
    def refuse(_):
        raise ModelError("no model file")

    monkeypatch.setattr(models, "fetch", refuse)
    with pytest.raises(ModelError), ThreadPoolExecutor(1) as fresh_thread:  # has opened no model yet
        fresh_thread.submit(lambda: list(study_pipeline().map([PHOTO.path], on_error="skip"))).result()


def test_another_on_error_is_refused():
    with pytest.raises(InputError, match="on_error"):
        list(study_pipeline().map([], on_error="ignore"))


def test_a_missing_hand_raises_through_map():
    pipeline = Pipeline([HandCropper(on_missing="raise", search=False)])
    with pytest.raises(HandNotFoundError):
        list(pipeline.map([np.zeros((9, 9, 3), np.uint8)]))


def test_workers_below_one_are_refused():
    with pytest.raises(InputError, match="workers"):
        list(study_pipeline().map([], workers=0))


def test_the_repr_shows_one_transform_a_line():
    assert repr(Pipeline([ResizePad(64), Greyscale()])).splitlines()[2] == "    Greyscale(channels=1),"
