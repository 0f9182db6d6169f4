"""Pixels in torch tensors, without ever importing torch: who gives a tensor has imported it."""

import sys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.errors import InputError
from handprep.images import arrays
from handprep.sample import Sample


def is_tensor(value: Any) -> bool:
    """Tell whether a value is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_batch(value: Any) -> bool:
    """Tell whether a value is a tensor of several images, ``(..., C, H, W)``."""
    return is_tensor(value) and value.ndim >= 4 and (_is_tv("Image", value) or not _is_tv("TVTensor", value))


def unbatch(batch: Any) -> list[Any]:
    """Return the images of a batch on any device as ``(C, H, W)`` tensors of the CPU's memory."""
    plain = batch.detach().as_subclass(sys.modules["torch"].Tensor).cpu()  # all at once: one copy
    return list(plain.flatten(0, -4).unbind())


def from_tensor(tensor: Any) -> Sample:
    """Turn a ``(1, H, W)`` or ``(3, H, W)`` tensor into a sample of its own memory."""
    torch = sys.modules["torch"]
    shape = tuple(tensor.shape)
    if _is_tv("TVTensor", tensor) and not _is_tv("Image", tensor):
        raise InputError(f"an image is a tv_tensors.Image or a plain tensor, not {type(tensor).__name__}")
    if len(shape) != 3 or shape[0] not in (1, 3) or 0 in shape:
        raise InputError(f"an image tensor must be (1, H, W) or (3, H, W), not {shape}{_hint(shape)}")
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise InputError(f"an image tensor's numbers must be {arrays.ACCEPTED_DTYPES}, not {tensor.dtype}")
    planes = planes_of(tensor)
    depth = arrays.depth_of(planes)
    pixels = arrays.eight_bits(planes, depth)
    if shape[0] == 3 and pixels.strides[2] == 1:  # else channels are last in memory, so that it only copies
        merged = cv2.merge(list(pixels))  # many times as fast as numpy's transposing
        return arrays.sample_of(np.asarray(merged, np.uint8), None, depth)
    image = pixels[0] if shape[0] == 1 else pixels.transpose(1, 2, 0)
    return arrays.sample_of(np.array(image, order="C"), None, depth)


def planes_of(tensor: Any) -> NDArray[Any]:
    """Return a tensor's own numbers as ``(C, H, W)``, those of bfloat16 as float32."""
    plain = tensor.detach().as_subclass(sys.modules["torch"].Tensor).cpu()
    planes: NDArray[Any] = (plain.float() if plain.dtype == sys.modules["torch"].bfloat16 else plain).numpy()
    return planes


def like_batch(samples: Sequence[Sample], batch: Any) -> Any:
    """Give samples' images back as one ``(..., C, H, W)`` tensor, or raise InputError if sizes differ."""
    pixels = [arrays.channels_of(sample) for sample in samples]
    shapes = sorted({image.shape for image in pixels})
    if len(shapes) != 1:
        seen = f"{shapes[0]} and {shapes[-1]}" if shapes else "none at all"
        remedy = "let the pipeline end in ResizePad, or give one image at a time"
        raise InputError(f"a batch needs results of one shape, and these are {seen}: {remedy}")
    stack = np.stack([channels_first(image) for image in pixels])
    return tensor_like(stack.reshape(*batch.shape[:-3], *stack.shape[1:]), batch)


def channels_first(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``(H, W)`` or ``(H, W, C)`` as ``(C, H, W)``; OpenCV is faster at it than numpy."""
    planes = np.atleast_3d(pixels)
    separate = np.empty((planes.shape[2], *planes.shape[:2]), np.uint8)
    cv2.split(planes, list(separate))
    return separate


def tensor_like(pixels: NDArray[Any], given: Any) -> Any:
    """Return ``(..., C, H, W)`` as a tensor of the given one's class, dtype and device.

    The numbers are uint8, or already the given one's own.
    """
    torch = sys.modules["torch"]
    if pixels.dtype == np.uint8:
        name = "float32" if given.dtype == torch.bfloat16 else str(given.dtype).removeprefix("torch.")
        pixels = arrays.in_dtype(pixels, name)
    tensor = torch.from_numpy(pixels).to(given.device, given.dtype)
    return type(given)(tensor) if _is_tv("Image", given) else tensor


def _hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[2] in (1, 3, 4):
        return ". Channels last? Give a numpy array, or permute it with tensor.permute(2, 0, 1)"
    return {
        2: ". Give a grey image as tensor[None]",
        4: ". Of a batch, give one image at a time, or call the transform itself",
    }.get(len(shape), "")


def _is_tv(kind: str, tensor: Any) -> bool:
    tv_tensors = sys.modules.get("torchvision.tv_tensors")
    return tv_tensors is not None and isinstance(tensor, getattr(tv_tensors, kind))
