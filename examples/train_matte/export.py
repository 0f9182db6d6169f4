"""Write a trained network as ONNX: python -m train_matte.export WEIGHTS OUT.onnx.

WEIGHTS is the hand_matte.fp16.pt of a training. The file takes a window with the drawing of the hand as
uint8 (1, S, S, 4) and gives alpha, 0 … 1, as float (1, S, S). Prints its size and sha256.
"""

from __future__ import annotations

import argparse
import hashlib
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from train_matte import checkpoint
from train_matte.model import MatteNet

OPSET = 17
HALVED = 64  # numbers that a tensor has at least, to be written as 16-bit floats
SIDE = 192  # of the window, as in training


class Exported(nn.Module):
    """The network with what comes before and after it, so that callers need neither."""

    def __init__(self, network: MatteNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, window: Tensor) -> Tensor:
        """Return alpha of uint8 windows."""
        return torch.sigmoid(self.network(window.permute(0, 3, 1, 2).float()))[:, 0]


def export(weights: Path, out: Path, side: int = SIDE) -> None:
    """Write the ONNX file of trained weights."""
    network = MatteNet()
    checkpoint.load_small(weights, network)
    window = torch.zeros(1, side, side, 4, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs one more package
        torch.onnx.export(
            Exported(network).eval(),
            (window,),
            str(out),
            input_names=["window"],
            output_names=["alpha"],
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(out)
    _halve(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, out)


def _halve(graph: onnx.GraphProto) -> None:
    """Write weights as 16-bit floats, which ONNX Runtime casts once, when it opens the file."""
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= HALVED:
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    for number, cast in enumerate(casts):
        graph.node.insert(number, cast)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=SIDE, help=f"of the window, a multiple of 32 ({SIDE})")
    options = parser.parse_args()
    export(options.weights, options.out, options.side)
    content = options.out.read_bytes()
    print(f"{options.out}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
