"""The training of the matting network, on a handful of drawn hands: it learns, and it can be interrupted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from handprep.segmentation import framing
from handprep.segmentation.matte import HandMatte
from tests.segmentation.cases import one

torch = pytest.importorskip("torch", reason="the training of examples/train_matte needs torch")
EXAMPLES = str(Path(__file__).parents[2] / "examples")
COMMITTED = Path(EXAMPLES) / "train_matte" / "hand_matte.fp16.pt"
needs_committed = pytest.mark.skipif(not COMMITTED.exists(), reason=f"the sdist leaves {COMMITTED.name} out")


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, EXAMPLES)
    yield
    sys.path.remove(EXAMPLES)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Keep three rendered hands and two backgrounds as the training wants them."""
    from train_matte import bank, cutouts

    folder = tmp_path_factory.mktemp("data")
    hands = []
    for label in ("rock", "paper", "scissors"):
        sample = one(label)
        pixels, landmarks = cutouts.cut(sample.image, sample.alpha, sample.hand.landmarks)
        met = {"other": np.roll(pixels, 60, 1), "kind": "thing"} if label == "rock" else {}
        hands.append(cutouts.Cutout(pixels=pixels, landmarks=landmarks, group="renders/9999", **met))
    cutouts.save(folder / "renders" / "some.npz", hands)
    noise = np.random.default_rng(0).integers(0, 255, (2, 200, 240, 3), np.uint8)
    bank.save(folder / "scenes" / "some.npz", [bank.Scene(image=image, group="noise") for image in noise])
    return folder


def composer(data, side, seed=0):
    from train_matte import material
    from train_matte.compose import Composer

    torch.set_num_threads(1)
    return Composer(material.load(data, "cpu"), side, seed)


def trained(data, out, *, steps, start=None):
    from train_matte.train import train

    torch.manual_seed(0)
    options = argparse.Namespace(out=out, steps=4, batch=4, rate=2e-3, start=start, keep=1)
    for step, _ in train(composer(data, 64), options):
        if step == steps:
            break
    return torch.load(out / "hand_matte.fp16.pt", weights_only=True)


def test_a_training_that_was_stopped_gives_the_same_weights(data, tmp_path):
    straight = trained(data, tmp_path / "straight", steps=2)
    trained(data, tmp_path / "stopped", steps=1)
    resumed = trained(data, tmp_path / "stopped", steps=2)
    assert straight.keys() == resumed.keys()
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name


def test_a_wider_network_begins_with_what_a_narrower_one_knows(tmp_path):
    from train_matte import checkpoint
    from train_matte.model import MatteNet

    narrow, wide = MatteNet((16, 24, 40, 48, 64)).eval(), MatteNet().eval()
    checkpoint.save_small(tmp_path / "narrow.pt", checkpoint.Average(narrow))
    checkpoint.load_small(tmp_path / "narrow.pt", wide)
    windows = torch.rand(1, 4, 64, 64) * 255
    finest = [net.down[1](net.down[0](net.stem(windows / 127.5 - 1))) for net in (narrow, wide)]
    torch.testing.assert_close(*finest, rtol=0, atol=0.01)  # of layers that are no wider
    deepest = [net.down[3](net.down[2](maps)) for net, maps in zip((narrow, wide), finest, strict=True)]
    torch.testing.assert_close(deepest[0], deepest[1][:, :64], rtol=0, atol=0.01)


@needs_committed
def test_committed_weights_are_a_start(data, tmp_path):
    from train_matte import checkpoint, evaluate
    from train_matte.model import MatteNet

    assert COMMITTED.stat().st_size < 4_000_000
    model = MatteNet().eval()
    checkpoint.load_small(COMMITTED, model)
    batch = composer(data, 192).batch(0, 12)
    assert np.mean(evaluate.overlaps(evaluate.answer(model, batch.windows), batch)) > 0.75
    trained(data, tmp_path / "begun", steps=1, start=COMMITTED)


def test_pictures_are_the_same_each_time_and_differ_by_number_and_seed(data):
    make = composer(data, 64)
    first, other, again = (make.batch(number, 3) for number in (3, 4, 3))
    for name in ("windows", "alpha", "valid"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert first.windows.shape == (3, 4, 64, 64)
    assert not torch.equal(first.windows, other.windows)
    assert not torch.equal(first.windows, composer(data, 64, 1).batch(3, 3).windows)


def test_pictures_are_whole_numbers_and_alpha_is_a_share(data):
    batch = composer(data, 64).batch(0, 16)
    assert torch.equal(batch.windows, batch.windows.round())
    assert 0 <= batch.windows.min() < 30
    assert 225 < batch.windows.max() <= 255
    assert batch.alpha.min() == 0
    assert 0.9 < batch.alpha.max() <= 1
    assert set(batch.valid.unique().tolist()) <= {0.0, 1.0}
    covered = batch.alpha.mean((1, 2, 3))
    assert ((covered > 0.02) & (covered < 0.9)).float().mean() > 0.9


def test_hands_are_shown_as_handprep_shows_them():
    from train_matte import shown

    hand = one("scissors").hand
    points = torch.tensor(hand.landmarks)[None]
    toward = shown.window(points, 192)
    np.testing.assert_allclose(toward[0, :2].numpy(), framing.window(hand, 192), atol=1e-3)
    there = hand.transformed(framing.window(hand, 192))
    drawn = 255 * shown.drawing(torch.tensor(there.landmarks)[None], 192)[0, 0].numpy()
    off = np.abs(drawn - framing.drawing(there, 192))
    assert off.mean() < 2  # lines begin and end a pixel elsewhere
    assert np.mean(off > 64) < 0.01


@pytest.mark.parametrize("quality", [15, 50, 90])
def test_jpeg_loses_what_opencv_loses(quality):
    from train_matte import jpeg

    noise = np.random.default_rng(0).normal(0, 8, (128, 128, 3))
    image = np.clip(one("paper").image[:128, :128] + noise, 0, 255).astype(np.uint8)
    wanted = cv2.imdecode(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
    given = torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float() / 255
    found = 255 * jpeg.compressed(given, torch.tensor([float(quality)]), True)[0].numpy().transpose(1, 2, 0)
    lost = np.abs(wanted[..., ::-1].astype(float) - image).mean()
    assert np.abs(found - wanted[..., ::-1]).mean() < 0.35 * lost


def test_nothing_held_out_is_trained_on(data):
    from train_matte.heldout import is_held_out

    assert is_held_out("cgi-test/01")
    assert is_held_out("cgi/04")
    assert is_held_out("mate-backgrounds")
    assert not is_held_out("cgi/01")
    assert not is_held_out("tabler-ui")


@needs_committed
def test_the_committed_weights_are_the_shipped_network(tmp_path):
    pytest.importorskip("onnx", reason="exporting needs onnx")
    from train_matte import export

    export.export(COMMITTED, tmp_path / "network.onnx")
    sample = one("paper")
    network = HandMatte(network=str(tmp_path / "network.onnx"))
    shipped = HandMatte().segment(sample.image, sample.hands)
    np.testing.assert_allclose(network.segment(sample.image, sample.hands), shipped, atol=1)
