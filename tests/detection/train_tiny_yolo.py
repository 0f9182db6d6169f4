"""Train the tiny YOLO network that the tests and the docs use, on rendered hands.

    python examples/render_hands.py rendered --count 480 --seed 1 --size 320x240
    python -m tests.detection.train_tiny_yolo rendered examples/rendered-hands/hand-boxes.onnx

Needs torch and onnx. The pictures are folders as render_hands.py writes them (masks may be missing); those
of seed 0, which ship with the project, are not trained on, so that they can measure. The head is Darknet's
(two maps of anchors, as in yolov3-tiny), the output Ultralytics' v8: ``(1, 4 + classes, boxes)``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.detection import tiny_yolo
from tests.detection.tiny_yolo import SIZE, STRIDES

NAMES = {0: "hand"}
ANCHORS = np.reshape(tiny_yolo.ANCHORS, (2, 3, 2)).tolist()  # width and height, of each map


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a depthwise and a pointwise convolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class TinyYolo(nn.Module):
    """Two raw maps ``(B, 3 × (5 + classes), rows, columns)``, the coarse one first."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.to_8 = nn.Sequential(block(16, 32, 2), block(32, 32), block(32, 48, 2), block(48, 48))
        self.to_16 = nn.Sequential(block(48, 96, 2), *(block(96, 96) for _ in range(3)))
        self.to_32 = nn.Sequential(block(96, 128, 2), *(block(128, 128) for _ in range(2)))
        self.up = nn.Conv2d(128, 96, 1)
        self.merge = block(96, 96)
        depth = len(ANCHORS[0]) * (5 + len(NAMES))
        self.coarse, self.fine = nn.Conv2d(128, depth, 1), nn.Conv2d(96, depth, 1)
        for head in (self.coarse, self.fine):  # hardly any anchor is a hand: start from there
            nn.init.constant_(head.bias.view(len(ANCHORS[0]), -1)[:, 4], -6.0)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        at_16 = self.to_16(self.to_8(self.stem(pictures)))
        at_32 = self.to_32(at_16)
        upsampled = functional.interpolate(self.up(at_32), scale_factor=2.0, mode="nearest")
        return self.coarse(at_32), self.fine(self.merge(at_16 + upsampled))


class Decoded(nn.Module):
    """The network with its maps decoded to ``(1, 4 + classes, boxes)``, boxes in pixels of the input."""

    def __init__(self, network: TinyYolo) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        rows = [decoded(raw, number).flatten(1, 3) for number, raw in enumerate(self.network(pictures))]
        table = torch.cat(rows, 1)
        return torch.cat([table[..., :4], table[..., 4:5] * table[..., 5:]], 2).transpose(1, 2)


def decoded(raw: Tensor, number: int) -> Tensor:
    """Return (B, anchors, rows, columns, 5 + classes): centre, size, objectness, classes, as Darknet does."""
    anchors = torch.tensor(ANCHORS[number], dtype=torch.float32).view(1, -1, 1, 1, 2)
    cells = SIZE // STRIDES[number]
    values = raw.view(-1, anchors.shape[1], 5 + len(NAMES), cells, cells).permute(0, 1, 3, 4, 2)
    y, x = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    corners = torch.stack([x, y], -1).float()
    centre = (values[..., :2].sigmoid() + corners) * STRIDES[number]
    return torch.cat([centre, values[..., 2:4].exp() * anchors, values[..., 4:].sigmoid()], -1)


@dataclass(frozen=True)
class Picture:
    image: np.ndarray  # (H, W, 3) RGB
    mask: np.ndarray | None  # (H, W): 255 hand and forearm
    landmarks: np.ndarray  # (21, 2)
    margin: float  # pixels of hand around the landmarks' box


def load(folder: Path) -> list[Picture]:
    pictures = []
    for row in json.loads((folder / "annotations.json").read_text()):
        image = cv2.imread(str(folder / row["file"]))[..., ::-1]
        mask = cv2.imread(str(folder / row["mask"]), cv2.IMREAD_GRAYSCALE) if row.get("mask") else None
        landmarks = np.array(row["landmarks"], np.float32)
        inner = np.array([*landmarks.min(0), *landmarks.max(0)])
        margin = float(np.mean(np.abs(inner - row["box"])))
        pictures.append(Picture(np.ascontiguousarray(image), mask, landmarks, margin))
    return pictures


