"""Boxes out of a network's numbers: which layout they have, what they say, and which of them are left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handprep.detection.yolo import suppress
from handprep.detection.yolo_network import LAYOUTS, Facts, anchors_problem, recognised

ONE = {"classes": 1}
NMS = {"suppressed": True}


@pytest.mark.parametrize(
    ("shapes", "side", "facts", "layout"),
    [
        ([(1, 5, 8400)], 640, ONE, "v8"),
        ([(1, 5, 8400)], 640, {}, "v8"),
        ([(1, 5, 1)], 32, ONE, "v8"),  # a single box
        ([(1, 84, 8400)], 640, {}, "v8"),
        ([(1, 84, 21)], 32, {"classes": 80}, "v8"),
        ([(1, 68, 8400)], 640, ONE, "v8"),  # key points
        ([(1, 37, 8400), (1, 32, 160, 160)], 640, ONE, "v8"),  # masks
        ([(1, 25200, 6)], 640, ONE, "v5"),
        ([(1, 25200, 6)], 640, {}, "v5"),
        ([(1, 25200, 85)], 640, {}, "v5"),
        ([(1, 102000, 6)], 1280, {}, "v5"),  # four maps
        ([(1, 2535, 6)], 416, {}, "v5"),  # Darknet, tiny
        ([(1, 507, 6), (1, 2028, 6)], 416, {}, "v5"),  # scale by scale
        ([(1, 25200, 6), (1, 3, 80, 80, 6), (1, 3, 40, 40, 6)], 640, {}, "v5"),  # with its raw maps
        ([(1, 300, 6)], 640, {}, "nms"),
        ([(1, 300, 6)], 640, ONE, "nms"),
        ([(1, 1000, 6)], 640, {}, "nms"),
        ([(1, 300, 6)], 640, NMS, "nms"),
        ([(1, 25200, 6)], 640, NMS, "nms"),
        ([(1, 0, 6)], 640, {}, "nms"),
        ([(1, 3, 6)], 640, {}, "nms"),
        ([(1, 300, 69)], 640, NMS | ONE, "nms"),  # with key points
        ([(1, 2535, 1, 4), (1, 2535, 1)], 416, {}, "darknet-boxes"),
        ([(1, 18, 13, 13), (1, 18, 26, 26)], 416, {}, "darknet-maps"),
        ([(1, 255, 13, 13)], 416, {}, "darknet-maps"),
        ([(1, 6, 13, 13)], 416, {}, "darknet-maps"),  # one anchor of one class
        ([(1, 4, 8400)], 640, {}, None),
        ([(1, 1000)], 224, {}, None),
        ([(1, 21, 4)], 32, {}, None),
        ([(1, 64, 20, 20), (1, 1, 20, 20)], 160, {}, None),
        ([(1, 3, 80, 80, 6)], 640, {}, None),
        ([(300, 4), (300,)], 640, {}, None),
    ],
)
def test_a_layout_is_known_by_its_shapes(shapes, side, facts, layout):
    assert recognised(shapes, Facts(size=(side, side), **facts)) == layout


def logit(share):
    return np.log(share / (1 - share))


@given(
    centre=st.tuples(st.floats(0.01, 12.99), st.floats(0.01, 12.99)),
    size=st.tuples(st.floats(4, 400), st.floats(4, 400)),
    anchor=st.integers(0, 2),
    objectness=st.floats(0.3, 0.99),
)
def test_a_box_put_into_a_raw_map_is_read_from_it(centre, size, anchor, objectness):
    anchors = (81, 82, 135, 169, 344, 319)
    (column, row), (width, height) = centre, size
    x, y = int(column), int(row)
    inside = np.clip([column - x, row - y], 1e-3, 1 - 1e-3)
    raw = np.zeros((3, 6, 13, 13), np.float32)
    raw[:, 4] = -9
    raw[anchor, :2, y, x] = logit(inside)
    raw[anchor, 2:4, y, x] = np.log(np.array([width, height]) / anchors[2 * anchor : 2 * anchor + 2])
    raw[anchor, 4:, y, x] = logit(objectness), 9
    facts = Facts(size=(416, 416), anchors=(anchors,))
    found = LAYOUTS["darknet-maps"].decode([raw.reshape(1, 18, 13, 13)], facts)
    best = found[:, 4].argmax()
    assert found[best, 4] == pytest.approx(objectness, abs=1e-3)
    centre = 32 * (np.array([x, y]) + inside)
    half = np.array([width, height]) / 2
    np.testing.assert_allclose(found[best, :4], [*(centre - half), *(centre + half)], atol=0.05)


def test_scores_are_objectness_times_class_and_the_best_class_counts():
    row = [50, 40, 20, 10, 0.5, 0.1, 0.8, 0.3]
    table = np.array([[[*row], [60, 60, 4, 4, 0.9, 0.2, 0.1, 0.6]]], np.float32)
    found = LAYOUTS["v5"].decode([table], Facts(size=(160, 160)))
    np.testing.assert_allclose(found[:, :4], [[40, 35, 60, 45], [58, 58, 62, 62]])
    np.testing.assert_allclose(found[:, 4], [0.4, 0.54])
    assert found[:, 5].tolist() == [1, 2]


def test_what_follows_the_classes_is_no_score():
    key_points = [70.0, 80.0, 0.99]
    box = [50.0, 40.0, 20.0, 10.0]
    facts = Facts(size=(160, 160), classes=2)
    anchor_free = np.array([[[*box, 0.3, 0.6, *key_points]]], np.float32).transpose(0, 2, 1)
    with_objectness = np.array([[[*box, 0.5, 0.3, 0.6, *key_points]]], np.float32)
    for name, table, score in (("v8", anchor_free, 0.6), ("v5", with_objectness, 0.3)):
        found = LAYOUTS[name].decode([table], facts)
        np.testing.assert_allclose(found[:, 4], [score])
        np.testing.assert_allclose(found[:, :4], [[40, 35, 60, 45]])
        assert found[:, 5].tolist() == [1]


def test_the_score_of_a_raw_map_is_objectness_times_the_best_class():
    raw = np.full((1, 7, 1, 1), -20, np.float32)
    raw[0, 4:, 0, 0] = logit(np.array([0.8, 0.3, 0.5]))
    found = LAYOUTS["darknet-maps"].decode([raw], Facts(size=(32, 32), anchors=((10, 10),)))
    np.testing.assert_allclose(found[:, 4], [0.4], rtol=1e-5)
    assert found[:, 5].tolist() == [1]


def test_shares_of_the_input_become_pixels_of_it():
    table = np.array([[[0.5, 0.25, 0.2, 0.1, 1, 1]]], np.float32)
    found = LAYOUTS["v5"].decode([table], Facts(size=(200, 100)))
    np.testing.assert_allclose(found[:, :4], [[80, 20, 120, 30]], rtol=1e-6)


@pytest.mark.parametrize(
    ("anchors", "problem"),
    [
        (None, "give anchors="),
        (((10, 14),), "for 1 maps, but it gives 2"),
        (((10, 14) * 4, (10, 14) * 4), "18 channels are not 4 anchors"),
        (((10, 14) * 6, (10, 14) * 6), "18 channels are not 6 anchors"),  # no room for a class
    ],
)
def test_anchors_that_do_not_belong_to_the_maps_are_told(anchors, problem):
    assert problem in anchors_problem([(1, 18, 13, 13), (1, 18, 26, 26)], anchors)


def test_anchors_that_belong_to_the_maps_are_no_problem():
    anchors = (81, 82, 135, 169, 344, 319), (23, 27, 37, 58, 81, 82)
    assert anchors_problem([(1, 18, 13, 13), (1, 18, 26, 26)], anchors) is None
    assert anchors_problem([(1, 18, 13, 13)], anchors[:1]) is None


def iou(boxes):
    """Return the IoU of each two boxes ``(N, 4)``, in double precision."""
    boxes = boxes.astype(np.float64)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return both / (areas[:, None] + areas[None] - both)


@st.composite
def candidates(draw):
    count = draw(st.integers(0, 30))
    numbers = draw(arrays.arrays(np.float32, (count, 4), elements=st.floats(0, 100, width=32)))
    boxes = np.concatenate([numbers[:, :2], numbers[:, :2] + 1 + numbers[:, 2:]], axis=1)
    scores = draw(arrays.arrays(np.float32, count, elements=st.floats(0.015625, 1, width=32), unique=True))
    classes = draw(arrays.arrays(np.int64, count, elements=st.integers(0, 2)))
    return np.column_stack([boxes, scores, classes]).astype(np.float32)


@given(found=candidates(), overlap=st.floats(0.05, 0.95))
def test_what_is_left_is_the_best_of_each_crowd(found, overlap):
    kept = suppress(found, overlap)
    assert (np.diff(kept[:, 4]) <= 0).all()
    for number in np.unique(found[:, 5]):
        same = kept[kept[:, 5] == number, :4]
        crowded = iou(same) - np.eye(len(same))
        assert (crowded <= overlap + 1e-5).all()  # none that overlap are left
        for *box, score, _ in found[found[:, 5] == number]:
            better = kept[(kept[:, 5] == number) & (kept[:, 4] >= score), :4]
            nearest = iou(np.vstack([box, better]))[0, 1:]
            assert nearest.max() >= overlap - 1e-5  # each is left, or a better one is in its place


def test_boxes_of_different_classes_do_not_suppress_each_other():
    box = [0, 0, 10, 10]
    found = np.array([[*box, 0.5, 0], [*box, 0.9, 1], [*box, 0.7, 1]], np.float32)
    assert suppress(found, 0.5)[:, 4].tolist() == pytest.approx([0.9, 0.5])


def test_what_is_suppressed_already_is_only_sorted():
    found = np.array([[0, 0, 10, 10, 0.5, 0], [0, 0, 10, 10, 0.9, 0]], np.float32)
    assert suppress(found, 1.0)[:, 4].tolist() == pytest.approx([0.9, 0.5])
