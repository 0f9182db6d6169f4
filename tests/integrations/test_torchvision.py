"""handprep in torchvision's Compose, old and new."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import PIL.Image
import pytest

from handprep import Greyscale, HandCropper, Pipeline, ResizePad, images
from handprep.errors import HandprepError, InputError, SampleSkipped
from tests import moving
from tests.images.any_torchvision import require_torchvision
from tests.rendered import photos

torch = pytest.importorskip("torch", reason="needs torch, which is optional")
require_torchvision()
pytest.importorskip("torchvision", reason="needs torchvision, which is optional", exc_type=ImportError)

from torchvision import transforms, tv_tensors  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from handprep.integrations.torchvision import V2Transform  # noqa: E402

PHOTO = photos()[4]
GREY = Pipeline([HandCropper(), ResizePad(64), Greyscale()])
COLOUR = Pipeline([HandCropper(), ResizePad(64)])
EVERY = [HandCropper(), ResizePad(64), Greyscale(), GREY]


@pytest.fixture
def photo() -> PIL.Image.Image:
    with PIL.Image.open(PHOTO.path) as file:
        return file.copy()


@pytest.fixture
def tensor(photo: PIL.Image.Image) -> Any:
    return v2.functional.pil_to_tensor(photo)


def boxes_of(*boxes: Any, format: str = "XYXY", **options: Any) -> Any:
    return tv_tensors.BoundingBoxes(boxes, format=format, canvas_size=PHOTO.size[::-1], **options)


def mask_of_photo() -> Any:
    return tv_tensors.Mask(torch.from_numpy(images.read(PHOTO.mask).image[..., 0].copy() > 127))


@pytest.mark.parametrize("transform", EVERY, ids=lambda transform: type(transform).__name__)
@pytest.mark.parametrize("module", [transforms, v2])
def test_every_transform_stands_in_a_compose(module: Any, transform: Any, photo: Any) -> None:
    composed = module.Compose([transform, module.ToTensor() if module is transforms else v2.ToImage()])
    expected = np.atleast_3d(transform(np.asarray(photo))).transpose(2, 0, 1)
    result = composed(photo).numpy()
    np.testing.assert_allclose(result / result.max(), expected / expected.max(), atol=1e-6)


@pytest.mark.parametrize("wrap", [lambda transform: transform, V2Transform], ids=["as it is", "V2Transform"])
class TestKinds:
    def test_pil_gives_pil(self, wrap: Any, photo: Any) -> None:
        result = wrap(GREY)(photo)
        assert (type(result), result.mode, result.size) == (PIL.Image.Image, "L", (64, 64))

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16, torch.float64])
    @pytest.mark.parametrize("kind", [torch.Tensor, tv_tensors.Image])
    @pytest.mark.parametrize("batched", [False, True])
    def test_tensor_gives_tensor(self, wrap: Any, kind: Any, dtype: Any, batched: bool, tensor: Any) -> None:
        given = v2.functional.to_dtype(tensor, dtype, scale=True)
        given = torch.stack([given, given.flip(-1)]) if batched else given
        given = given if kind is torch.Tensor else kind(given)
        result = wrap(COLOUR)(given)
        assert (type(result), result.dtype, result.device) == (kind, dtype, given.device)
        assert result.shape == ((2, 3, 64, 64) if batched else (3, 64, 64))
        expected = COLOUR(tensor)
        first = v2.functional.to_dtype(result.as_subclass(torch.Tensor), torch.float64, scale=True) * 255
        difference = (first[0] if batched else first) - expected
        assert difference.abs().max() < 0.1  # float16 has 11 bits

    def test_channels_last_are_refused_with_the_expected_shape(self, wrap: Any, tensor: Any) -> None:
        with pytest.raises(InputError, match=r"must be \(1, H, W\) or \(3, H, W\).*permute\(2, 0, 1\)"):
            wrap(GREY)(tensor.permute(1, 2, 0))

    def test_a_batch_that_does_not_stay_of_one_size_is_refused(self, wrap: Any, tensor: Any) -> None:
        shifted = torch.stack([tensor, torch.zeros_like(tensor)])
        with pytest.raises(InputError, match="let the pipeline end in ResizePad"):
            wrap(HandCropper())(shifted)

    def test_of_a_batch_the_broken_picture_is_named(self, wrap: Any, tensor: Any) -> None:
        batch = torch.stack([tensor, tensor]) / 255
        batch[1, 0, 0, 0] = 7
        with pytest.raises(InputError) as caught:
            wrap(GREY)(batch)
        assert caught.value.__notes__ == ["This was image 1 of the batch, counted from 0."]


def test_everything_of_one_sample_moves_together(tensor: Any) -> None:
    sample = {
        "picture": tv_tensors.Image(tensor),
        "landmarks": tv_tensors.KeyPoints(
            torch.from_numpy(PHOTO.landmarks.copy()), canvas_size=PHOTO.size[::-1]
        ),
        "box": boxes_of(PHOTO.box, dtype=torch.float32),
        "mask": mask_of_photo(),
        "label": 2,
        "name": "rock",
        "other": torch.ones(3),
    }
    done = V2Transform(Pipeline([HandCropper(upright=True, mirror="right"), ResizePad(96)]))(sample)
    assert done["picture"].shape == (3, 96, 96)
    assert done["box"].canvas_size == done["landmarks"].canvas_size == done["mask"].shape == (96, 96)
    assert (done["label"], done["name"], done["other"] is sample["other"]) == (2, "rock", True)
    inside = [done["mask"][int(y), int(x)].item() for x, y in done["landmarks"].tolist()]
    assert np.mean(inside) > 0.9  # some annotated landmarks lie at the hand's very edge
    x0, y0, x1, y1 = done["box"][0].tolist()
    points = done["landmarks"].as_subclass(torch.Tensor)
    assert (points >= torch.tensor([x0 - 1, y0 - 1])).all()
    assert (points <= torch.tensor([x1 + 1, y1 + 1])).all()
    # skin of the mask is where the skin of the picture is: the same as moving the cut-out picture
    cut_out = V2Transform(ResizePad(96))({"picture": sample["picture"], "mask": sample["mask"]})
    assert cut_out["mask"].dtype == torch.bool


def test_a_plain_tensor_beside_a_picture_passes_through(photo: Any) -> None:
    extra = torch.rand(3, 8, 8)
    done, same = V2Transform(GREY)(photo, extra)
    assert done.size == (64, 64)
    assert same is extra


@pytest.mark.parametrize("format", ["XYXY", "XYWH", "CXCYWH", "XYWHR", "CXCYWHR", "XYXYXYXY"])
def test_boxes_of_every_format_are_moved_as_torchvision_crops_and_resizes_them(
    format: str, tensor: Any
) -> None:
    rotated = len(format.rstrip("R")) < len(format) or format == "XYXYXYXY"
    first = boxes_of(
        [205.0, 165.0, 110.0, 150.0, *([25.0] if rotated else [])],
        format="CXCYWHR" if rotated else "CXCYWH",
        clamping_mode=None,
    )
    boxes = v2.functional.convert_bounding_box_format(first, new_format=format)
    sample = HandCropper().run(tensor)
    left, top = sample.to_source[:, 2].astype(int).tolist()
    expected = v2.functional.crop(boxes, top, left, sample.size[1], sample.size[0])
    _, moved = V2Transform(HandCropper())(tensor, boxes)
    assert (moved.format, moved.canvas_size, moved.clamping_mode) == (boxes.format, sample.size[::-1], None)
    torch.testing.assert_close(moved, expected, atol=1e-3, rtol=0)

    small = ResizePad((180, 240))
    _, moved = V2Transform(small)(tensor, boxes)
    torch.testing.assert_close(moved, v2.functional.resize(boxes, [180, 240]), atol=1e-3, rtol=0)


def test_a_rotated_box_is_still_around_the_same_corners_when_mirrored(tensor: Any) -> None:
    boxes = boxes_of([200.0, 180.0, 120.0, 60.0, 20.0], format="CXCYWHR", clamping_mode=None)
    mirror = HandCropper(mirror="left" if PHOTO.handedness == "Right" else "right")
    _, moved = V2Transform(mirror)(tensor, boxes)
    assert moved[0, 2:4].tolist() == pytest.approx([120, 60], abs=1e-3)
    assert moved[0, 4].item() % 180 == pytest.approx(160, abs=1e-3)


def test_boxes_are_clamped_to_the_crop(tensor: Any) -> None:
    _, moved = V2Transform(HandCropper())(tensor, boxes_of([0.0, 0.0, 480.0, 360.0]))
    height, width = moved.canvas_size
    assert moved.tolist() == [[0, 0, width, height]]


def test_no_boxes_stay_no_boxes(tensor: Any) -> None:
    none = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=PHOTO.size[::-1])
    _, moved = V2Transform(GREY)(tensor, none)
    assert moved.shape == (0, 4)


def test_whole_numbers_are_rounded_and_stay_whole(tensor: Any) -> None:
    points = tv_tensors.KeyPoints([[479, 100]], canvas_size=PHOTO.size[::-1])
    _, moved = V2Transform(ResizePad(64))(tensor, points)
    assert moved.dtype == torch.int64
    assert moved.tolist() == [[64, 21]]  # 63.87 and 13.33 + 8


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (lambda photo: (tv_tensors.Mask(torch.zeros(3, 3)),), "need the image"),
        (lambda photo: (photo, photo.resize((9, 8))), r"another image \(Image\) of 8 x 9 pixels"),
        (lambda photo: (photo, tv_tensors.Mask(torch.zeros(9, 9))), r"\(Mask\) of 9 x 9 pixels"),
        (lambda photo: (photo, tv_tensors.Image(torch.zeros(3, 9, 9))), r"image \(Image\) of 9 x 9"),
        (lambda photo: (photo, tv_tensors.Video(torch.zeros(2, 3, 8, 8))), "video='one'"),
    ],
)
def test_samples_that_cannot_be_meant_are_refused(sample: Any, message: str, photo: Any) -> None:
    with pytest.raises(InputError, match=message):
        V2Transform(GREY)(*sample(photo))


def test_annotations_of_a_picture_that_exif_would_turn_are_refused(photo: Any) -> None:
    photo.getexif()[0x0112] = 6
    with pytest.raises(InputError, match="exif_transpose"):
        V2Transform(GREY)(photo, boxes_of([0, 0, 1, 1]))
    assert V2Transform(GREY)(photo).size == (64, 64)


def test_several_pictures_move_as_the_first(tensor: Any) -> None:
    first, second = tv_tensors.Image(tensor), tv_tensors.Image(torch.full_like(tensor, 7))
    done = V2Transform(HandCropper())({"rgb": first, "depth": second, "mask": mask_of_photo()})
    assert torch.equal(done["rgb"], V2Transform(HandCropper())(first))
    assert done["depth"].shape == done["rgb"].shape
    assert (done["depth"] == 7).all()
    assert done["mask"].shape == done["rgb"].shape[-2:]


@pytest.mark.parametrize("leading", [(2,), (1, 2), (2, 1, 1)])
def test_a_batch_of_any_leading_dimensions_is_taken(leading: Any, tensor: Any) -> None:
    batch = torch.stack([tensor, tensor.flip(-1)]).reshape(*leading, *tensor.shape)
    done = COLOUR(batch)
    assert done.shape == (*leading, 3, 64, 64)
    assert torch.equal(done.flatten(0, -4)[1], COLOUR(tensor.flip(-1)))


def test_a_batch_with_annotations_moves_as_its_first_picture(tensor: Any) -> None:
    batch = torch.stack([tensor, torch.full_like(tensor, 7)])
    masks = torch.stack([mask_of_photo(), mask_of_photo()])
    done, boxes, moved = V2Transform(HandCropper())(batch, boxes_of(PHOTO.box), tv_tensors.Mask(masks))
    alone, box = V2Transform(HandCropper())(tensor, boxes_of(PHOTO.box))
    assert torch.equal(done[0], alone)
    assert (done[1] == 7).all()
    assert torch.equal(boxes, box)
    assert moved.shape == (2, *alone.shape[-2:])


def test_a_sample_without_pictures_passes() -> None:
    sample = {"label": 3, "name": "rock"}
    assert V2Transform(COLOUR)(sample) == sample


def test_a_mask_is_filled_as_said(tensor: Any) -> None:
    _, mask = V2Transform(ResizePad(64), mask_fill=255)(tensor, tv_tensors.Mask(torch.ones(360, 480)))
    assert mask.unique().tolist() == [1, 255]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_crop_of_floats_is_exact_and_others_have_256_levels(dtype: Any, tensor: Any) -> None:
    given = ((tensor.double() + 0.3) / 256).to(dtype)
    sample = HandCropper().run(given)
    left, top = sample.to_source[:, 2].astype(int).tolist()
    expected = given[:, top : top + sample.size[1], left : left + sample.size[0]]
    assert torch.equal(HandCropper()(given), expected)
    mirror = HandCropper(mirror="left" if PHOTO.handedness == "Right" else "right")
    assert torch.equal(mirror(given), expected.flip(-1))
    levels = COLOUR(given).double() * 255
    assert (levels - levels.round()).abs().max() < 1  # bfloat16 has 8 bits


def test_inverted_boxes_stay_inverted(tensor: Any) -> None:
    boxes = boxes_of([300.0, 200.0, 100.0, 90.0], [100.0, 90.0, 300.0, 200.0], clamping_mode=None)
    mirror = HandCropper(mirror="left" if PHOTO.handedness == "Right" else "right")
    for transform in (ResizePad(64), mirror):
        _, moved = V2Transform(transform)(tensor, boxes)
        assert moved[0, [2, 3, 0, 1]].tolist() == moved[1].tolist()
        assert (moved[1, :2] < moved[1, 2:]).all()


def test_key_points_are_mirrored_as_torchvision_does_where_asked(tensor: Any) -> None:
    points = tv_tensors.KeyPoints([[200.0, 150.0]], canvas_size=PHOTO.size[::-1])
    mirror = HandCropper(mirror="left" if PHOTO.handedness == "Right" else "right")
    _, cropped = V2Transform(HandCropper(), keypoints="centers")(tensor, points)
    _, moved = V2Transform(mirror, keypoints="centers")(tensor, points)
    assert torch.equal(moved, v2.functional.horizontal_flip(cropped))
    _, corners = V2Transform(mirror)(tensor, points)
    assert corners[0, 0] == moved[0, 0] + 1


def test_grey_stays_grey_between_torchvisions_transforms(photo: Any) -> None:
    composed = v2.Compose([v2.Grayscale(), COLOUR, v2.ToImage()])
    assert composed(photo).shape == (1, 64, 64)
    assert v2.Compose([v2.ToImage(), v2.Grayscale(), V2Transform(COLOUR)])(photo).shape == (1, 64, 64)


def test_what_bicubic_resizing_leaves_is_taken(tensor: Any) -> None:
    rough = v2.functional.to_dtype(tensor, torch.float32, scale=True)
    resized = v2.Resize(100, interpolation=v2.InterpolationMode.BICUBIC)(rough * 1.0 - (rough > 0.5) * 1e-3)
    assert COLOUR(resized + 0.03).shape == (3, 64, 64)
    with pytest.raises(InputError, match="Put handprep before Normalize"):
        COLOUR(v2.Normalize([0.5] * 3, [0.2] * 3)(rough))


def test_in_a_joint_compose_a_plain_pipeline_names_the_adapter(photo: Any) -> None:
    for sample in ((photo, boxes_of([0, 0, 1, 1])), ({"image": photo},)):
        with pytest.raises(InputError, match="V2Transform"):
            v2.Compose([COLOUR])(*sample)


def test_it_stands_in_a_sequential_and_breaks_a_compiled_graph(tensor: Any) -> None:
    model = torch.nn.Sequential(V2Transform(COLOUR), v2.ToDtype(torch.float32, scale=True))
    expected = model(tensor)
    assert torch.equal(torch.compile(model, backend="eager")(tensor), expected)
    given = (tensor / 255).requires_grad_()
    assert not model(given).requires_grad


@pytest.mark.parametrize(
    "empty", [torch.zeros(0, 3, *PHOTO.size[::-1]), tv_tensors.Video(torch.zeros(0, 3, 9, 9))]
)
def test_an_empty_batch_has_nothing_to_look_at(empty: Any) -> None:
    with pytest.raises(InputError, match="none at all"):
        V2Transform(COLOUR)(empty)
    mask = tv_tensors.Mask(torch.zeros(empty.shape[-2:]))
    with pytest.raises(InputError, match="an empty batch has no image to look at"):
        V2Transform(COLOUR, video="one")(empty, mask)


def test_something_that_is_no_transform_is_refused() -> None:
    with pytest.raises(InputError, match="handprep's transforms"):
        V2Transform(lambda picture: picture)


def test_the_repr_shows_the_pipeline_and_a_pickle_keeps_it(photo: Any) -> None:
    transform = pickle.loads(pickle.dumps(V2Transform(GREY)))
    assert "ResizePad(size=(64, 64)" in repr(transform)
    assert transform.wrapped == GREY
    np.testing.assert_array_equal(transform(photo), GREY(photo))


def test_errors_of_the_pipeline_come_through(photo: Any) -> None:
    with pytest.raises(HandprepError, match="no hand found"):
        V2Transform(HandCropper(on_missing="raise", search=False))(torch.zeros(3, 90, 90))


def video_of_moving_hand(count: int = 4) -> tuple[Any, list[np.ndarray]]:
    frames = list(moving.one(count, 4, speed=6))
    pixels = torch.from_numpy(np.stack([frame.image for frame in frames])).permute(0, 3, 1, 2)
    return tv_tensors.Video(pixels), [frame.landmarks[0] for frame in frames]


def test_each_frame_of_a_video_has_a_crop_of_its_own_by_following_the_hand() -> None:
    video, _ = video_of_moving_hand()
    done = V2Transform(COLOUR)(video)
    assert (type(done), done.shape, done.dtype) == (tv_tensors.Video, (4, 3, 64, 64), torch.uint8)
    for frame, sample in zip(done, COLOUR.stream(video), strict=True):
        np.testing.assert_array_equal(frame.permute(1, 2, 0).numpy(), sample.image)


def test_all_frames_of_a_video_can_have_one_crop_and_annotations_move_with_it() -> None:
    video, landmarks = video_of_moving_hand()
    points = tv_tensors.KeyPoints(torch.from_numpy(landmarks[0]), canvas_size=video.shape[-2:])
    done, moved = V2Transform(COLOUR, video="one")(video, points)
    first = COLOUR.run(video[0])
    np.testing.assert_array_equal(done[0].permute(1, 2, 0).numpy(), first.image)
    np.testing.assert_allclose(moved.numpy(), first.from_photo(landmarks[0]), atol=1e-4)
    assert not np.array_equal(done[0], V2Transform(COLOUR)(video)[1])
    crop = first.steps[0]
    assert crop.name == "HandCropper"
    empty = tv_tensors.Video(torch.cat([torch.zeros_like(video[:1]), video]))  # the second frame decides
    np.testing.assert_array_equal(V2Transform(COLOUR, video="one")(empty)[1:], done)


def test_of_several_videos_each_is_followed_by_itself() -> None:
    video, _ = video_of_moving_hand()
    two = tv_tensors.wrap(torch.stack([video, video.flip(0)]), like=video)
    done = V2Transform(COLOUR)(two)
    assert done.shape == (2, 4, 3, 64, 64)
    for one, given in zip(done, two, strict=True):
        np.testing.assert_array_equal(one, V2Transform(COLOUR)(tv_tensors.wrap(given, like=video)))


def test_a_video_that_is_only_resized_is_not_looked_at() -> None:
    video, _ = video_of_moving_hand(1)
    for mode in ("each", "one"):
        done = V2Transform(ResizePad(32), video=mode)(video)
        expected = [ResizePad(32)(frame) for frame in video]
        np.testing.assert_array_equal(done, torch.stack(expected))


def test_a_video_keeps_all_its_frames_or_is_skipped() -> None:
    video, _ = video_of_moving_hand(2)
    video[1] = 0
    assert V2Transform(COLOUR)(video).shape[0] == 2
    with pytest.raises(SampleSkipped):
        V2Transform(Pipeline([HandCropper(on_missing="skip"), ResizePad(64)]))(video)


def test_how_a_video_moves_is_one_of_two_ways() -> None:
    with pytest.raises(InputError, match="video"):
        V2Transform(COLOUR, video="some")  # type: ignore[arg-type]