def augmented(picture: Picture, others: list[Picture], rng: np.random.Generator) -> tuple[np.ndarray, list]:
    """Return a picture (SIZE, SIZE, 3) and its box, if it still shows one, as centre and size."""
    image, mask = picture.image, picture.mask
    if mask is not None and rng.random() < 0.35:
        alpha = cv2.GaussianBlur(mask, (0, 0), 1)[..., None] / 255
        image = (alpha * image + (1 - alpha) * backdrop(image.shape, others, rng)).astype(np.uint8)
    points, margin = picture.landmarks, picture.margin
    span = max(np.ptp(points, axis=0)) + 2 * margin
    scale = SIZE * math.exp(rng.uniform(math.log(0.15), math.log(0.95))) / span
    angle = math.radians(rng.normal(0, 25))
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    extent = points @ turn.T
    low, high = extent.min(0) - margin * scale, extent.max(0) + margin * scale
    room = np.maximum(SIZE - (high - low), 1)
    shift = rng.uniform(-0.05, 1.05, 2) * room - low
    matrix = np.column_stack([turn, shift])
    border = cv2.BORDER_REFLECT_101 if rng.random() < 0.7 else cv2.BORDER_CONSTANT
    flags = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    warped = cv2.warpAffine(
        image, matrix, (SIZE, SIZE), flags=flags, borderMode=border, borderValue=(114,) * 3
    )
    x0, y0 = np.clip(low + shift, 0, SIZE)
    x1, y1 = np.clip(high + shift, 0, SIZE)
    return relit(warped, rng), [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def backdrop(shape: tuple[int, ...], others: list[Picture], rng: np.random.Generator) -> np.ndarray:
    """Return a background: another picture with its hand painted over, or shapes, or noise."""
    height, width = shape[:2]
    other = others[rng.integers(len(others))]
    kind = rng.random()
    if kind < 0.4 and other.mask is not None and other.image.shape == shape:
        grown = cv2.dilate(other.mask, np.ones((9, 9), np.uint8))
        small = cv2.resize(other.image, None, fx=0.25, fy=0.25), cv2.resize(grown, None, fx=0.25, fy=0.25)
        filled = cv2.inpaint(small[0], (small[1] > 30).astype(np.uint8), 3, cv2.INPAINT_TELEA)
        filled = cv2.resize(filled, (width, height))
        return np.where(grown[..., None] > 30, filled, other.image)[:, :: rng.choice([-1, 1])]
    grid = rng.integers(2, 24, 2)
    coarse = rng.integers(0, 256, (grid[0], grid[1], 3)).astype(np.uint8)
    result = cv2.resize(
        coarse, (width, height), interpolation=int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_CUBIC]))
    )
    mean = rng.integers(0, 256, 3)
    result = np.clip(mean + (result.astype(float) - 128) * rng.uniform(0.05, 1), 0, 255).astype(np.uint8)
    for _ in range(rng.integers(0, 12)):
        a, b = rng.integers(-20, width + 20, 2), rng.integers(-20, height + 20, 2)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            cv2.rectangle(result, (int(a[0]), int(b[0])), (int(a[1]), int(b[1])), colour, -1)
        else:
            cv2.line(result, (int(a[0]), int(b[0])), (int(a[1]), int(b[1])), colour, int(rng.integers(1, 25)))
    return result


def relit(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values = (image / 255.0) ** math.exp(rng.normal(0, 0.35))
    values = values * rng.uniform(0.7, 1.3) * np.exp(rng.normal(0, 0.08, 3))
    if rng.random() < 0.1:
        values = values.mean(2, keepdims=True).repeat(3, 2)
    if rng.random() < 0.3:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.3, 1.5))
    values = values + rng.normal(0, rng.uniform(0, 0.05), values.shape)
    return np.clip(values * 255, 0, 255).astype(np.uint8)


