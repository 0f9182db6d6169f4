"""YOLO boxes are those of Ultralytics' and YOLOv5's own post-processing of the same exported network.

Neither package is a dependency, for their licence, and nothing of theirs is kept. To run this, in an
environment of its own: pip install torch ultralytics onnx onnxruntime (and yolov5, for the last test).
The networks are built from the packages' own descriptions, smaller, and trained for minutes on the rendered
hands, so that they mean something: enough for boxes to overlap, and too little for all to be right.
"""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from handprep import images
from handprep.detection.yolo import YoloDetector
from tests.images import any_torchvision
from tests.rendered import photos

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # theirs are many

SIZE = 160  # pixels on a side of the networks' input
ARCHITECTURES = {"v5": "v5/yolov5.yaml", "v8": "v8/yolov8.yaml", "11": "11/yolo11.yaml"}
EXPORTS = {"raw": {}, "nms": {"nms": True}, "dynamic": {"dynamic": True}, "half": {"half": True}}


def pictures():
    """Return pictures of many shapes: whole, enlarged, and cut so that little of one side is left."""
    whole = [images.read(photo.path).image for photo in photos()]
    large = [cv2.resize(image, (1537, 911), interpolation=cv2.INTER_CUBIC) for image in whole[:4]]
    narrow = [np.ascontiguousarray(image[20:, 60:127]) for image in whole[4:8]]
    wide = [np.ascontiguousarray(image[100:231]) for image in whole[8:12]]
    return [*whole, *large, *narrow, *wide]


def assert_alike(ours, boxes, scores, near=0.05):
    """Compare hands with boxes ``(N, 4)`` and scores; return the largest difference of a box, in pixels."""
    assert len(ours) == len(boxes)
    if not len(boxes):
        return 0.0
    mine, said = np.array([hand.box for hand in ours]), np.array([hand.score for hand in ours])
    apart = np.abs(mine[:, None] - boxes[None]).max(2)  # pixels
    likeness = apart + 1000 * np.abs(said[:, None] - scores[None])  # equal boxes, clipped, differ in score
    nearest = likeness.argmin(1)  # equal scores have no order
    assert len(set(nearest)) == len(boxes)
    np.testing.assert_allclose(said, scores[nearest], atol=1e-4)
    worst = apart[np.arange(len(ours)), nearest].max()
    assert worst < near
    return worst


def in_common(ours, boxes, scores):
    """Return the hands and boxes that both have, and how many only one has.

    The outputs of a network in half precision are 16-bit numbers, and Ultralytics computes overlaps in these:
    a box whose overlap is all but the threshold is kept by the one and dropped by the other.
    """
    mine = np.array([hand.box for hand in ours]).reshape(-1, 1, 4)
    same = np.abs(mine - boxes[None]).max(2) < 0.05
    kept = [hand for hand, alike in zip(ours, same.any(1), strict=True) if alike]
    shared = same.any(0)
    return kept, boxes[shared], scores[shared], (~same.any(1)).sum() + (~shared).sum()


def require_nms():
    """Make torchvision's suppression work also where it was built for another torch."""
    any_torchvision.require_torchvision()
    import torch
    from torchvision.ops import boxes
    from ultralytics.utils.nms import TorchNMS

    if any_torchvision._kept:  # it was declared there, and has no code yet
        library = torch.library.Library("torchvision", "IMPL")
        library.impl("nms", TorchNMS.nms, "CPU")
        any_torchvision._kept.append(library)
        boxes._assert_has_ops = lambda: None


@pytest.fixture(scope="session")
def ultralytics(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.mktemp("ultralytics")))
        patch.setenv("YOLO_AUTOINSTALL", "false")
        patch.setenv("YOLO_OFFLINE", "true")
        patch.setenv("OMP_NUM_THREADS", "1")
        package = pytest.importorskip("ultralytics", reason="Ultralytics is no dependency, for its licence")
        require_nms()
        yield package


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """The rendered hands as Ultralytics wants pictures and boxes."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for photo in photos():
        shutil.copy(photo.path, folder / "images")
        width, height = photo.size
        x0, y0, x1, y1 = photo.box
        box = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height
        (folder / "labels" / f"{photo.path.stem}.txt").write_text(f"0 {' '.join(map(str, box))}\n")
    facts = {"path": str(folder), "train": "images", "val": "images", "names": {"0": "hand"}}
    (folder / "data.yaml").write_text(json.dumps(facts))  # JSON is YAML
    return folder / "data.yaml"


@pytest.fixture(scope="session", params=ARCHITECTURES)
def files(request, ultralytics, dataset, tmp_path_factory):
    """A small network of Ultralytics', trained a little and exported in each way."""
    import yaml

    folder = tmp_path_factory.mktemp(f"trained-{request.param}")
    source = Path(ultralytics.__file__).parent / "cfg" / "models" / ARCHITECTURES[request.param]
    description = {**yaml.safe_load(source.read_text()), "scales": {"n": [0.33, 0.125, 512]}, "nc": 1}
    (folder / f"{source.stem}n.yaml").write_text(yaml.safe_dump(description))
    network = ultralytics.YOLO(folder / f"{source.stem}n.yaml", task="detect")
    network.train(
        data=str(dataset),
        epochs=120,
        imgsz=SIZE,
        batch=6,
        lr0=0.02,
        mosaic=0.3,
        device="cpu",
        workers=0,
        seed=0,
        plots=False,
        val=False,
        verbose=False,
        project=str(folder),
    )
    exported = {}
    for name, options in EXPORTS.items():
        path = network.export(format="onnx", imgsz=SIZE, simplify=False, device="cpu", **options)
        exported[name] = shutil.move(path, folder / f"{name}.onnx")
    return exported


