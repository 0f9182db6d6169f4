"""The tiny YOLO network of examples/rendered-hands, and what is known of it."""

from __future__ import annotations

from tests.rendered import RENDERED

PATH = RENDERED / "hand-boxes.onnx"
SIZE = 160  # pixels on a side of its input
STRIDES = (32, 16)  # of its maps
ANCHORS = ((76, 100, 104, 92, 130, 134), (20, 26, 38, 42, 60, 70))  # of its maps: width, height, …
FINE_BOXES = 3 * (SIZE // 16) ** 2
BOXES = 3 * (SIZE // 32) ** 2 + FINE_BOXES
