"""handprep's transforms as albumentations': an image, its boxes, key points and masks move together."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep import geometry, images
from handprep.annotations import check_fits, hands_in_photo, moved_boxes, moved_mask
from handprep.errors import InputError
from handprep.optional import missing_extra
from handprep.sample import Hand, Sample
from handprep.transforms.base import Transform, apply_with

try:
    from albumentations import DualTransform
    from albumentations.core.type_definitions import Targets
except ImportError as error:
    raise missing_extra("albumentations", "albumentations", error) from error

PIXEL_CENTRE = 0.5  # albumentations' key points count pixel centres, its boxes and handprep pixel corners
ANGLE, SCALE = 3, 4  # columns of its key points, after x, y, z


class PrepareHands(DualTransform):  # type: ignore[misc]  # mypy does not follow albumentations
    """A transform or `Pipeline` as a transform of albumentations.

    It is run on ``image``, or on the first of ``images``, ``volume`` or ``volumes``. What it did to that
    (crop, turn, mirror, resize) is done to the others of these, to ``mask``, ``masks``, ``bboxes`` and
    ``keypoints``, and to additional targets of these kinds.

    Parameters
    ----------
    transform
        The transform or pipeline; or what its ``to_dict()`` returns, as ``albumentations.load`` gives it.
    fill_mask
        What a mask is outside of the photo, such as the index that a loss ignores.
    p
        Probability, 0 to 1, that it is applied.

    Raises
    ------
    InputError
        If `transform` is neither. When called: if there is no image, or one or a mask has another size.
        Errors of the transform itself go through as they are.

    Notes
    -----
    The image is ``(H, W, 3)`` RGB or ``(H, W)`` or ``(H, W, 1)`` grey, uint8 or float32 from 0 to 1. It
    comes back of the same dtype, and as exact where it was only cropped or mirrored; else of 256 levels.

    Masks ``(H, W)`` or ``(H, W, C)`` are sampled at the nearest pixel. A replay of ``ReplayCompose`` holds
    the hands that were found, as JSON values, and does the same to another image of that size.
    albumentations is no longer developed; this is tested with 2.0.8, its last version under the MIT licence.

    A box becomes the smallest one around itself. Key points count pixel centres, as in albumentations: for
    `Hand.landmarks` that is 0.5 less. Their angles turn counterclockwise, as by ``albumentations.Affine``.

    Examples
    --------
    >>> import albumentations as A
    >>> from handprep import HandCropper, Pipeline, ResizePad
    >>> prepare = PrepareHands(Pipeline([HandCropper(), ResizePad(64)]))
    >>> transform = A.Compose([prepare, A.HorizontalFlip(p=1)], keypoint_params={"format": "xy"})
    >>> done = transform(image=np.zeros((64, 128, 3), np.uint8), keypoints=np.array([(0.5, 0.5)]))
    >>> done["image"].shape, done["keypoints"].tolist()
    ((64, 64, 3), [[63.0, 16.0]])
    """

    _targets = (
        *(Targets.IMAGE, Targets.MASK, Targets.BBOXES, Targets.KEYPOINTS, Targets.VOLUME, Targets.MASK3D),
    )

    def __init__(self, transform: Transform | dict[str, Any], fill_mask: float = 0, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.transform = Transform.from_dict(transform) if isinstance(transform, dict) else transform
        if not isinstance(self.transform, Transform):
            raise InputError(f"transform must be a handprep transform or Pipeline, not {transform!r:.200}")
        self.fill_mask = fill_mask
        # The first image of the last call and what became of it, by the parameters for that.
        self._done: tuple[dict[str, Any], NDArray[Any], Sample] | None = None

    def to_dict_private(self) -> dict[str, Any]:
        """Return class name and parameters as JSON values."""
        own = {"transform": self.transform.to_dict(), "fill_mask": self.fill_mask}
        return {**super().to_dict_private(), **own}

    def update_transform_params(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Refuse calls without an image to look at."""
        if _first_image(data) is None:
            raise InputError(
                "handprep looks for hands in image=, images= or volume=, and this call gives none of them"
            )
        return dict(super().update_transform_params(params, data))

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Look for hands in the first image."""
        first = _first_image(data)
        assert first is not None  # see update_transform_params
        sample = self.transform.run(first)
        hands = hands_in_photo(sample)
        others = [key for key, kind in self._additional_targets.items() if kind == "image"]
        if any(data.get(key) is not None for key in (*STACKS, *others)):
            sample = apply_with(self.transform, first, hands)  # as all others, so that no rounding differs
        found = {"hands": _to_plain(hands), "shape": list(first.shape)}
        self._done = found, first, sample
        return found

    def apply(self, img: NDArray[Any], hands: Any, shape: Sequence[int], **params: Any) -> NDArray[Any]:
        """Return what became of an image."""
        check_fits(img.shape[:2], shape[:2], "an image")
        found, first, sample = self._done or (None, None, None)
        if found != {"hands": hands, "shape": list(shape)} or not np.array_equal(img, first):  # type: ignore[arg-type]
            sample = apply_with(self.transform, img, _from_plain(hands))
        return np.asarray(images.to_type_of(sample, img))  # type: ignore[arg-type]

    def _sample(self, hands: Any, shape: Sequence[int]) -> Sample:
        """Return what became of the first image; in a replay, of a black one of its size."""
        found = {"hands": hands, "shape": list(shape)}
        if self._done is None or self._done[0] != found:
            black = np.zeros(shape, np.uint8)
            self._done = found, black, apply_with(self.transform, black, _from_plain(hands))
        return self._done[2]

    def apply_to_mask(
        self, mask: NDArray[Any], hands: Any, shape: Sequence[int], **params: Any
    ) -> NDArray[Any]:
        """Return a mask as it lies in the result."""
        check_fits(mask.shape[:2], shape[:2], "a mask")
        sample = self._sample(hands, shape)
        if mask.ndim == 2:
            return moved_mask(sample, mask, outside=self.fill_mask)
        return np.moveaxis(moved_mask(sample, np.moveaxis(mask, -1, 0), outside=self.fill_mask), 0, -1)

    def apply_to_bboxes(
        self, bboxes: NDArray[Any], hands: Any, shape: Sequence[int], **params: Any
    ) -> NDArray[Any]:
        """Return boxes, as shares of width and height, as they lie in the result."""
        if len(bboxes) == 0:
            return bboxes
        sample = self._sample(hands, shape)
        moved = np.array(bboxes, dtype=np.float32)
        corners = moved_boxes(sample, moved[:, :4] * np.tile(shape[1::-1], 2))
        moved[:, :4] = corners / np.tile(sample.size, 2)
        return moved

    def apply_to_keypoints(
        self, keypoints: NDArray[Any], hands: Any, shape: Sequence[int], **params: Any
    ) -> NDArray[Any]:
        """Return key points as they lie in the result."""
        if len(keypoints) == 0:
            return keypoints
        sample = self._sample(hands, shape)
        moved = np.array(keypoints, dtype=np.float32)
        moved[:, :2] = sample.from_photo(moved[:, :2] + PIXEL_CENTRE) - PIXEL_CENTRE
        linear = geometry.invert(sample.to_source)[:, :2]
        angles = moved[:, ANGLE].astype(np.float64)
        across, down = linear @ [np.cos(angles), -np.sin(angles)]  # y goes down, angles go up
        moved[:, ANGLE] = np.arctan2(-down, across) % (2 * np.pi)
        moved[moved[:, ANGLE] >= 2 * np.pi, ANGLE] = 0  # as rounding may have it
        moved[:, SCALE] *= np.linalg.norm(linear, axis=0).max()
        return moved


STACKS = ("images", "volume", "volumes")  # which hold several images


def _first_image(data: dict[str, Any]) -> NDArray[Any] | None:
    """Return the image to look at, by the order in which albumentations takes the shape."""
    for key, levels in (("volume", 1), ("volumes", 2), ("image", 0), ("images", 1)):
        if (value := data.get(key)) is not None:
            for _ in range(levels):
                value = value[0]
            return np.asarray(value)
    return None


def _to_plain(hands: tuple[Hand, ...] | None) -> list[dict[str, Any]] | None:
    if hands is None:
        return None
    return [{f.name: np.asarray(getattr(hand, f.name)).tolist() for f in fields(hand)} for hand in hands]


def _from_plain(plain: list[dict[str, Any]] | None) -> tuple[Hand, ...] | None:
    return None if plain is None else tuple(Hand(**{**hand, "box": tuple(hand["box"])}) for hand in plain)