@pytest.mark.parametrize("export", EXPORTS)
def test_the_boxes_are_those_of_ultralytics(ultralytics, files, export, capsys):
    exported = files[export]
    theirs = ultralytics.YOLO(exported, task="detect")
    suppressed = export == "nms"  # its thresholds are those of the export
    settings = [(0.25, 0.7)] if suppressed else [(0.25, 0.45), (0.05, 0.45), (0.01, 0.7)]
    worst, counted, alone = 0.0, {}, 0
    for (confidence, iou), image in itertools.product(settings, pictures()):
        said = theirs.predict(
            image[..., ::-1], conf=confidence, iou=iou, imgsz=SIZE, max_det=300, device="cpu", verbose=False
        )[0].boxes
        ours = YoloDetector(exported, confidence=confidence, iou=iou, max_hands=300).detect(image)
        boxes, scores = said.xyxy.numpy(), said.conf.numpy()
        if export == "half":
            ours, boxes, scores, odd = in_common(ours, boxes, scores)
            alone += odd
        worst = max(worst, assert_alike(ours, boxes, scores))
        counted[confidence] = counted.get(confidence, 0) + len(ours)
    with capsys.disabled():
        print(
            f"\n{exported.parent.name} {export}: {counted} boxes, at most {worst:.5f} px apart; {alone} alone"
        )
    assert alone <= 0.02 * sum(counted.values())
    assert counted[0.25] >= 10  # else nothing was compared
    assert suppressed or counted[0.01] >= 4 * len(photos())


@pytest.fixture(scope="session")
def yolov5(ultralytics):
    """The YOLOv5 package, whose networks give objectness, unlike Ultralytics' own of that name."""
    return pytest.importorskip("yolov5", reason="YOLOv5 is no dependency, for its licence")


@pytest.fixture(scope="session")
def yolov5_file(yolov5, tmp_path_factory):
    """A small network of YOLOv5's, trained a little, as its export.py writes it."""
    import torch
    import yaml
    from yolov5.models.yolo import DetectionModel
    from yolov5.utils.augmentations import letterbox
    from yolov5.utils.loss import ComputeLoss

    torch.manual_seed(0)
    torch.set_num_threads(1)
    package = Path(yolov5.__file__).parent
    description = yaml.safe_load((package / "models" / "yolov5n.yaml").read_text())
    network = DetectionModel({**description, "nc": 1, "width_multiple": 0.125})
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.1  # of so few steps
    network.hyp = yaml.safe_load((package / "data" / "hyps" / "hyp.scratch-low.yaml").read_text())
    loss, optimiser = ComputeLoss(network), torch.optim.Adam(network.parameters(), 2e-3)
    inputs, targets = [], []
    for number, photo in enumerate(photos()):
        image, gain, (left, top) = letterbox(images.read(photo.path).image, SIZE, auto=False)
        x0, y0, x1, y1 = np.array(photo.box) * gain[0] + [left, top, left, top]
        inputs.append(torch.from_numpy(image.transpose(2, 0, 1).copy()) / 255)
        targets.append(
            [number, 0, (x0 + x1) / 2 / SIZE, (y0 + y1) / 2 / SIZE, (x1 - x0) / SIZE, (y1 - y0) / SIZE]
        )
    images_there, boxes_there = torch.stack(inputs), torch.tensor(targets)
    for step in range(240):
        chosen = torch.arange(12) + 12 * (step % 3)
        labels = boxes_there[chosen] - torch.tensor([chosen[0], 0, 0, 0, 0, 0])
        error, _ = loss(network(images_there[chosen]), labels)
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
    network.eval().model[-1].export = True
    file = tmp_path_factory.mktemp("yolov5") / "hands.onnx"
    torch.onnx.export(network, torch.zeros(1, 3, SIZE, SIZE), str(file), dynamo=False, opset_version=17)
    return file


@pytest.mark.parametrize(("confidence", "iou"), [(0.25, 0.45), (0.05, 0.45), (0.01, 0.6)])
def test_the_boxes_are_those_of_yolov5(yolov5_file, confidence, iou, capsys):
    import onnxruntime
    import torch
    from yolov5.utils.augmentations import letterbox
    from yolov5.utils.general import non_max_suppression, scale_boxes

    session = onnxruntime.InferenceSession(yolov5_file)
    (given,) = session.get_inputs()
    worst, counted = {True: 0.0, False: 0.0}, 0
    for image in pictures():
        seen = letterbox(image, SIZE, auto=False)[0]
        tensor = np.ascontiguousarray(seen.transpose(2, 0, 1)[None]).astype(np.float32) / 255
        (said,) = session.run(None, {given.name: tensor})
        kept = non_max_suppression(torch.from_numpy(said), confidence, iou, max_det=300)[0]
        kept[:, :4] = scale_boxes(seen.shape, kept[:, :4], image.shape)
        detector = YoloDetector(yolov5_file, confidence=confidence, iou=iou, max_hands=300)
        ours = detector.detect(image)
        # It takes grey and factor back unrounded: it is up to a pixel of the input off where these are
        whole = all(side * SIZE % max(image.shape[:2]) == 0 for side in image.shape[:2])
        near = 0.05 if whole else max(image.shape[:2]) / SIZE
        worst[whole] = max(worst[whole], assert_alike(ours, kept[:, :4].numpy(), kept[:, 4].numpy(), near))
        counted += len(ours)
    with capsys.disabled():
        print(f"\nYOLOv5 from {confidence} on: {counted} boxes, at most {worst[True]:.5f} px apart")
    assert counted >= 10
