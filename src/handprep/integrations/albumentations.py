"""handprep's transforms as albumentations': a picture, its boxes, key points and masks move together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep import geometry, images
from handprep.errors import InputError
from handprep.integrations.moving import check_size, moved_boxes, moved_mask, moved_points
from handprep.missing import missing_extra
from handprep.sample import Sample
from handprep.transforms.base import Transform

try:
    from albumentations import DualTransform
    from albumentations.core.type_definitions import Targets
except ImportError as error:
    raise missing_extra("albumentations", "albumentations", error) from error

PIXEL_CENTRE = 0.5  # albumentations' key points count pixel centres, its boxes and handprep pixel corners
ANGLE, SCALE = 3, 4  # columns of its key points, after x, y, z


class PrepareHands(DualTransform):  # type: ignore[misc]  # mypy does not follow albumentations
    """A transform or `Pipeline` as a transform of albumentations.

    It is run on ``image``; what it did to that (crop, turn, mirror, resize) is done to ``mask``,
    ``masks``, ``bboxes`` and ``keypoints``, and to additional targets of these kinds.

    Parameters
    ----------
    transform
        The transform or pipeline; or what its ``to_dict()`` returns, as ``albumentations.load`` gives it.
    p
        Probability, 0 to 1, that it is applied.

    Raises
    ------
    InputError
        If `transform` is neither. When called: if there is no ``image``, or a second picture in any
        form, or a mask has another size. Errors of the transform itself go through as they are.

    Notes
    -----
    The picture is ``(H, W, 3)`` RGB, uint8 or float32 from 0 to 1, which is worked on in 8 bits. It comes
    back of the same dtype; grey as ``(H, W)``, as from ``albumentations.ToGray(1)``.

    Masks ``(H, W)`` or ``(H, W, C)`` are sampled at the nearest pixel, and are 0 outside of the photo. A
    box becomes the smallest one around itself. Key points count pixel centres, as in albumentations: for
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

    _targets = (Targets.IMAGE, Targets.MASK, Targets.BBOXES, Targets.KEYPOINTS)

    def __init__(self, transform: Transform | dict[str, Any], p: float = 1.0) -> None:
        super().__init__(p=p)
        self.transform = Transform.from_dict(transform) if isinstance(transform, dict) else transform
        if not isinstance(self.transform, Transform):
            raise InputError(f"transform must be a handprep transform or Pipeline, not {transform!r:.200}")

    def to_dict_private(self) -> dict[str, Any]:
        """Return class name and parameters as JSON values."""
        return {**super().to_dict_private(), "transform": self.transform.to_dict()}

    def update_transform_params(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Refuse calls without a picture to look at."""
        if data.get("image") is None:
            raise InputError("handprep looks for hands in image=, which this call does not give")
        return dict(super().update_transform_params(params, data))

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Run the transform on the picture."""
        return {"picture": data["image"], "sample": self.transform.run(data["image"])}

    def apply(self, img: NDArray[Any], picture: NDArray[Any], sample: Sample, **params: Any) -> NDArray[Any]:
        """Return what became of the picture."""
        if img is not picture and not np.array_equal(img, picture):  # copied, or another one?
            raise InputError(ONE_PICTURE)
        return np.asarray(images.like(sample, img))

    def apply_to_images(self, images: NDArray[Any], *args: Any, **params: Any) -> NDArray[Any]:
        """Refuse what is not one picture."""
        raise InputError(ONE_PICTURE)

    apply_to_volume = apply_to_volumes = apply_to_mask3d = apply_to_masks3d = apply_to_images

    def apply_to_mask(
        self, mask: NDArray[Any], sample: Sample, shape: tuple[int, ...], **params: Any
    ) -> NDArray[Any]:
        """Return a mask as it lies in the result."""
        check_size(mask.shape[:2], (shape[0], shape[1]), "a mask")
        if mask.ndim == 2:
            return moved_mask(sample, mask)
        return np.moveaxis(moved_mask(sample, np.moveaxis(mask, -1, 0)), 0, -1)

    def apply_to_bboxes(
        self, bboxes: NDArray[Any], sample: Sample, shape: tuple[int, ...], **params: Any
    ) -> NDArray[Any]:
        """Return boxes, as shares of width and height, as they lie in the result."""
        if len(bboxes) == 0:
            return bboxes
        moved = np.array(bboxes, dtype=np.float32)
        corners = moved_boxes(sample, moved[:, :4] * np.tile(shape[1::-1], 2))
        moved[:, :4] = corners / np.tile(sample.size, 2)
        return moved

    def apply_to_keypoints(self, keypoints: NDArray[Any], sample: Sample, **params: Any) -> NDArray[Any]:
        """Return key points as they lie in the result."""
        if len(keypoints) == 0:
            return keypoints
        moved = np.array(keypoints, dtype=np.float32)
        moved[:, :2] = moved_points(sample, moved[:, :2] + PIXEL_CENTRE) - PIXEL_CENTRE
        linear = geometry.invert(sample.to_source)[:, :2]
        angles = moved[:, ANGLE].astype(np.float64)
        across, down = linear @ [np.cos(angles), -np.sin(angles)]  # y goes down, angles go up
        moved[:, ANGLE] = np.arctan2(-down, across) % (2 * np.pi)
        moved[moved[:, ANGLE] >= 2 * np.pi, ANGLE] = 0  # as rounding may have it
        moved[:, SCALE] *= np.linalg.norm(linear, axis=0).max()
        return moved


ONE_PICTURE = (
    "handprep looks for hands in one picture a call; a second one, a volume or a replay on another picture "
    "cannot be cropped by what it found there. Give each picture a call of its own. A map of the same "
    "picture, such as depth, goes as a mask: additional_targets={'depth': 'mask'}"
)
