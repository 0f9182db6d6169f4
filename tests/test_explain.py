"""What a pipeline says of its steps, and of a photo in which it finds no hand."""

from __future__ import annotations

import io
import time

import numpy as np
import PIL.Image
import pytest

from handprep import (
    BackgroundRemover,
    Greyscale,
    HandCropper,
    HandNotFoundError,
    ImageError,
    Pipeline,
    ResizePad,
    SearchingDetector,
    images,
)
from handprep.detection import LiteRTDetector, View
from handprep.explain import looks
from tests.rendered import photos

PHOTO = photos()[7]
FULL = Pipeline([HandCropper(upright=True), BackgroundRemover(), ResizePad(64), Greyscale()])


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)


def test_it_keeps_the_sample_after_every_step_and_ends_as_run_does():
    explanation = FULL.explain(PHOTO.path)
    assert [len(sample.steps) for sample in explanation.samples] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(explanation.samples[-1].image, FULL.run(PHOTO.path).image)


def test_a_large_photo_is_decoded_as_run_decodes_it(tmp_path):
    path = tmp_path / "large.jpg"
    with PIL.Image.open(PHOTO.path) as photo:
        photo.resize((4000, 3000), PIL.Image.Resampling.BICUBIC).save(path, quality=90)
    pipeline = Pipeline([HandCropper(), ResizePad(500)])
    np.testing.assert_array_equal(pipeline.explain(path).samples[-1].image, pipeline(path))


def test_the_photo_shows_the_hand_where_it_was_found():
    hand = LiteRTDetector().detect(images.read(PHOTO.path).image)[0]
    shown = FULL.explain(PHOTO.path).photo.hand
    np.testing.assert_allclose(shown.landmarks, hand.landmarks, atol=0.01)
    assert shown.handedness == hand.handedness


def test_the_captions_tell_what_was_chosen_and_decided():
    photo, crop, background, resized, grey = FULL.explain(PHOTO.path).captions
    assert PHOTO.path.name in photo
    assert f"{PHOTO.handedness} 0.9" in photo
    assert "view as-is" in photo
    assert crop.startswith("HandCropper\n")
    assert "margin 0.2" in crop
    assert "upright" in crop
    assert "mirrored" not in crop
    assert "hand share" in background
    assert "64 x 64 pixels" in resized
    assert grey.startswith("Greyscale")


def test_the_image_shows_the_photo_each_step_and_the_plain_result(tmp_path):
    explanation = FULL.explain(PHOTO.path)
    image = explanation.to_image()
    assert image.shape[1] == 6 * 266 + 10
    result = image[10:266, 10 + 5 * 266 :][:256, :256]
    np.testing.assert_array_equal(result[2::4, 2::4, 0], explanation.samples[-1].image)
    explanation.save(tmp_path / "steps.png")
    for stored in (tmp_path / "steps.png", io.BytesIO(explanation._repr_png_())):
        np.testing.assert_array_equal(np.asarray(PIL.Image.open(stored)), image)


def test_without_a_hand_it_says_why_and_shows_each_view(noise):
    views = (View(pad=0.4), View(light="swapped", turn=90))
    detector = SearchingDetector(LiteRTDetector(), views=views, further=())
    explanation = Pipeline([HandCropper(detector=detector), ResizePad(64)]).explain(noise)
    assert "no hand: best palm 0.0" in explanation.captions[0]
    assert "of 0.1" in explanation.captions[0]
    assert "2 other views" in explanation.captions[0]
    found = [*looks(detector, noise)]
    assert [look.view.name for look in found] == ["as-is", "padded 0.4", "swapped, turned 90"]
    assert all(0 <= look.hand.score < look.view.presence for look in found[1:])
    with_search = explanation.to_image()
    assert with_search.shape[0] > FULL.explain(PHOTO.path).to_image().shape[0]


def test_a_look_has_the_scores_of_the_detector_itself():
    image = images.read(PHOTO.path).image
    hand = LiteRTDetector().detect(image)[0]
    look = next(looks(LiteRTDetector(), image))
    assert look.hand.palm_score == pytest.approx(hand.palm_score, abs=1e-6)
    assert look.hand.score == pytest.approx(hand.score, abs=1e-3)


@pytest.mark.parametrize("on_missing", ["raise", "skip"])
def test_where_the_pipeline_ends_without_a_hand_so_do_the_steps(noise, on_missing):
    pipeline = Pipeline(
        [Greyscale(channels=3), HandCropper(search=False, on_missing=on_missing), ResizePad(9)]
    )
    explanation = pipeline.explain(noise)
    assert isinstance(explanation.error, HandNotFoundError)
    assert len(explanation.samples) == 2
    assert "no other view was tried" in repr(explanation)
    assert explanation.to_image().ndim == 3


def test_a_detector_without_scores_is_told_as_one(noise):
    class Nobody:
        def detect(self, image):
            return ()

    pipeline = Pipeline([HandCropper(detector=Nobody(), search=False)])
    assert "no scores" in repr(pipeline.explain(noise))


def test_a_file_that_is_no_image_is_an_error_as_always():
    with pytest.raises(ImageError, match="nowhere"):
        FULL.explain("nowhere.jpg")


def test_explaining_costs_next_to_nothing():
    def seconds(function):
        start = time.process_time()
        for _ in range(5):
            function(PHOTO.path)
        return time.process_time() - start

    FULL.run(PHOTO.path)
    ratios = [seconds(FULL.explain) / seconds(FULL.run) for _ in range(5)]
    assert min(ratios) < 1.1  # of five, as other programs disturb


def test_a_photo_of_the_other_side_says_what_was_found():
    photo = next(photo for photo in photos() if photo.handedness == "Right" and photo.label == "paper")
    for on_missing in ("keep", "skip"):
        explanation = Pipeline([HandCropper(hand="left", on_missing=on_missing)]).explain(photo.path)
        assert "not the wanted hand; found Right" in explanation.captions[0]


def test_nested_pipelines_are_explained_step_by_step():
    nested = Pipeline([Pipeline([HandCropper()]), Pipeline([ResizePad(64)])]).explain(photos()[1].path)
    assert [caption.split("\n")[0] for caption in nested.captions[1:]] == ["HandCropper", "ResizePad"]