def loss_of(maps: tuple[Tensor, Tensor], boxes: Tensor, shown: Tensor) -> Tensor:
    """Return Darknet's kind of loss: the anchors that resemble a box, at its centre's cell, learn it."""
    total = torch.zeros(())
    anchors = torch.tensor(ANCHORS, dtype=torch.float32)
    ratio = torch.minimum(boxes[:, None, None, 2:] / anchors, anchors / boxes[:, None, None, 2:]).prod(-1)
    chosen = (ratio > 0.4) | (ratio == ratio.amax((1, 2), keepdim=True))  # (B, maps, anchors)
    for number, raw in enumerate(maps):
        table = decoded(raw, number)
        cell = (boxes[:, :2] / STRIDES[number]).long().clamp(0, table.shape[2] - 1)
        picture, anchor = torch.nonzero(chosen[:, number] & shown[:, None], as_tuple=True)
        row, column = cell[picture, 1], cell[picture, 0]
        overlap = iou(table[..., :4], boxes[:, None, None, None])
        target = torch.zeros_like(table[..., 4])
        near = table[picture, anchor, row, column]
        target[picture, anchor, row, column] = iou(near[:, :4], boxes[picture]).detach()
        counted = (overlap.detach() < 0.6) | (target > 0)  # near misses are neither hand nor none
        logits = raw.view(*table.shape[:2], -1, *table.shape[2:4])[:, :, 4:]
        miss = functional.binary_cross_entropy_with_logits(logits[:, :, 0], target, reduction="none")
        focus = (target - table[..., 4]).abs().detach() ** 1.5
        total = total + (miss * focus * counted).sum() / len(boxes)
        if len(picture):
            total = total + 2 * (1 - giou(near[:, :4], boxes[picture])).sum() / len(boxes)
            classes = logits[picture, anchor, 1:, row, column]
            total = total + functional.binary_cross_entropy_with_logits(
                classes, torch.ones_like(classes), reduction="sum"
            ) / len(boxes)
    return total


def iou(a: Tensor, b: Tensor) -> Tensor:
    return _overlaps(a, b)[0]


def giou(a: Tensor, b: Tensor) -> Tensor:
    overlap, union, hull = _overlaps(a, b)
    return overlap - (hull - union) / hull


def _overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low_a, high_a, low_b, high_b = (
        box[..., :2] + sign * box[..., 2:4] / 2 for box in (a, b) for sign in (-1, 1)
    )
    both = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(0).prod(-1)
    hull = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).prod(-1)
    union = a[..., 2:4].prod(-1) + b[..., 2:4].prod(-1) - both
    return both / union.clamp(1e-6), union, hull.clamp(1e-6)


def drawn(pictures: list[Picture], count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return so many augmented pictures, their boxes, and which of them show a hand: 11 of 12."""
    images, boxes = np.empty((count, SIZE, SIZE, 3), np.uint8), np.empty((count, 4), np.float32)
    shown = np.arange(count) % 12 > 0
    for number in range(count):
        images[number], boxes[number] = augmented(pictures[number % len(pictures)], pictures, rng)
        if not shown[number]:
            images[number] = relit(cv2.resize(backdrop((240, 320, 3), pictures, rng), (SIZE, SIZE)), rng)
    return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(boxes), torch.from_numpy(shown)


def train(pictures: list[Picture], steps: int, *, pool: int, batch: int = 24) -> TinyYolo:
    torch.manual_seed(0)
    start, mean = time.perf_counter(), 0.0
    images, boxes, shown = drawn(pictures, pool, np.random.default_rng(0))
    print(f"{pool} pictures drawn, {time.perf_counter() - start:.0f} s", flush=True)
    network = TinyYolo()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        chosen = torch.randint(0, pool, (batch,))
        inputs, there = images[chosen].float() / 255, boxes[chosen].clone()
        if torch.rand(()) < 0.5:
            inputs, there[:, 0] = inputs.flip(3), SIZE - there[:, 0]
        loss = loss_of(network(inputs), there, shown[chosen])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        mean = 0.98 * mean + 0.02 * loss.item() if step else loss.item()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {mean:.3f}, {time.perf_counter() - start:.0f} s", flush=True)
    return network.eval()


def export(network: TinyYolo, path: Path) -> None:
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the other exporter needs onnxscript
        torch.onnx.export(
            Decoded(network),
            torch.zeros(1, 3, SIZE, SIZE),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            output_names=["output0"],
        )
    model = onnx.load(path)
    _store_in_half(model.graph)
    facts = {"names": NAMES, "task": "detect", "stride": max(STRIDES), "imgsz": [SIZE, SIZE]}
    onnx.helper.set_model_props(
        model,
        {**{key: str(value) for key, value in facts.items()}, "license": "CC0-1.0", "author": "handprep"},
    )
    onnx.save(model, path)


def _store_in_half(graph) -> None:
    """Keep the weights in half precision, which halves the file; they are used in full precision."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 4:
            name, values = tensor.name, numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", type=Path, help="folder with annotations.json")
    parser.add_argument("out", type=Path, help="ONNX file to write")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--pool", type=int, default=6000, help="augmented pictures to draw once")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network = train(load(options.pictures), options.steps, pool=options.pool)
    export(network, options.out)
    print(
        f"{sum(p.numel() for p in network.parameters()):,} parameters, {options.out.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
