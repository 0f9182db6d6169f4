"""Darknet networks as ONNX: what OpenCV 4 reads out of the same files, and what is no such file."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from handprep.detection.yolo import YoloDetector
from handprep.detection.yolo_network import LAYOUTS, Facts
from tests.examples.darknet import CFG, SIZE, picture, weights

onnx = pytest.importorskip("onnx", reason="the converter needs onnx, which handprep does not")

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "darknet_to_onnx.py"
RECORDED = Path(__file__).with_name("darknet-opencv-4.12.0.json")
LEAST = 0.2  # OpenCV gives smaller class scores as 0


@pytest.fixture(scope="module")
def converter():
    spec = importlib.util.spec_from_file_location("darknet_to_onnx", SCRIPT)
    module = sys.modules["darknet_to_onnx"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["darknet_to_onnx"]


@pytest.fixture(scope="module")
def rows(converter):
    """What the converted network says to the picture, in OpenCV's order and units."""
    import onnxruntime

    session = onnxruntime.InferenceSession(converter.converted(CFG, weights()))
    tensor = picture().transpose(2, 0, 1)[None].astype(np.float32) / 255
    (table,) = session.run(None, {"images": tensor})
    coarse, fine = table[0, :32], table[0, 32:]
    by_cell = [part.reshape(2, -1, 7).transpose(1, 0, 2).reshape(-1, 7) for part in (coarse, fine)]
    found = np.concatenate(by_cell)
    found[:, :4] /= SIZE
    found[:, 5:] *= found[:, 4:5]
    found[:, 5:][found[:, 5:] < LEAST] = 0
    return found


def assert_alike(rows, expected):
    unsure = np.abs(np.where(rows[:, 5:] > 0, rows[:, 5:], expected[:, 5:]) - LEAST) < 1e-4
    assert not unsure.any()  # else the threshold would have to decide
    np.testing.assert_allclose(rows, expected, atol=1e-5)  # float32, other orders of addition


def test_the_network_says_what_opencv_recorded(rows):
    recorded = json.loads(RECORDED.read_text())
    assert_alike(rows[recorded["rows"]], np.array(recorded["values"]))


@pytest.mark.peer
@pytest.mark.skipif(not hasattr(cv2.dnn, "readNetFromDarknet"), reason="OpenCV 5 reads no Darknet files")
def test_the_network_says_what_opencv_says(rows):
    network = cv2.dnn.readNetFromDarknet(
        np.frombuffer(CFG.encode(), np.uint8), np.frombuffer(weights(), np.uint8)
    )
    network.setInput(cv2.dnn.blobFromImage(picture(), 1 / 255, (SIZE, SIZE)))
    assert_alike(rows, np.concatenate(network.forward(network.getUnconnectedOutLayersNames())))


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "hands.cfg").write_text(CFG)
    (tmp_path / "hands.weights").write_bytes(weights())
    return tmp_path / "hands.cfg", tmp_path / "hands.weights", tmp_path / "hands.onnx"


@pytest.mark.slow
def test_a_converted_network_is_a_detector(files, rows):
    done = run(*files, "--name", "hand", "--name", "foot")
    assert done.returncode == 0, done.stderr
    best = rows[:, 5:].max(1).max()
    hands = YoloDetector(files[2], confidence=0.2, fit="stretch", max_hands=1).detect(picture())
    assert hands[0].score == pytest.approx(best, abs=1e-5)
    row = rows[rows[:, 5:].max(1).argmax()]
    box = SIZE * np.array([*(row[:2] - row[2:4] / 2), *(row[:2] + row[2:4] / 2)])
    np.testing.assert_allclose(hands[0].box, np.clip(box, 0, SIZE), atol=1e-3)
    assert YoloDetector(files[2], confidence=0.2, classes=["hand"]).detect(picture())


def test_the_input_may_have_another_size(converter):
    import onnxruntime

    session = onnxruntime.InferenceSession(converter.converted(CFG, weights(), size=96))
    (table,) = session.run(None, {"images": np.zeros((1, 3, 96, 96), np.float32)})
    assert table.shape == (1, 2 * (36 + 144), 7)
    found = LAYOUTS["v5"].decode([table], Facts(size=(96, 96)))
    centres = (found[:, :2] + found[:, 2:4]) / 2
    assert centres.max() > 80


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda cfg, data: (cfg, data[:-4]), "ends too early"),
        (lambda cfg, data: (cfg, data + bytes(8)), "2 numbers of the .weights file are left"),
        (lambda cfg, data: (cfg.replace("[upsample]", "[lstm]"), data), r"layer 15 is \[lstm\]"),
        (lambda cfg, data: (cfg.replace("mish", "elu"), data), "layer 2 has activation=elu"),
        (lambda cfg, data: (cfg.replace("from=9", "from=99"), data), "layer 16 names the layer 99"),
        (lambda cfg, data: (cfg.replace("from=9", "from=2"), data), "a map of another size"),
        (
            lambda cfg, data: (cfg.replace("classes=2", "classes=3"), data),
            "14 filters are not 2 anchors of 8",
        ),
        (lambda cfg, data: (cfg.partition("[yolo]")[0], data), "numbers of the .weights file are left"),
        (lambda cfg, data: ("a letter to a friend", data), "no line of a Darknet .cfg"),
        (lambda cfg, data: (cfg.replace("layers=-1\n", ""), data), r"a \[route\] has no layers"),
        (lambda cfg, data: ("", data), r"begins with \[net\]"),
    ],
)
def test_files_that_do_not_fit_are_told(converter, change, problem):
    with pytest.raises(converter.ConversionError, match=problem):
        converter.converted(*change(CFG, weights()))


@pytest.mark.slow
def test_the_command_says_what_is_wrong_in_a_line(files):
    files[1].write_bytes(b"\0" * 100)
    done = run(*files)
    assert done.returncode == 1
    assert re.fullmatch(r"darknet_to_onnx: the .weights file ends too early: .*\n", done.stderr)
    assert not files[2].exists()
