"""Parameters and networks that would fail in the middle of a run are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handprep.detection.litert import LiteRTDetector
from handprep.detection.views import View
from handprep.errors import ImageError, InputError, ModelError
from handprep.sample import Hand, Sample
from handprep.segmentation.matte import HandMatte
from handprep.transforms.crop import HandCropper
from handprep.transforms.resize import ResizePad


@pytest.mark.parametrize(
    ("part", "parameters"),
    [
        (ResizePad, {"size": True}),
        (ResizePad, {"size": (8, True)}),
        (ResizePad, {"size": 8, "fill": True}),
        (ResizePad, {"size": 8, "fill": None}),
        (LiteRTDetector, {"max_hands": 1.5}),
        (LiteRTDetector, {"threads": True}),
        (HandMatte, {"fast": 2}),
        (HandMatte, {"threads": 1.5}),
        (View, {"light": 3}),
    ],
)
def test_a_number_of_another_kind_is_refused_at_once(part: Any, parameters: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=list(parameters)[-1]):
        part(**parameters)


def test_a_turned_crop_of_more_pixels_than_a_photo_may_have_is_refused() -> None:
    landmarks = np.random.default_rng(0).uniform(0, 4000, (21, 2)).astype(np.float32)
    hand = Hand(box=(0, 0, 4000, 4000), score=1.0, landmarks=landmarks)
    photo = Sample(image=np.zeros((4000, 4000, 3), np.uint8), hands=(hand,), source="hand.jpg")

    with pytest.raises(
        ImageError, match=r"crop of hand\.jpg would have .* pixels.* lower the margin \(now 10\)"
    ):
        HandCropper(upright=True, margin=10).apply(photo)


@pytest.mark.parametrize("content", [b"\x08\x08", b"", b"no network", b"\x08\x08\x12\x02\xff\xfe"])
def test_a_matting_network_that_is_none_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"mine\.onnx"):
        HandMatte(network=str(path)).segment(np.zeros((9, 9, 3), np.uint8), ())
