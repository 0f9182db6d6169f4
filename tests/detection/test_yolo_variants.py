"""Every layout that exporters and converters write gives the same boxes; networks of no layout say so."""

from __future__ import annotations

import numpy as np
import pytest

from handprep import images
from handprep.detection.yolo import YoloDetector
from handprep.errors import ModelError
from handprep.geometry import iou
from tests.detection import tiny_yolo
from tests.rendered import photos

onnx = pytest.importorskip("onnx", reason="makes networks with onnx, which handprep does not need")

from tests.detection import yolo_variants  # noqa: E402 - needs onnx
from tests.detection.yolo_variants import VARIANTS, network  # noqa: E402

FLOAT, BYTES, WHOLE = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8, onnx.TensorProto.INT64
LOOSE = {"half precision": (2.0, 0.01)}  # pixels of 480, score: 11 bits of a number up to 160
GREY = np.full((64, 64, 3), 114, np.uint8)


@pytest.fixture(scope="module")
def pictures():
    return [images.read(photo.path).image for photo in photos()[::3]]


@pytest.fixture(scope="module")
def expected(pictures):
    return [YoloDetector(tiny_yolo.PATH, confidence=0.1, max_hands=300).detect(image) for image in pictures]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_network_gives_the_same_boxes_in_every_layout(variant, pictures, expected, tmp_path):
    file = VARIANTS[variant](tmp_path / "hands.onnx")
    layout = "v5" if variant.startswith("v5") else None  # 375 rows of 6 could be boxes left of many
    detector = YoloDetector(file, confidence=0.1, max_hands=300, anchors=tiny_yolo.ANCHORS, layout=layout)
    pixels, points = LOOSE.get(variant, (0.01, 1e-4))
    for image, hands in zip(pictures, expected, strict=True):
        found = detector.detect(image)
        assert len(found) == len(hands)
        for hand in found:
            wanted = min(hands, key=lambda other: np.abs(np.subtract(other.box, hand.box)).max())
            np.testing.assert_allclose(hand.box, wanted.box, atol=pixels)
            assert hand.score == pytest.approx(wanted.score, abs=points)


def test_a_class_is_chosen_by_number_or_by_name(pictures, expected, tmp_path):
    file = yolo_variants.v8_of_two_classes(tmp_path / "hands.onnx")  # feet score half of what hands do
    assert any(expected)
    for image, hands in zip(pictures, expected, strict=True):
        by_name = YoloDetector(file, confidence=0.1, max_hands=300, classes=("hand",)).detect(image)
        by_number = YoloDetector(file, confidence=0.1, max_hands=300, classes=(1,)).detect(image)
        assert [h.box for h in by_name] == [h.box for h in by_number]
        assert len(by_name) == len(hands)
        assert YoloDetector(file, confidence=0.1, classes=("foot",)).detect(image) == ()


def test_a_network_without_names_takes_classes_by_number_only(pictures, tmp_path):
    file = yolo_variants.v8_nameless(tmp_path / "hands.onnx")
    assert YoloDetector(file, classes=(0,)).detect(pictures[1])
    assert YoloDetector(file, classes=(7,)).detect(pictures[1]) == ()
    with pytest.raises(ModelError, match="no class 'hand'; its file tells no names"):
        YoloDetector(file, classes=("hand",)).detect(pictures[1])


@pytest.mark.parametrize("size", [None, 160, (128, 192), 150])
def test_a_network_of_open_size_takes_any(pictures, tmp_path, size):
    file = yolo_variants.dynamic(tmp_path / "hands.onnx")
    detector = YoloDetector(file, size=size, anchors=tiny_yolo.ANCHORS)
    overlaps = []
    for image, photo in zip(pictures, photos()[::3], strict=True):
        hands = detector.detect(image)
        overlaps.append(iou(hands[0].box, photo.box) if hands else 0.0)
    assert np.median(overlaps) >= 0.6


