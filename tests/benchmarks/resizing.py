"""Resize + pad + grey beside torchvision and albumentations, like with like.

All shrink with antialiasing: handprep and albumentations by OpenCV's area averaging, torchvision and Pillow
by a triangle filter. Each takes the kind of picture it was made for, and is compared with handprep given the
same.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import PIL.Image

from handprep.pipeline import Pipeline
from handprep.sample import Image
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.benchmarks.peers import PeerMissingError
from tests.benchmarks.timing import Contestant, Timing, grid, take_turns, with_skipped
from tests.images.any_torchvision import require_torchvision

SIZES = ((300, 200), (640, 480), (4000, 3000))
TARGETS = (64, 300)
LARGE = 1_000_000  # pixels from which a tenth of the rounds is enough
STEPS = ("resize + pad + grey", "resize + pad", "grey")
KINDS = ("array", "PIL", "tensor")
Steps = dict[str, Callable[[Any], object]]  # for each of STEPS


def compare(picture: Image, *, rounds: int, sizes: tuple[tuple[int, int], ...] = SIZES) -> str:
    """Return the table of all sizes, targets and steps, and the peers that are skipped."""
    makers: dict[str, tuple[str, Callable[[tuple[int, int], int], Steps]]] = {
        **{f"handprep, {kind}": (kind, _handprep) for kind in KINDS},
        "albumentations, array": ("array", _albumentations),
        "torchvision v2, PIL": ("PIL", _torchvision_v2),
        "torchvision v1, PIL": ("PIL", _torchvision_v1),
        "torchvision v2, tensor": ("tensor", _torchvision_v2),
        "torchvision v1, tensor": ("tensor", _torchvision_v1),
    }
    skipped = _unusable(makers)
    rows: dict[str, dict[str, Timing]] = {}
    for size in sizes:
        given = _of_each_kind(picture, size, tensor="handprep, tensor" in makers)
        for target in TARGETS:
            made = {name: (given[kind], make(size, target)) for name, (kind, make) in makers.items()}
            for step in STEPS if target == TARGETS[0] else STEPS[:2]:  # grey alone has no target
                to = "" if step == "grey" else f" → {target}"
                contestants = {name: _contestant(steps[step], kind) for name, (kind, steps) in made.items()}
                few = max(1, rounds // 10) if size[0] * size[1] > LARGE else rounds
                rows[f"{step}, {size[0]}×{size[1]}{to}"] = take_turns(contestants, rounds=few)
    ours = {name: f"handprep, {kind}" for name, (kind, _) in makers.items()}
    return with_skipped(grid(rows, list(makers), ours), skipped)


def _contestant(call: Callable[[Any], object], picture: Any) -> Contestant:
    return lambda _: call(picture)


def _of_each_kind(picture: Image, size: tuple[int, int], *, tensor: bool) -> dict[str, Any]:
    array = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    kinds: dict[str, Any] = {"array": array, "PIL": PIL.Image.fromarray(array)}
    if tensor:
        import torch

        kinds["tensor"] = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    return kinds


def _unusable(makers: dict[str, Any]) -> list[str]:
    """Take out what this environment has not, and return the reasons."""
    reasons = []
    try:
        _open_torchvision()
    except PeerMissingError as reason:
        reasons.append(f"torchvision and tensors ({reason})")
        for name in [name for name in makers if "torchvision" in name or "tensor" in name]:
            del makers[name]
    if find_spec("albumentations") is None:
        reasons.append("albumentations (not installed)")
        del makers["albumentations, array"]
    return reasons


def _open_torchvision() -> None:
    if find_spec("torch") is None or find_spec("torchvision") is None:
        raise PeerMissingError("not installed")
    require_torchvision()
    import torch

    torch.set_num_threads(1)


def _handprep(size: tuple[int, int], target: int) -> Steps:
    resize, grey = ResizePad(target), Greyscale()
    return dict(zip(STEPS, (Pipeline([resize, grey]), resize, grey), strict=True))


def _albumentations(size: tuple[int, int], target: int) -> Steps:
    import albumentations as a

    resize = [a.LongestMaxSize(target, interpolation=cv2.INTER_AREA), a.PadIfNeeded(target, target)]
    grey = a.ToGray(num_output_channels=1, p=1)
    steps = (a.Compose([*resize, grey]), a.Compose(resize), a.Compose([grey]))
    return {name: _by_keyword(step) for name, step in zip(STEPS, steps, strict=True)}


def _by_keyword(call: Callable[..., object]) -> Callable[[Any], object]:
    return lambda picture: call(image=picture)


def _torchvision_v2(size: tuple[int, int], target: int) -> Steps:
    from torchvision.transforms import v2

    resize = [v2.Resize(None, max_size=target), v2.CenterCrop(target)]  # which pads where it is larger
    return _composed(v2, resize)


def _torchvision_v1(size: tuple[int, int], target: int) -> Steps:
    from torchvision import transforms as v1

    scale = target / max(size)
    width, height = round(size[0] * scale), round(size[1] * scale)
    return _composed(v1, [v1.Resize((height, width), antialias=True), v1.CenterCrop(target)])


def _composed(transforms: Any, resize: list[Any]) -> Steps:
    grey = transforms.Grayscale()
    steps = (transforms.Compose([*resize, grey]), transforms.Compose(resize), grey)
    return dict(zip(STEPS, steps, strict=True))
