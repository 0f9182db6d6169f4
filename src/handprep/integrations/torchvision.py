"""handprep's transforms as torchvision.transforms.v2: an image and its annotations move together.

For images alone none of this is needed: every transform and `Pipeline` can stand in a
``torchvision.transforms.Compose`` as it is.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from handprep import geometry, images
from handprep.annotations import check_fits, hands_in_photo, moved_boxes, moved_mask
from handprep.configurable import check_choice
from handprep.errors import InputError, SampleSkipped
from handprep.images import tensors
from handprep.optional import missing_extra
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.transforms.base import Transform, apply_with

try:
    import torch
    from torchvision import tv_tensors
    from torchvision.transforms import v2
except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: torch and torchvision do not fit
    raise missing_extra("torchvision", "torch", error) from error

EXIF_ORIENTATION = 0x0112
CORNERS_OF_MIRRORED = [1, 0, 3, 2]  # top left, top right, bottom right, bottom left


def _is_plain(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not isinstance(value, tv_tensors.TVTensor)


class V2Transform(v2.Transform):  # type: ignore[misc]  # mypy does not follow torchvision
    """A transform or `Pipeline` as a transform of torchvision's second version.

    It is run on the image of a sample, and what it did to that (crop, turn, mirror, resize) is done to
    the annotations beside it. As in all of ``transforms.v2``, a sample may be nested in any way, a plain
    tensor counts as the image only where there is no other, and everything else passes through.

    Parameters
    ----------
    transform
        The transform or pipeline.
    mask_fill
        What a mask is outside of the photo, such as the index that a loss ignores. Pictures are filled as
        the transform's own ``fill`` says.
    keypoints
        Where key points lie in their pixels. ``"corners"``: they are continuous coordinates, as boxes are;
        (0, 0) is the outer corner of the first pixel. ``"centers"``: (0, 0) is its centre, as in
        ``v2.functional.horizontal_flip``, which puts x at width - 1 - x.

    video
        How a ``tv_tensors.Video`` moves, whose hands are followed (`Pipeline.stream`). ``"each"``: each frame
        has a crop of its own. ``"one"``: all frames are cropped alike, by the first frame that shows a hand.

    Raises
    ------
    InputError
        If `transform` is no `Transform`. When called: if there are annotations but no image; images
        or annotations are not of one size; there are annotations beside a PIL image that its EXIF
        orientation would turn.

    Notes
    -----
    Images are PIL images, ``tv_tensors.Image`` or plain tensors, ``(3, H, W)`` or ``(1, H, W)``, or of more
    dimensions before these, or ``tv_tensors.Video`` ``(T, C, H, W)``; of all numbers that `images.read`
    takes. They come back as the same kind, of the same dtype, on the same device, without gradients. Of a
    batch, each image is looked at by itself. Where it has annotations or a sample has several images,
    the first is looked at, and all move alike. A sample without images and annotations passes through.

    ``BoundingBoxes`` of all formats become the smallest boxes of their format around what they were, and
    are then clamped to the image as their ``clamping_mode`` says. Inverted ones stay inverted. They and
    ``KeyPoints`` are rounded if they are of a whole number's dtype. A ``Mask`` ``(..., H, W)`` is sampled at
    the nearest pixel.

    Examples
    --------
    >>> from handprep import Pipeline, HandCropper, ResizePad
    >>> transform = V2Transform(Pipeline([HandCropper(), ResizePad(64)]))
    >>> photo = torch.zeros(3, 90, 120, dtype=torch.uint8)
    >>> boxes = tv_tensors.BoundingBoxes([[0, 0, 60, 45]], format="XYXY", canvas_size=(90, 120))
    >>> image, target = transform(photo, {"boxes": boxes, "label": 2})
    >>> target["boxes"].tolist(), target["label"]
    ([[0, 8, 32, 32]], 2)
    """

    _transformed_types = (
        PIL.Image.Image,
        tv_tensors.Image,
        tv_tensors.Video,
        _is_plain,
        tv_tensors.BoundingBoxes,
        tv_tensors.KeyPoints,
        tv_tensors.Mask,
    )

    def __init__(
        self,
        transform: Transform,
        *,
        mask_fill: float = 0,
        keypoints: Literal["corners", "centers"] = "corners",
        video: Literal["each", "one"] = "each",
    ) -> None:
        super().__init__()
        if not isinstance(transform, Transform):
            raise InputError(
                f"transform must be one of handprep's transforms or a Pipeline, not {transform!r}"
            )
        check_choice("keypoints", keypoints, ("corners", "centers"))
        check_choice("video", video, ("each", "one"))
        self.wrapped, self.mask_fill, self.keypoints, self.video = transform, mask_fill, keypoints, video

    forward = torch.compiler.disable(v2.Transform.forward)  # a break in the graph, as for any other library

    def extra_repr(self) -> str:
        """Return the wrapped transform as text."""
        return repr(self.wrapped)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Run the transform on the first image, and do the same to all of them."""
        given = [value for value in flat_inputs if not isinstance(value, ANNOTATIONS)]
        if not given:
            if flat_inputs:
                raise InputError("annotations need the image that they are for: handprep looks at that")
            return {}
        first, others = given[0], [value for value in flat_inputs if value is not given[0]]
        if self.video == "each" and any(isinstance(image, tv_tensors.Video) for image in given):
            if others:
                raise InputError(
                    "what is beside a video moves with it only where its frames have one crop: video='one'"
                )
            return {"results": {id(first): _as_given(self._frame_by_frame(first), first)}}
        if not others and not isinstance(first, tv_tensors.Video):
            return {"results": {id(first): self.wrapped(first)}}
        for value in others:
            _check_fits(value, first)
        ones = {id(image): tensors.unbatch(image) if _is_several(image) else [image] for image in given}
        if not ones[id(first)]:
            raise InputError("an empty batch has no image to look at, which its annotations need")
        streamed = self._streamed(first) if isinstance(first, tv_tensors.Video) else iter(())
        sample = next((s for s in streamed if s.hands), None) or self.wrapped.run(ones[id(first)][0])
        moved = {id(first): [sample]}
        if len(given) > 1 or _is_several(first):  # all by the first one's hands, so that no rounding differs
            again = partial(apply_with, self.wrapped, hands=hands_in_photo(sample))
            moved = {key: [again(one) for one in each] for key, each in ones.items()}
        results = {id(image): _as_given(moved[id(image)], image) for image in given}
        return {"sample": moved[id(first)][0], "results": results}

    def _streamed(self, video: Any) -> Iterator[Sample]:
        """Yield the frames of one video or several, their hands followed where the transform looks."""
        pipeline = Pipeline([self.wrapped])
        for clip in video.unsqueeze(0).flatten(0, -5):
            yield from (pipeline.stream if pipeline.cropper else pipeline.map)(tensors.unbatch(clip))

    def _frame_by_frame(self, video: Any) -> list[Sample]:
        samples = list(self._streamed(video))
        if len(samples) != len(tensors.unbatch(video)):
            raise SampleSkipped("a frame of the video shows no hand, and is skipped (on_missing='skip')")
        return samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one of the inputs as it lies in the result."""
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            return _moved_boxes(inpt, params["sample"])
        if isinstance(inpt, tv_tensors.KeyPoints):
            return _moved_points(inpt, params["sample"], 0.5 if self.keypoints == "centers" else 0)
        if isinstance(inpt, tv_tensors.Mask):
            mask = moved_mask(params["sample"], _numpy(inpt), outside=self.mask_fill)
            return tv_tensors.wrap(_as(mask, inpt), like=inpt)
        return params["results"][id(inpt)]


ANNOTATIONS = (tv_tensors.BoundingBoxes, tv_tensors.KeyPoints, tv_tensors.Mask)


def _check_fits(value: Any, first: Any) -> None:
    for image in (first, value):
        orientation = image.getexif().get(EXIF_ORIENTATION, 1) if isinstance(image, PIL.Image.Image) else 1
        if orientation != 1:
            raise InputError(
                f"this image has the EXIF orientation {orientation}: handprep would turn it upright, but "
                "cannot know whether its annotations are for that. Call PIL.ImageOps.exif_transpose first"
            )
    what = "an annotation" if isinstance(value, ANNOTATIONS) else "another image"
    check_fits(_size(value), _size(first), f"{what} ({type(value).__name__})")


def _is_several(image: Any) -> bool:
    return tensors.is_batch(image) or isinstance(image, tv_tensors.Video)


def _as_given(samples: list[Sample], given: Any) -> Any:
    if isinstance(given, tv_tensors.Video):
        return tv_tensors.wrap(tensors.like_batch(samples, given.as_subclass(torch.Tensor)), like=given)
    return (
        tensors.like_batch(samples, given)
        if tensors.is_batch(given)
        else images.to_type_of(samples[0], given)
    )


def _size(value: Any) -> tuple[int, int]:
    """Return height and width of an image, or of the image that an annotation is for."""
    if isinstance(value, PIL.Image.Image):
        return value.height, value.width
    return tuple(getattr(value, "canvas_size", value.shape[-2:]))


def _moved_boxes(boxes: Any, sample: Sample) -> Any:
    rotated = tv_tensors.is_rotated_bounding_format(boxes.format)
    by_corners = tv_tensors.BoundingBoxFormat.XYXYXYXY if rotated else tv_tensors.BoundingBoxFormat.XYXY
    plain = boxes.as_subclass(torch.Tensor).double()
    given = v2.functional.convert_bounding_box_format(plain, boxes.format, by_corners).cpu().numpy()
    if rotated:
        moved = sample.from_photo(given.reshape(-1, 4, 2))
        if geometry.mirrors(sample.to_source):
            moved = moved[:, CORNERS_OF_MIRRORED]
        moved = moved.reshape(-1, 8)
    else:
        clamps = getattr(boxes, "clamping_mode", "soft") is not None  # a setting since torchvision 0.24
        moved = moved_boxes(sample, given, clip=clamps)
    back = v2.functional.convert_bounding_box_format(torch.from_numpy(moved), by_corners, boxes.format)
    wrapped = tv_tensors.wrap(back, like=boxes, canvas_size=sample.size[::-1])
    clamped = v2.functional.clamp_bounding_boxes(wrapped)
    return tv_tensors.wrap(_as(_numpy(clamped), boxes), like=clamped)


def _moved_points(points: Any, sample: Sample, centre: float) -> Any:
    moved = sample.from_photo(_numpy(points) + centre) - centre
    return tv_tensors.wrap(_as(moved, points), like=points, canvas_size=sample.size[::-1])


def _numpy(tensor: Any) -> NDArray[Any]:
    plain: NDArray[Any] = tensor.detach().as_subclass(torch.Tensor).cpu().numpy()
    return plain


def _as(array: NDArray[Any], given: Any) -> Any:
    """Return an array as a plain tensor of a given one's dtype, rounded where that is whole, and device."""
    if np.issubdtype(array.dtype, np.floating) and not given.is_floating_point():
        array = array.round()
    return torch.from_numpy(np.ascontiguousarray(array)).to(device=given.device, dtype=given.dtype)