def test_raw_maps_without_anchors_say_what_is_missing(pictures, tmp_path):
    file = yolo_variants.darknet_maps(tmp_path / "hands.onnx")
    with pytest.raises(ModelError, match=r"\(1, 18, 5, 5\), \(1, 18, 10, 10\), but .* give anchors="):
        YoloDetector(file).detect(pictures[0])
    with pytest.raises(ModelError, match="anchors are given for 1 maps, but it gives 2"):
        YoloDetector(file, anchors=tiny_yolo.ANCHORS[:1]).detect(pictures[0])


def table(*shape, value=0.0):
    return np.full(shape, value, np.float32)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"inputs": {}}, r"one input of float32.*it has none"),
        (
            {"inputs": {"a": (FLOAT, (1, 3, 64, 64)), "shape": (FLOAT, (1, 2))}},
            r"a: tensor\(float\) \[1, 3, 64, 64\], shape: ",
        ),
        ({"inputs": {"images": (WHOLE, (1, 3, 64, 64))}}, r"it has images: tensor\(int64\)"),
        ({"inputs": {"images": (FLOAT, (3, 64, 64))}}, r"it has images: tensor\(float\) \[3, 64, 64\]"),
        ({"inputs": {"images": (FLOAT, (1, 64, 64, 3))}}, r"\[1, 64, 64, 3\]: export it for one image"),
        ({"inputs": {"images": (BYTES, (4, 3, 64, 64))}}, r"\[4, 3, 64, 64\]: export it for one image"),
        (
            {"outputs": [table(1, 1000)]},
            r"shapes \(1, 1000\)\. Known layouts are 'v8': \(1, 4 \+ classes, boxes\)",
        ),
        ({"outputs": [table(4, 5, 84)]}, r"shapes \(4, 5, 84\)\. Known"),
        ({"outputs": [table(1, 5, 84), table(1, 5, 80)], "facts": {}}, None),
        ({"outputs": [table(1, 3, 8, 8, 6)]}, r"shapes \(1, 3, 8, 8, 6\)\. Known"),
        ({"outputs": [np.zeros((1, 5, 84), np.int64)]}, "floating-point numbers, not int64"),
        ({"outputs": [table(1, 5, 84, value=np.nan)]}, r"no number \(NaN\)"),
        ({"outputs": [table(1, 5, 84, value=np.inf)]}, "not finite"),
        ({"outputs": [table(1, 5)], "facts": {"task": "classify"}}, "a network for 'classify'"),
        ({"outputs": [table(1, 6, 84)], "facts": {"task": "obb"}}, "a network for 'obb'"),
    ],
)
def test_a_network_that_gives_no_boxes_from_one_picture_says_what_it_has(made, problem, tmp_path):
    file = network(tmp_path / "made.onnx", **{"outputs": [table(1, 5, 84)], **made})
    if problem is None:  # a second table is nothing that hinders
        assert YoloDetector(file).detect(GREY) == ()
        return
    with pytest.raises(ModelError, match=problem) as caught:
        YoloDetector(file).detect(GREY)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "facts",
    [
        {"names": "__import__('os').system('true')", "stride": "thirty-two", "imgsz": "[", "args": "nms"},
        {"names": "(" * 5000, "imgsz": "{}", "stride": "-1", "end2end": "maybe"},
        {"names": "x" * 200_000, "imgsz": "[160, 'wide']", "stride": "0.5"},
        {"names": "{'a': 1}", "imgsz": "[0, 0]", "stride": "[32]", "args": "[1]"},
    ],
)
@pytest.mark.parametrize(("sides", "scale"), [((64, 64), 1), (("height", "width"), 10)])  # of 640 pixels
def test_what_a_file_says_of_itself_is_never_run_and_may_be_nonsense(facts, sides, scale, tmp_path):
    boxes = table(1, 5, 84)
    boxes[0, :, 3] = 30, 20, 10, 8, 0.75
    inputs = {"images": (FLOAT, (1, 3, *sides))}
    file = network(tmp_path / "made.onnx", inputs=inputs, outputs=[boxes], facts=facts)
    (hand,) = YoloDetector(file).detect(GREY)
    assert np.multiply(hand.box, scale) == pytest.approx((25, 16, 35, 24))
    assert hand.score == 0.75


