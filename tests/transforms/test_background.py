"""BackgroundRemover on rendered hands: the hand stays, the background goes, every choice is kept."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image
import pytest

from handprep import images
from handprep.configurable import Configurable
from handprep.errors import HandNotFoundError, ImageError, InputError, SampleSkipped
from handprep.pipeline import Pipeline
from handprep.sample import Hand, Sample
from handprep.segmentation.base import Segmenter
from handprep.segmentation.matte import HandMatte
from handprep.segmentation.rembg import RembgSegmenter
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.rendered import photos
from tests.segmentation.cases import cropped, iou

GREEN = (0, 177, 64)
EMPTY = np.full((90, 120, 3), 128, np.uint8)
OPEN_HANDS = [photo for photo in photos() if photo.label == "paper"][:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftHalf(Configurable):
    """A segmenter that takes the left half of a picture for hand."""

    def segment(self, image, hands):
        alpha = np.zeros(image.shape[:2], np.uint8)
        alpha[:, : image.shape[1] // 2] = 255
        return alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class SameBox(Configurable):
    """A detector that finds the same box in every picture."""

    def detect(self, image):
        return (Hand(box=(10, 10, 60, 60), score=0.5),)


@pytest.fixture
def sample():
    """A cropped hand of which the alpha is not yet known."""
    return replace(cropped(OPEN_HANDS[0]), alpha=None)


@pytest.fixture
def truth():
    return cropped(OPEN_HANDS[0]).alpha


def test_the_hand_stays_and_the_rest_has_the_new_colour(sample, truth):
    done = BackgroundRemover(background=GREEN).apply(sample)
    assert iou(done.alpha, truth) > 0.95
    away, inside = done.alpha == 0, done.alpha == 255
    assert (done.image[away] == GREEN).all()
    assert np.mean((done.image == sample.image).all(-1)[inside]) > 0.8  # all but the rim
    assert not done.transparent
    assert done.hands is sample.hands


@pytest.mark.parametrize("photo", OPEN_HANDS, ids=lambda photo: photo.path.stem)
def test_alone_it_finds_the_hand_itself(photo):
    done = BackgroundRemover().run(photo.path)
    assert len(done.hands) == 1
    truth = images.read(photo.mask).image[..., 0]
    assert iou(done.alpha, truth) > 0.8  # of far hands, the forearm stays in part only


def test_alone_it_looks_for_hands_as_the_cropper_does():
    assert BackgroundRemover().finder() == HandCropper().finder()
    own = SameBox()
    assert BackgroundRemover(detector=own).finder() == HandCropper(detector=own).finder()


def test_known_hands_are_not_looked_for_again(sample):
    remover = BackgroundRemover(detector=SameBox())
    np.testing.assert_array_equal(remover.apply(sample).alpha, BackgroundRemover().apply(sample).alpha)
    assert remover.apply(replace(sample, hands=None)).hand.box == (10, 10, 60, 60)


def test_transparent_pictures_have_alpha_and_nothing_of_the_background(sample):
    done = BackgroundRemover(background="transparent").apply(sample)
    assert done.transparent
    given_back = images.to_type_of(done, "photo.jpg")
    assert given_back.shape[2] == 4
    np.testing.assert_array_equal(given_back[..., 3], done.alpha)
    far = done.alpha == 0
    assert not (done.image[far] == sample.image[far]).all(-1).any()


def test_under_alpha_0_transparent_images_are_black_at_any_size(sample):
    done = Pipeline([BackgroundRemover(background="transparent"), ResizePad(100)]).apply(sample)
    assert done.transparent
    assert not done.image[done.alpha == 0].any()
    solid = done.image[done.alpha > 128].astype(int)
    assert solid.sum(1).min() > 60  # no dark fringe of what is transparent


def test_mask_gives_alpha_as_a_grey_image(sample):
    done = BackgroundRemover(background="mask").apply(sample)
    np.testing.assert_array_equal(done.image, BackgroundRemover().apply(sample).alpha)
    nobody = BackgroundRemover(background="mask").apply(replace(sample, hands=()))
    assert nobody.image.shape == sample.image.shape[:2]
    assert not nobody.image.any()


def test_an_image_comes_behind_scaled_to_cover(sample, tmp_path):
    path = tmp_path / "office.png"
    office = np.zeros((40, 100, 3), np.uint8)
    office[:, :50], office[:, 50:] = (10, 20, 200), (200, 20, 10)
    PIL.Image.fromarray(office).save(path)
    remover = BackgroundRemover(background=path)
    assert remover == BackgroundRemover(background=str(path))
    done = remover.apply(sample)
    away = done.alpha == 0
    middle = sample.size[0] // 2
    assert (done.image[:, : middle - 12][away[:, : middle - 12]] == (10, 20, 200)).all()
    assert (done.image[:, middle + 12 :][away[:, middle + 12 :]] == (200, 20, 10)).all()
    grey = remover.apply(Greyscale().apply(sample))
    assert set(np.unique(grey.image[:, : middle - 12][grey.alpha[:, : middle - 12] == 0])) == {38}  # luma
    before = Pipeline([remover]).fingerprint()
    PIL.Image.fromarray(office[::-1, ::-1]).save(path)
    assert Pipeline([remover]).fingerprint() != before


@pytest.mark.parametrize("colour", ["#00b140", "0,177,64", "rgb(0, 177, 64)"])
def test_colours_have_names_as_on_the_command_line(colour):
    assert BackgroundRemover(background=colour) == BackgroundRemover(background=GREEN)
    assert ResizePad(8, fill=colour) == ResizePad(8, fill=GREEN)


def test_a_mask_has_a_confidence_where_its_segmenter_has_one(sample):
    details = BackgroundRemover().apply(sample).steps[-1].details
    assert 0.8 < details["mask_confidence"] <= 1
    for method in ("fast", LeftHalf()):
        assert "mask_confidence" not in BackgroundRemover(method=method).apply(sample).steps[-1].details


def test_rembgs_options_reach_its_segmenter(tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"")
    options = {"model": "u2netp", "alpha_matting": True, "post_process": True}
    remover = BackgroundRemover(method="rembg", model_path=str(path), **options)
    assert remover.segmenter() == RembgSegmenter(path=str(path), **options)


def test_keep_sets_alpha_alone(sample):
    done = BackgroundRemover(background="keep").apply(sample)
    np.testing.assert_array_equal(done.image, sample.image)
    assert not done.transparent
    np.testing.assert_array_equal(done.alpha, BackgroundRemover().apply(sample).alpha)


def test_blur_leaves_the_hand_and_takes_detail_from_the_rest():
    sample = cropped(OPEN_HANDS[0])
    noise = np.random.default_rng(0).integers(-20, 20, sample.image.shape)
    sample = replace(sample, image=np.clip(sample.image + noise, 0, 255).astype(np.uint8))
    done = BackgroundRemover(background="blur").apply(sample)
    inside, away = done.alpha == 255, done.alpha == 0
    assert np.mean((done.image == sample.image).all(-1)[inside]) > 0.8
    before, after = (
        np.abs(np.diff(image.astype(int), axis=1))[away[:, 1:]].mean() for image in (sample.image, done.image)
    )
    assert after < 0.1 * before


@pytest.mark.parametrize("background", [GREEN, 70, "blur", "transparent", "keep"])
def test_grey_pictures_stay_grey(sample, background):
    grey = Greyscale().apply(sample)
    done = BackgroundRemover(background=background).apply(grey)
    assert done.image.shape == grey.image.shape
    if background == GREEN:
        assert (done.image[done.alpha == 0] == 111).all()  # 0.587 × 177 + 0.114 × 64


def test_any_segmenter_serves(sample):
    done = BackgroundRemover(method=LeftHalf(), background=255).apply(sample)
    middle = sample.size[0] // 2
    assert (done.image[:, middle:] == 255).all()
    assert (done.image[:, : middle - 5] == sample.image[:, : middle - 5]).all()


def test_rembg_serves(sample, truth):
    done = BackgroundRemover(method="rembg", model="u2netp").apply(sample)
    assert iou(done.alpha, truth) > 0.9


@pytest.mark.parametrize("background", [GREEN, "blur", "transparent", "keep"])
@pytest.mark.parametrize("hands", [None, ()])
def test_without_a_hand_the_picture_is_kept(background, hands):
    done = BackgroundRemover(background=background).apply(Sample(image=EMPTY, hands=hands))
    np.testing.assert_array_equal(done.image, EMPTY)
    assert done.hands == ()
    assert done.steps[-1].details == {"found": 0, "on_missing": "keep"}
    if background == "transparent":
        assert done.transparent
        assert (done.alpha == 255).all()
    else:
        assert done.alpha is None


def test_without_a_hand_it_can_raise_skip_or_go_on(sample):
    nobody = replace(sample, hands=(), source="photos/a.jpg")
    with pytest.raises(HandNotFoundError, match=r"no hand found in photos/a\.jpg.*on_missing='keep'"):
        BackgroundRemover(on_missing="raise").apply(nobody)
    with pytest.raises(SampleSkipped, match=r"photos/a\.jpg, which is skipped"):
        BackgroundRemover(on_missing="skip").apply(nobody)
    done = BackgroundRemover(on_missing="segment").apply(nobody)
    np.testing.assert_array_equal(done.alpha, HandMatte().segment(sample.image, ()))


def test_what_it_did_is_on_record(sample):
    done = BackgroundRemover().apply(sample)
    step = done.steps[-1]
    assert step.name == "BackgroundRemover"
    assert step.details["found"] == 1
    assert step.details["hand_share"] == pytest.approx(np.mean(done.alpha) / 255, abs=1e-4)


def test_landmarks_and_the_way_back_do_not_move(sample):
    done = BackgroundRemover().apply(sample)
    np.testing.assert_array_equal(done.to_source, sample.to_source)
    np.testing.assert_array_equal(done.hand.landmarks, sample.hand.landmarks)


def test_in_a_pipeline_alpha_moves_along():
    pipeline = Pipeline([HandCropper(), BackgroundRemover(background="transparent"), ResizePad(64)])
    done = pipeline.run(OPEN_HANDS[0].path)
    assert done.alpha.shape == (64, 64)
    assert pipeline(OPEN_HANDS[0].path).shape == (64, 64, 4)


def test_before_the_crop_it_finds_the_hand_once_for_both():
    pipeline = Pipeline([BackgroundRemover(background=255), HandCropper()])
    done = pipeline.run(OPEN_HANDS[1].path)
    assert done.steps[-1].details["found"] == 1
    assert (done.image[done.alpha == 0] == 255).all()


def test_the_same_kind_comes_back_as_was_given(sample):
    given = PIL.Image.fromarray(sample.image)
    assert BackgroundRemover()(given).mode == "RGB"
    assert BackgroundRemover(background="transparent")(given).mode == "RGBA"


def test_it_is_known_by_its_parameters():
    remover = BackgroundRemover(method=HandMatte(keep="hand"), background=[1, 2, 3])
    assert isinstance(remover.segmenter(), Segmenter)
    assert eval(repr(remover)) == remover
    assert pickle.loads(pickle.dumps(remover)) == remover
    assert BackgroundRemover.from_dict(remover.to_dict()) == remover
    assert hash(remover) == hash(BackgroundRemover.from_dict(remover.to_dict()))


def test_its_model_files_are_those_of_detector_and_segmenter():
    detector = {"palm_detection_full", "hand_landmark_full"}
    assert BackgroundRemover().model_files == detector | HandMatte().model_files
    assert BackgroundRemover(method="rembg").model_files > {"u2net"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"method": "u2net"},
        {"method": 3},
        {"background": "wight"},
        {"background": "nowhere.jpg"},
        {"alpha_matting": True},
        {"method": "fast", "model": "u2netp"},
        {"background": (1, 2)},
        {"background": 256},
        {"detector": "eyes"},
        {"detector": None},
        {"on_missing": "center"},
        {"method": "rembg", "model": ""},
    ],
)
def test_parameters_out_of_range_are_refused(parameters):
    with pytest.raises(InputError, match=list(parameters)[-1]):
        BackgroundRemover(**parameters)


class TestOwnAlpha:
    @pytest.fixture
    def cut_out(self, tmp_path):
        """A hand on a PNG of RGBA, as rembg or a phone cuts it out."""
        photo = PIL.Image.open(OPEN_HANDS[0].path).convert("RGB")
        photo.putalpha(PIL.Image.open(OPEN_HANDS[0].mask).convert("L"))
        photo.save(tmp_path / "hand.png")
        return tmp_path / "hand.png"

    def test_a_cut_out_passes_with_its_alpha_and_its_colours(self, cut_out):
        pipeline = Pipeline([HandCropper(), BackgroundRemover(method="alpha", background="transparent")])
        done = pipeline(cut_out)
        left, top = pipeline.run(cut_out).to_source[:, 2].astype(int)
        whole = np.asarray(PIL.Image.open(cut_out))
        np.testing.assert_array_equal(done, whole[top : top + done.shape[0], left : left + done.shape[1]])
        assert Pipeline([*pipeline.transforms, ResizePad(64)])(cut_out).shape == (64, 64, 4)

    def test_it_gets_another_background_by_its_alpha_and_needs_no_network(self, cut_out):
        remover = BackgroundRemover(method="alpha", background=GREEN)
        assert (remover.model_files, remover.finder()) == (frozenset(), None)
        done = remover(cut_out)
        assert done.shape[2] == 3
        assert (done[np.asarray(PIL.Image.open(cut_out))[..., 3] == 0] == GREEN).all()

    def test_an_image_without_alpha_is_refused_by_name(self):
        with pytest.raises(ImageError, match=rf"{OPEN_HANDS[0].path.name} has no alpha of its own"):
            BackgroundRemover(method="alpha")(OPEN_HANDS[0].path)
