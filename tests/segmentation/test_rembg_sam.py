"""SAM is told which hand is meant: rembg's own session, on networks that only show what they were told.

The real networks have some 400 MB and are not fetched for tests. So what is tested here is the prompt and its
way through rembg, and not how good SAM's masks are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handprep import geometry
from handprep.segmentation.rembg import RembgSegmenter
from tests.segmentation.cases import one

onnx = pytest.importorskip("onnx", reason="needs onnx, which is optional")

SEEN = (684, 1024)  # height and width of what rembg shows SAM
SPOT = 12.0  # pixels around each point that the network marks
POINT, CORNERS = 1, {2, 3}  # labels of points and of a box's corners


def encoder():
    """A network whose embedding is the picture's size alone: (height, width, 3) in, (1, 256, 64, 64) out."""
    given = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [*SEEN, 3])
    out = onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, [1, 1, 1, 1])
    shape = onnx.numpy_helper.from_array(np.array([1, 1, 1, 1]), "shape")
    nodes = [
        onnx.helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        onnx.helper.make_node("Reshape", ["mean", "shape"], ["embedding"]),
    ]
    return onnx.helper.make_graph(nodes, "encoder", [given], [out], [shape])


def decoder():
    """A network that marks a square around each point of label 1, in pixels of what it is shown."""
    kind, make = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
    given = [
        make("image_embeddings", kind, [1, 1, 1, 1]),
        make("point_coords", kind, [1, "n", 2]),
        make("point_labels", kind, [1, "n"]),
        make("mask_input", kind, [1, 1, 256, 256]),
        make("has_mask_input", kind, [1]),
        make("orig_im_size", kind, [2]),
    ]
    outs = [make("masks", kind, [1, 1, *SEEN]), make("iou", kind, [1]), make("low", kind, [1])]
    height, width = SEEN
    constants = {
        "xs": np.arange(width, dtype=np.float32).reshape(1, 1, 1, width),
        "ys": np.arange(height, dtype=np.float32).reshape(1, 1, height, 1),
        "size": np.float32(SPOT),
        "one": np.float32(POINT),
        "as_column": np.array([1, -1, 1, 1]),
        "first": np.array(0),
        "second": np.array(1),
        "points": np.array([1]),
    }
    node = onnx.helper.make_node
    nodes = [
        node("Gather", ["point_coords", "first"], ["px"], axis=2),
        node("Gather", ["point_coords", "second"], ["py"], axis=2),
        node("Reshape", ["px", "as_column"], ["px4"]),
        node("Reshape", ["py", "as_column"], ["py4"]),
        node("Sub", ["xs", "px4"], ["dx"]),
        node("Sub", ["ys", "py4"], ["dy"]),
        node("Abs", ["dx"], ["ax"]),
        node("Abs", ["dy"], ["ay"]),
        node("Max", ["ax", "ay"], ["far"]),
        node("Sub", ["size", "far"], ["near"]),
        node("Equal", ["point_labels", "one"], ["chosen"]),
        node("Cast", ["chosen"], ["chosen_float"], to=kind),
        node("Reshape", ["chosen_float", "as_column"], ["chosen4"]),
        node("Mul", ["near", "chosen4"], ["kept"]),
        node("ReduceMax", ["kept", "points"], ["masks"], keepdims=1),
        node("Identity", ["has_mask_input"], ["iou"]),
        node("Identity", ["has_mask_input"], ["low"]),
    ]
    values = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return onnx.helper.make_graph(nodes, "decoder", given, outs, values)


@pytest.fixture
def sam(tmp_path, monkeypatch):
    """rembg's session of SAM, on these networks."""
    from rembg.sessions.sam import SamSession

    paths = []
    for part in (encoder, decoder):
        network = onnx.helper.make_model(
            part(), opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9
        )
        onnx.checker.check_model(network)
        paths.append(str(tmp_path / f"{part.__name__}.onnx"))
        onnx.save(network, paths[-1])
    monkeypatch.setattr(SamSession, "download_models", classmethod(lambda *_, **__: tuple(paths)))
    return RembgSegmenter(model="sam")


def test_every_landmark_is_a_point_to_sam(sam):
    sample = one("paper")
    alpha = sam.segment(sample.image, sample.hands)
    x, y = sample.hand.landmarks.astype(int).T
    assert (alpha[y, x] == 255).all()
    assert 0.005 < np.mean(alpha > 0) < 0.2  # and little else is


def test_of_two_hands_each_is_asked_for(sam):
    first, second = one("paper"), one("scissors", 1)
    picture = np.hstack([first.image, second.image])
    other = second.hand.transformed(geometry.translation(first.size[0], 0))
    both = sam.segment(picture, (first.hand, other))
    for hand in (first.hand, other):
        x, y = hand.landmarks.astype(int).T
        assert (both[y, x] == 255).all()
    alone = sam.segment(picture, (first.hand,))
    x, y = other.landmarks.astype(int).T
    assert not alone[y, x].any()


def test_a_hand_without_landmarks_is_a_box_to_sam(sam):
    sample = one("paper")
    boxed = replace(sample.hand, landmarks=None)
    assert not sam.segment(sample.image, (boxed,)).any()  # this network marks points alone
