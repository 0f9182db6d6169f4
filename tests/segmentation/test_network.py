"""A matting network of one's own: what it must be, and what is said of one that is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handprep import geometry
from handprep.errors import ModelError
from handprep.segmentation import framing
from handprep.segmentation.matte import HandMatte
from tests.segmentation.cases import iou, one

onnx = pytest.importorskip("onnx", reason="makes networks with onnx, which handprep does not need")

from tests.detection.yolo_variants import network  # noqa: E402 - needs onnx

BYTES, FLOAT = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT
WINDOW = {"window": (BYTES, (1, 64, 64, 4))}
EVERYWHERE = np.ones((1, 64, 64), np.float32)


def test_it_may_have_a_window_of_any_size(tmp_path):
    sample = one("paper")
    toward = geometry.in_pixel_centres(framing.window(sample.hand, 64))
    answer = cv2.warpAffine(sample.alpha, toward, (64, 64))[None] / np.float32(255)
    file = network(tmp_path / "mine.onnx", inputs=WINDOW, outputs=[answer])
    alpha = HandMatte(network=str(file)).segment(sample.image, sample.hands)
    assert iou(alpha, sample.alpha) > 0.9


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"inputs": {}}, r"its inputs have shapes \[\]"),
        (
            {"inputs": {**WINDOW, "more": (FLOAT, (1,))}},
            r"its inputs have shapes \[\[1, 64, 64, 4\], \[1\]\]",
        ),
        ({"inputs": {"window": (BYTES, (1, 64, 64, 3))}}, r"\[\[1, 64, 64, 3\]\]"),
        ({"inputs": {"window": (BYTES, (1, 64, 32, 4))}}, r"\[\[1, 64, 32, 4\]\]"),
        ({"inputs": {"window": (BYTES, (1, "side", "side", 4))}}, "'side'"),
        ({"inputs": {"window": (BYTES, (64, 64, 4))}}, r"\[\[64, 64, 4\]\]"),
        ({"outputs": [EVERYWHERE[:, :32]]}, r"gave float32 \(1, 32, 64\)"),
        ({"outputs": [EVERYWHERE.astype(np.int64)]}, "gave int64"),
        ({"outputs": [EVERYWHERE * np.nan]}, r"not finite numbers of shape \(1, 64, 64\)"),
        ({"inputs": {"window": (FLOAT, (1, 64, 64, 4))}}, "failed"),
    ],
)
def test_one_of_another_kind_is_refused_with_its_path(made, problem, tmp_path):
    file = network(tmp_path / "mine.onnx", **{"inputs": WINDOW, "outputs": [EVERYWHERE], **made})
    sample = one("rock")
    with pytest.raises(ModelError, match=problem) as caught:
        HandMatte(network=str(file)).segment(sample.image, sample.hands)
    assert str(file) in str(caught.value)
