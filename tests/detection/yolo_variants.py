"""The tiny YOLO network in the layouts of exporters and converters, and networks of any shape; needs onnx."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.detection.tiny_yolo import BOXES, FINE_BOXES, PATH, SIZE

FLOAT = TensorProto.FLOAT


class Surgery:
    """The tiny network's graph, to which nodes are added."""

    def __init__(self) -> None:
        self.model = onnx.load(PATH)
        self.graph = self.model.graph
        (self._output,) = self.graph.output
        table = self.node("Transpose", self._output.name, perm=[0, 2, 1])  # (1, boxes, 5)
        self.boxes, self.scores = self.columns(table, 0, 4), self.columns(table, 4, 5)

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"added_{len(self.graph.node)}"
        self.graph.node.append(helper.make_node(kind, [*inputs], [name], **attributes))
        return name

    def constant(self, values: object, dtype: type = np.int64) -> str:
        name = f"constant_{len(self.graph.initializer)}"
        self.graph.initializer.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def columns(self, table: str, start: int, end: int) -> str:
        return self.node("Slice", table, *(self.constant([n]) for n in (start, end, 2)))

    def rows(self, table: str, start: int, end: int) -> str:
        return self.node("Slice", table, *(self.constant([n]) for n in (start, end, 1)))

    def corners(self) -> str:
        centre, size = self.columns(self.boxes, 0, 2), self.columns(self.boxes, 2, 4)
        half = self.node("Mul", size, self.constant(0.5, np.float32))
        return self.node("Concat", self.node("Sub", centre, half), self.node("Add", centre, half), axis=2)

    def raw_maps(self) -> list[str]:
        """Return the tensors before decoding, the coarse map first."""
        convolutions = [node for node in self.graph.node if node.op_type == "Conv"]
        return [n.output[0] for word in ("coarse", "fine") for n in convolutions if f"/{word}/" in n.name]

    def saved(self, path: Path, outputs: Sequence[str], *, facts: dict[str, object] | None = None) -> Path:
        """Write the network with other outputs; `facts` replace what the file says of itself."""
        types = {value.name: value for value in self.graph.output}
        for value in types.values():
            self.graph.output.remove(value)
        for name in outputs:
            self.graph.output.append(types.get(name) or helper.make_tensor_value_info(name, FLOAT, None))
        if facts is not None:
            del self.model.metadata_props[:]
            helper.set_model_props(self.model, {key: str(value) for key, value in facts.items()})
        onnx.save(self.model, path)
        return path


def v8(path: Path) -> Path:
    return Surgery().saved(path, ["output0"])


def v8_nameless(path: Path) -> Path:
    return Surgery().saved(path, ["output0"], facts={})


def v8_pose(path: Path) -> Path:
    """As Ultralytics' pose networks: the key points' columns follow the classes."""
    graph = Surgery()
    more = graph.node("Expand", graph.constant(7.0, np.float32), graph.constant([1, 63, BOXES]))
    table = graph.node("Concat", "output0", more, axis=1)
    return graph.saved(path, [table], facts={"names": "{0: 'hand'}", "task": "pose", "kpt_shape": "[21, 3]"})


def v8_of_two_classes(path: Path) -> Path:
    graph = Surgery()
    feet = graph.node("Mul", graph.scores, graph.constant(0.5, np.float32))
    table = graph.node("Concat", graph.boxes, feet, graph.scores, axis=2)
    return graph.saved(
        path, [graph.node("Transpose", table, perm=[0, 2, 1])], facts={"names": "{0: 'foot', 1: 'hand'}"}
    )


def with_objectness(path: Path, *, shares: bool = False, scales: bool = False) -> Path:
    graph = Surgery()
    root = graph.node("Sqrt", graph.scores)  # so that objectness × class is the score
    boxes = graph.node("Mul", graph.boxes, graph.constant(1 / SIZE, np.float32)) if shares else graph.boxes
    table = graph.node("Concat", boxes, root, root, axis=2)
    if not scales:
        return graph.saved(path, [table], facts={})
    cut = BOXES - FINE_BOXES
    return graph.saved(path, [graph.rows(table, 0, cut), graph.rows(table, cut, BOXES)], facts={})


def suppressed(path: Path, *, facts: dict[str, object]) -> Path:
    """As Ultralytics' nms=True: (1, boxes, 6), suppressed at an IoU of 0.45 from a confidence of 0.01 on."""
    graph = Surgery()
    corners = graph.corners()
    by_class = graph.node("Transpose", graph.scores, perm=[0, 2, 1])
    limits = graph.constant([300]), graph.constant(0.45, np.float32), graph.constant(0.01, np.float32)
    chosen = graph.node("NonMaxSuppression", corners, by_class, *limits)
    index = graph.node("Squeeze", graph.node("Slice", chosen, *map(graph.constant, ([2], [3], [1]))))
    index = graph.node("Reshape", index, graph.constant([-1]))
    table = graph.node("Concat", corners, graph.scores, axis=2)
    left = graph.node("Gather", table, index, axis=1)
    number = graph.node("Mul", graph.columns(left, 4, 5), graph.constant(0.0, np.float32))
    return graph.saved(path, [graph.node("Concat", left, number, axis=2)], facts=facts)