@pytest.mark.parametrize(
    ("facts", "count"),
    [({"args": "{'nms': True}"}, 2), ({"end2end": "True"}, 2), ({"args": "{'nms': False}"}, 0)],
)
def test_a_file_that_says_that_its_boxes_are_what_is_left_of_many_is_believed(facts, count, tmp_path):
    rows = table(1, 2000, 6)  # else, so many are those of all cells, with an objectness
    rows[0, :2] = 25, 16, 35, 24, 0.75, 0
    file = network(tmp_path / "made.onnx", outputs=[rows], facts=facts)
    assert [hand.box for hand in YoloDetector(file).detect(GREY)] == [(25, 16, 35, 24)] * count


@pytest.mark.parametrize("names", ["{0: 'foot', 1: 'hand'}", "['foot', 'hand']", "('foot', 'hand')"])
def test_the_names_of_the_classes_are_read_however_they_are_listed(names, tmp_path):
    boxes = table(1, 6, 84)
    boxes[0, :, 3] = 30, 20, 10, 8, 0.25, 0.75
    file = network(tmp_path / "made.onnx", outputs=[boxes], facts={"names": names})
    assert [len(YoloDetector(file, classes=(c,)).detect(GREY)) for c in ("hand", "foot")] == [1, 0]


def test_an_input_too_large_for_any_memory_is_refused(tmp_path):
    inputs = {"images": (FLOAT, (1, 3, "height", "width"))}
    facts = {"imgsz": "[100000, 64]"}
    file = network(tmp_path / "made.onnx", inputs=inputs, outputs=[table(1, 5, 84)], facts=facts)
    with pytest.raises(ModelError, match="64 x 100000"):
        YoloDetector(file).detect(GREY)


@pytest.mark.parametrize(("height", "width"), [(64, 128), (128, 64)])
def test_an_input_need_not_be_square(height, width, tmp_path):
    boxes = table(1, 5, 84)
    boxes[0, :, 3] = width / 2, height / 2, 10, 8, 0.75
    inputs = {"images": (FLOAT, (1, 3, height, width))}
    file = network(tmp_path / "made.onnx", inputs=inputs, outputs=[boxes])
    (hand,) = YoloDetector(file).detect(GREY)  # which lies in its middle
    assert hand.box == (27, 28, 37, 36)


def test_a_table_without_a_row_is_no_hand(tmp_path):
    file = network(tmp_path / "made.onnx", outputs=[table(1, 0, 6)])
    assert YoloDetector(file).detect(GREY) == ()


def test_boxes_are_cut_to_the_picture_and_those_outside_are_none(tmp_path):
    boxes = table(1, 5, 84)
    boxes[0, :, 3] = 2, 20, 10, 8, 0.75
    boxes[0, :, 9] = -50, 20, 10, 8, 0.9
    file = network(tmp_path / "made.onnx", outputs=[boxes])
    (hand,) = YoloDetector(file).detect(GREY)
    assert hand.box == (0, 16, 7, 24)


def test_an_error_of_the_runtimes_is_passed_on_with_the_file(tmp_path):
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Reshape", ["images", "shape"], ["out"])],
        "wrong",
        [onnx.helper.make_tensor_value_info("images", FLOAT, [1, 3, "height", "width"])],
        [onnx.helper.make_tensor_value_info("out", FLOAT, None)],
        [onnx.numpy_helper.from_array(np.array([1, 5, 7]), "shape")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "wrong.onnx")
    with pytest.raises(ModelError, match=r"wrong\.onnx.*failed on an input of float32 \(1, 3, 640, 640\)"):
        YoloDetector(tmp_path / "wrong.onnx").detect(GREY)
