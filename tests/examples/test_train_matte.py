"""The training of the matting network, on a handful of drawn hands: it learns, and it can be interrupted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest

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
        hands.append((*cutouts.cut(sample.image, sample.alpha, sample.hand.landmarks), "renders/9999"))
    cutouts.save(folder / "renders" / "some.npz", hands)
    noise = np.random.default_rng(0).integers(0, 255, (2, 200, 240, 3), np.uint8)
    bank.save(folder / "scenes" / "some.npz", [bank.Scene(image=image, group="noise") for image in noise])
    return folder


def trained(data, out, *, steps, side=64, start=None):
    from train_matte.compose import Composer
    from train_matte.train import train

    torch.manual_seed(0)
    torch.set_num_threads(1)
    options = argparse.Namespace(out=out, steps=4, batch=4, rate=2e-3, start=start, keep=1, workers=0)
    losses = []
    for step, loss in train(Composer(data, side, 0), options):
        losses.append(loss)
        if step == steps:
            break
    return losses, torch.load(out / "hand_matte.fp16.pt", weights_only=True)


def test_a_training_that_was_stopped_gives_the_same_weights(data, tmp_path):
    _, straight = trained(data, tmp_path / "straight", steps=2)
    trained(data, tmp_path / "stopped", steps=1)
    _, resumed = trained(data, tmp_path / "stopped", steps=2)
    assert straight.keys() == resumed.keys()
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name


@needs_committed
def test_committed_weights_are_a_start(data, tmp_path):
    from train_matte import checkpoint, evaluate
    from train_matte.compose import Composer
    from train_matte.model import MatteNet

    assert COMMITTED.stat().st_size < 4_000_000
    model, composer = MatteNet().eval(), Composer(data, 160, 0)
    checkpoint.load_small(COMMITTED, model)
    pictures = [composer.example(number) for number in range(10)]
    assert np.mean([evaluate.overlap(evaluate.answer(model, one), one) for one in pictures]) > 0.7
    trained(data, tmp_path / "begun", steps=1, start=COMMITTED)


def test_pictures_are_the_same_each_time_and_differ_by_number(data):
    from train_matte.compose import Composer

    first, again = (Composer(data, 64, 0).example(3) for _ in range(2))
    other = Composer(data, 64, 0).example(4)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.alpha, again.alpha)
    assert first.image.shape == (64, 64, 4)
    assert not np.array_equal(first.image, other.image)


def test_nothing_held_out_is_trained_on(data):
    from train_matte.heldout import is_held_out

    assert is_held_out("cgi-test/01")
    assert is_held_out("cgi/04")
    assert is_held_out("mate-backgrounds")
    assert not is_held_out("cgi/01")
    assert not is_held_out("tabler-ui")


@needs_committed
def test_what_is_exported_runs_in_handprep_and_answers_as_in_training(data, tmp_path):
    pytest.importorskip("onnx", reason="exporting needs onnx")
    from train_matte import checkpoint, evaluate, export
    from train_matte.compose import Composer
    from train_matte.model import MatteNet

    export.export(COMMITTED, tmp_path / "network.onnx")
    sample = one("paper")
    network = HandMatte(network=str(tmp_path / "network.onnx"))
    shipped = HandMatte().segment(sample.image, sample.hands)
    np.testing.assert_allclose(network.segment(sample.image, sample.hands), shipped, atol=1)
    model = MatteNet().eval()
    checkpoint.load_small(COMMITTED, model)
    example = Composer(data, export.SIDE, 0).example(0)
    assert evaluate.answer(model, example).shape == (export.SIDE, export.SIDE)