def darknet_boxes(path: Path) -> Path:
    """As pytorch-YOLOv4's converter writes them."""
    graph = Surgery()
    shares = graph.node("Mul", graph.corners(), graph.constant(1 / SIZE, np.float32))
    return graph.saved(path, [graph.node("Unsqueeze", shares, graph.constant([2])), graph.scores], facts={})


def darknet_maps(path: Path, *, swapped: bool = False) -> Path:
    """As converters do that leave the [yolo] sections away."""
    graph = Surgery()
    maps = graph.raw_maps()
    return graph.saved(path, maps[::-1] if swapped else maps, facts={})


def dynamic(path: Path) -> Path:
    """Raw maps again, of an input whose size is left open."""
    graph = Surgery()
    maps = graph.raw_maps()
    dimensions = graph.graph.input[0].type.tensor_type.shape.dim
    for number, name in ((0, "batch"), (2, "height"), (3, "width")):
        dimensions[number].Clear()
        dimensions[number].dim_param = name
    kept = {name for node in _before(graph.graph, maps) for name in node.output}
    for node in [node for node in graph.graph.node if not kept & set(node.output)]:
        graph.graph.node.remove(node)  # the decoding, whose numbers are those of one size
    return graph.saved(path, maps, facts={"imgsz": [SIZE, SIZE], "stride": 32})


def _before(graph: onnx.GraphProto, names: Sequence[str]) -> list[onnx.NodeProto]:
    wanted, found = set(names), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            found.append(node)
            wanted |= set(node.input)
    return found


def half(path: Path) -> Path:
    """Input, weights and output in half precision, as older exports with half=True have them."""
    model = onnx.load(PATH)
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == FLOAT:
            tensor.CopyFrom(
                numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
            )
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "value" and attribute.t.data_type == FLOAT:
                values = numpy_helper.to_array(attribute.t).astype(np.float16)
                attribute.t.CopyFrom(numpy_helper.from_array(values))
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
                attribute.i = TensorProto.FLOAT16
        if node.op_type == "Resize":  # its scales stay float32
            _as_float32(graph, node.input[2])
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    del graph.value_info[:]
    onnx.save(model, path)
    return path


def _as_float32(graph: onnx.GraphProto, name: str) -> None:
    for tensor in graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), name))
    for node in graph.node:
        if name in node.output:
            values = numpy_helper.to_array(node.attribute[0].t).astype(np.float32)
            node.attribute[0].t.CopyFrom(numpy_helper.from_array(values))


def of_bytes(path: Path) -> Path:
    """A network that takes bytes and scales them itself."""
    model = onnx.load(PATH)
    (given,) = model.graph.input
    cast = helper.make_node("Cast", ["bytes"], ["floats"], to=FLOAT)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1 / 255), "unit"))
    scale = helper.make_node("Mul", ["floats", "unit"], [given.name])
    nodes = [cast, scale, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.input.remove(given)
    shape = [1, 3, SIZE, SIZE]
    model.graph.input.append(helper.make_tensor_value_info("bytes", TensorProto.UINT8, shape))
    onnx.save(model, path)
    return path


VARIANTS: dict[str, Callable[[Path], Path]] = {
    "v8": v8,
    "v8 without names": v8_nameless,
    "v8 pose": v8_pose,
    "v8 of two classes": v8_of_two_classes,
    "v5": with_objectness,
    "v5 in shares": lambda path: with_objectness(path, shares=True),
    "v5 scale by scale": lambda path: with_objectness(path, scales=True),
    "nms": lambda path: suppressed(path, facts={"names": "{0: 'hand'}", "args": "{'nms': True}"}),
    "end-to-end": lambda path: suppressed(path, facts={"names": "{0: 'hand'}", "end2end": "True"}),
    "nms that does not say so": lambda path: suppressed(path, facts={}),
    "darknet boxes": darknet_boxes,
    "darknet maps": darknet_maps,
    "darknet maps, fine first": lambda path: darknet_maps(path, swapped=True),
    "half precision": half,
    "bytes": of_bytes,
}


def network(
    path: Path,
    *,
    inputs: dict[str, tuple[int, Sequence[int | str]]] | None = None,
    outputs: Sequence[np.ndarray] = (),
    facts: dict[str, object] | None = None,
) -> Path:
    """Write a network that looks at nothing and always gives the same outputs."""
    given = inputs if inputs is not None else {"images": (FLOAT, (1, 3, 64, 64))}
    tensors = [numpy_helper.from_array(output, f"constant_{n}") for n, output in enumerate(outputs)]
    nodes = [helper.make_node("Identity", [tensor.name], [f"output_{n}"]) for n, tensor in enumerate(tensors)]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in given.items()],
        [
            helper.make_tensor_value_info(f"output_{n}", tensor.data_type, None)
            for n, tensor in enumerate(tensors)
        ],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in (facts or {}).items()})
    onnx.save(model, path)
    return path
