"""Convert a Darknet network (``.cfg`` and ``.weights``) to ONNX, for handprep's YoloDetector.

    pip install onnx
    python examples/darknet_to_onnx.py hands.cfg hands.weights hands.onnx [--size 416] [--name hand]

Reads YOLO v3 and v4 networks, tiny ones and those with partial shortcuts (PRN) among them. The [yolo]
layers become part of the network: its output is ``(1, boxes, 5 + classes)``, with centre and size in
pixels of the input, objectness, and classes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

OPSET = 13
EPSILON = 1e-6  # added to the variance when a layer's batch normalisation is made part of its weights


class ConversionError(Exception):
    """A file is not what it should be, or uses a layer that is not known here."""


@dataclass(frozen=True)
class Section:
    """One [section] of a .cfg file."""

    kind: str
    options: dict[str, str] = field(default_factory=dict)

    def whole(self, key: str, default: int) -> int:
        """Return an option that is a whole number."""
        return int(self.options.get(key, default))

    def numbers(self, key: str) -> list[float]:
        """Return an option that is a list of numbers."""
        if key not in self.options:
            raise ConversionError(f"a [{self.kind}] has no {key}")
        return [float(number) for number in self.options[key].split(",")]


def parse(text: str) -> list[Section]:
    """Return the sections of a .cfg file, in order."""
    sections: list[Section] = []
    for whole in text.splitlines():
        line = whole.partition("#")[0].partition(";")[0].strip()
        if line.startswith("["):
            sections.append(Section(line.strip("[]")))
        elif line:
            key, equals, value = line.partition("=")
            if not equals or not sections:
                raise ConversionError(f"this is no line of a Darknet .cfg: {line!r}")
            sections[-1].options[key.strip()] = value.strip()
    if not sections or sections[0].kind not in ("net", "network"):
        raise ConversionError("a Darknet .cfg begins with [net]")
    return sections


class Weights:
    """The numbers of a .weights file, taken one layer after the other."""

    def __init__(self, data: bytes) -> None:
        major, minor = np.frombuffer(data, "<i4", 2)
        wide = major * 10 + minor >= 2 and major < 1000 and minor < 1000
        self._numbers = np.frombuffer(data, "<f4", offset=20 if wide else 16)
        self._taken = 0

    def take(self, *shape: int) -> NDArray[np.float32]:
        """Return the next numbers, as an array of the given shape."""
        count = int(np.prod(shape))
        if self._taken + count > len(self._numbers):
            raise ConversionError(
                "the .weights file ends too early: it belongs to another .cfg, or is damaged"
            )
        self._taken += count
        return self._numbers[self._taken - count : self._taken].reshape(shape)

    def end(self) -> None:
        """Make sure that all numbers are taken."""
        if left := len(self._numbers) - self._taken:
            raise ConversionError(f"{left} numbers of the .weights file are left: it belongs to another .cfg")


@dataclass(frozen=True)
class Output:
    """What a layer gives: the name of a tensor (1, channels, rows, columns)."""

    name: str
    channels: int
    rows: int
    columns: int


class Converter:
    """Makes ONNX nodes of sections."""

    def __init__(self, net: Section, weights: Weights, size: int | None) -> None:
        self.width = size or net.whole("width", 416)
        self.height = size or net.whole("height", 416)
        self.layers: list[Output] = []
        self.boxes: list[str] = []
        self.classes = 0
        self.nodes: list[object] = []
        self.constants: list[object] = []
        self._weights = weights
        self._input = Output("images", net.whole("channels", 3), self.height, self.width)
        self._convert: dict[str, Callable[[Section, Output], Output]] = {
            "convolutional": self._convolutional,
            "maxpool": self._maxpool,
            "route": self._route,
            "shortcut": self._shortcut,
            "upsample": self._upsample,
            "dropout": lambda section, last: last,
            "yolo": self._yolo,
        }

    def add(self, section: Section) -> None:
        """Add the layer of the next section."""
        if section.kind not in self._convert:
            raise ConversionError(f"layer {len(self.layers)} is [{section.kind}], which is not known here")
        last = self.layers[-1] if self.layers else self._input
        self.layers.append(self._convert[section.kind](section, last))

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add an ONNX node and return its output's name."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*inputs], [name], name=name, **attributes))
        return name

    def constant(self, values: object, dtype: type) -> str:
        """Add an array to the file and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def floats(self, values: object) -> str:
        """Add an array of float32."""
        return self.constant(values, np.float32)

    def whole(self, *values: int) -> str:
        """Add an array of whole numbers."""
        return self.constant(values, np.int64)

    def _activated(self, name: str, section: Section) -> str:
        kind = section.options.get("activation", "linear")
        if kind == "leaky":
            return self.node("LeakyRelu", name, alpha=0.1)
        if kind == "mish":
            return self.node("Mul", name, self.node("Tanh", self.node("Softplus", name)))
        if kind == "swish":
            return self.node("Mul", name, self.node("Sigmoid", name))
        simple = {"relu": "Relu", "logistic": "Sigmoid"}
        if kind in simple:
            return self.node(simple[kind], name)
        if kind != "linear":
            raise ConversionError(f"layer {len(self.layers)} has activation={kind}, which is not known here")
        return name

    def _convolutional(self, section: Section, last: Output) -> Output:
        filters, size = section.whole("filters", 1), section.whole("size", 1)
        stride, groups = section.whole("stride", 1), section.whole("groups", 1)
        pad = size // 2 if section.whole("pad", 0) else section.whole("padding", 0)
        bias, scale = self._weights.take(filters), np.ones(filters, np.float32)
        if section.whole("batch_normalize", 0):
            scale, mean, variance = (self._weights.take(filters) for _ in range(3))
            scale = scale / np.sqrt(variance + EPSILON)
            bias = bias - mean * scale
        kernel = self._weights.take(filters, last.channels // groups, size, size)
        name = self.node(
            "Conv",
            last.name,
            self.floats(kernel * scale[:, None, None, None]),
            self.floats(bias),
            strides=[stride, stride],
            pads=[pad] * 4,
            group=groups,
        )
        rows, columns = ((side + 2 * pad - size) // stride + 1 for side in (last.rows, last.columns))
        return Output(self._activated(name, section), filters, rows, columns)

    def _maxpool(self, section: Section, last: Output) -> Output:
        stride = section.whole("stride", 1)
        size = section.whole("size", stride)
        padding = section.whole("padding", size - 1)
        before, after = padding // 2, padding - padding // 2
        pads = [before, before, after, after]
        name = self.node("MaxPool", last.name, kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads)
        rows, columns = ((side + padding - size) // stride + 1 for side in (last.rows, last.columns))
        return Output(name, last.channels, rows, columns)

    def _earlier(self, number: float) -> Output:
        index = int(number) if number >= 0 else len(self.layers) + int(number)
        if not 0 <= index < len(self.layers):
            raise ConversionError(f"layer {len(self.layers)} names the layer {number:g}, which is not there")
        return self.layers[index]

    def _part(self, output: Output, start: int, end: int) -> str:
        return self.node("Slice", output.name, self.whole(start), self.whole(end), self.whole(1))

    def _route(self, section: Section, last: Output) -> Output:
        parts = [self._earlier(number) for number in section.numbers("layers")]
        groups, chosen = section.whole("groups", 1), section.whole("group_id", 0)
        names = [part.name for part in parts]
        if groups > 1:
            names = [
                self._part(p, p.channels // groups * chosen, p.channels // groups * (chosen + 1))
                for p in parts
            ]
        name = self.node("Concat", *names, axis=1) if len(names) > 1 else names[0]
        channels = sum(part.channels // groups for part in parts)
        return Output(name, channels, parts[0].rows, parts[0].columns)

    def _shortcut(self, section: Section, last: Output) -> Output:
        """Add an earlier layer: of it, as many channels as both have (Darknet, ``shortcut_cpu``)."""
        (number,) = section.numbers("from")
        earlier = self._earlier(number)
        if (earlier.rows, earlier.columns) != (last.rows, last.columns):
            raise ConversionError(
                f"layer {len(self.layers)} adds a map of another size, which is not known here"
            )
        name = earlier.name
        if earlier.channels > last.channels:
            name = self._part(earlier, 0, last.channels)
        elif earlier.channels < last.channels:
            missing = last.channels - earlier.channels
            name = self.node("Pad", name, self.whole(0, 0, 0, 0, 0, missing, 0, 0))
        added = self.node("Add", last.name, name)
        return Output(self._activated(added, section), last.channels, last.rows, last.columns)

    def _upsample(self, section: Section, last: Output) -> Output:
        stride = section.whole("stride", 2)
        name = self.node(
            "Resize",
            last.name,
            "",
            self.floats([1, 1, stride, stride]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return Output(name, last.channels, last.rows * stride, last.columns * stride)

    def _yolo(self, section: Section, last: Output) -> Output:
        """Decode a map (Darknet, ``yolo_layer.c``)."""
        self.classes = section.whole("classes", 20)
        pairs = np.reshape(section.numbers("anchors"), (-1, 2))
        anchors = (
            pairs[[int(number) for number in section.numbers("mask")]] if "mask" in section.options else pairs
        )
        depth = 5 + self.classes
        if last.channels != len(anchors) * depth:
            raise ConversionError(
                f"{last.channels} filters are not {len(anchors)} anchors of {depth} numbers"
            )
        shape = self.whole(len(anchors), depth, last.rows, last.columns)
        table = self.node("Transpose", self.node("Reshape", last.name, shape), perm=[0, 2, 3, 1])
        new = section.whole("new_coords", 0)  # then the layer before has the sigmoid
        lively = table if new else self.node("Sigmoid", table)
        centre, rest = self._columns(lively, 0, 2), self._columns(lively, 4, depth)
        scale = float(section.options.get("scale_x_y", 1))
        y, x = np.indices((last.rows, last.columns))
        stride = np.array([self.width / last.columns, self.height / last.rows])
        offset = (np.stack([x, y], -1) - (scale - 1) / 2) * stride
        centre = self.node("Add", self.node("Mul", centre, self.floats(scale * stride)), self.floats(offset))
        size = self._columns(table, 2, 4)
        if new:
            size = self.node("Mul", self.node("Mul", size, size), self.floats(4))
        else:
            size = self.node("Exp", size)
        size = self.node("Mul", size, self.floats(anchors[:, None, None]))
        whole = self.node("Concat", centre, size, rest, axis=3)
        self.boxes.append(self.node("Reshape", whole, self.whole(1, -1, depth)))
        return last

    def _columns(self, table: str, start: int, end: int) -> str:
        return self.node("Slice", table, self.whole(start), self.whole(end), self.whole(3))


def converted(cfg: str, weights: bytes, *, size: int | None = None, names: list[str] | None = None) -> bytes:
    """Return the ONNX file's content.

    Parameters
    ----------
    cfg, weights
        What the two files of Darknet hold.
    size
        Pixels on a side of the input; None for what the .cfg says.
    names
        What the classes are called.
    """
    net, *sections = parse(cfg)
    numbers = Weights(weights)
    converter = Converter(net, numbers, size)
    for section in sections:
        converter.add(section)
    numbers.end()
    if not converter.boxes:
        raise ConversionError("there is no [yolo] layer")
    if names and len(names) != converter.classes:
        raise ConversionError(
            f"the network knows {converter.classes} classes, but {len(names)} names are given"
        )
    final = helper.make_node("Concat", converter.boxes, ["boxes"], name="boxes", axis=1)
    shape = [1, net.whole("channels", 3), converter.height, converter.width]
    graph = helper.make_graph(
        [*converter.nodes, final],
        "darknet",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, None, 5 + converter.classes])],
        converter.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    if names:
        helper.set_model_props(model, {"names": str(dict(enumerate(names)))})
    checker.check_model(model)
    return model.SerializeToString()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cfg", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path, help="ONNX file to write")
    parser.add_argument("--size", type=int, help="pixels on a side of the input (what the .cfg says)")
    parser.add_argument("--name", action="append", help="name of a class; once for each class, in order")
    options = parser.parse_args(arguments)
    try:
        text = options.cfg.read_text(encoding="utf-8", errors="replace")
        content = converted(text, options.weights.read_bytes(), size=options.size, names=options.name)
    except (ConversionError, OSError) as error:
        print(f"darknet_to_onnx: {error}", file=sys.stderr)
        return 1
    options.out.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
