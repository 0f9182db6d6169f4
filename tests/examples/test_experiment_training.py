"""Training in the experiment: the same for a seed, not done twice, whole or not there."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handprep.errors import InputError

torch = pytest.importorskip("torch", reason="needs handprep[examples]: torch")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from experiment.files import write_json, write_whole  # noqa: E402
from experiment.model import network  # noqa: E402
from experiment.preparation import Pictures  # noqa: E402
from experiment.runs import HELD_OUT, Run, Trainer, finished  # noqa: E402
from experiment.train import Settings, augmented, device_named  # noqa: E402

SETTINGS = Settings(epochs=3)
GROUPS = ("train/a", "train/b", "validation/c", "test/d")


def pictures(seed: int = 0, each: int = 12) -> Pictures:
    """Return noise in which the brighter half tells the class."""
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], each * len(GROUPS) // 2)
    images = rng.integers(0, 100, (len(labels), 64, 64)).astype(np.uint8)
    images[labels == 1, :32] += 100
    images[labels == 0, 32:] += 100
    return Pictures(
        inputs=images,
        augment=np.array(False),
        labels=labels.astype(np.int64),
        groups=np.repeat(GROUPS, each),
        sources=np.array([f"{number}.jpg" for number in range(len(labels))]),
        found=np.ones(len(labels), bool),
        milliseconds=np.ones(len(labels)),
        digest=f"{seed}",
    )


def packed(folder: Path, of: Pictures) -> Path:
    arrays = {name: getattr(of, name) for name in Pictures.__slots__ if name != "digest"}
    np.savez(folder / "arm.npz", digest=of.digest, **arrays)
    return folder / "arm.npz"


def records(folder: Path) -> dict[str, dict]:
    """Return all records but for what depends on the clock."""
    found = {path.name: json.loads(path.read_text()) for path in sorted((folder / "runs").rglob("*.json"))}
    return {name: {k: v for k, v in record.items() if k != "seconds"} for name, record in found.items()}


def train(
    folder: Path, *runs: Run, of: Pictures | None = None, jobs: int = 1, settings: Settings = SETTINGS
) -> int:
    """Train runs and return how many epochs were told of."""
    folder.mkdir(exist_ok=True)
    told: list[None] = []
    with Trainer(settings, folder / "runs", device="cpu", jobs=jobs) as trainer:
        trainer.carry_out(runs, packed(folder, of or pictures()), lambda: told.append(None))
    return len(told)


FIRST, SECOND = Run(arm="raw", seed=0), Run(arm="raw", seed=1)
WITHOUT = Run(arm="raw", seed=0, without="train/b")


def test_a_network_learns_what_can_be_learned(tmp_path):
    train(tmp_path, FIRST, of=pictures(each=64), settings=Settings(epochs=20))
    record = records(tmp_path)["all-origins-seed-0.json"]
    assert record["accuracy"]["train"][-1] == 1
    assert record["accuracy"]["test"][-1] == 1
    assert record["epochs"] == list(range(2, 21, 2))
    assert record["loss"][-1] < record["loss"][0]


def test_the_same_seed_gives_the_same_record_and_another_another(tmp_path):
    for name in ("once", "again"):
        train(tmp_path / name, FIRST, SECOND)
    once, again = records(tmp_path / "once"), records(tmp_path / "again")
    assert once == again
    first, second = once.values()
    assert first["probabilities"] != second["probabilities"]


@pytest.mark.slow
def test_several_at_a_time_give_the_same_records(tmp_path):
    assert train(tmp_path / "one", FIRST, WITHOUT) == 6
    assert train(tmp_path / "two", FIRST, WITHOUT, jobs=2) == 6
    assert records(tmp_path / "one") == records(tmp_path / "two")


def test_a_finished_run_is_not_done_again_but_a_missing_one_is(tmp_path):
    train(tmp_path, FIRST, SECOND)
    before = records(tmp_path)
    kept, lost = sorted((tmp_path / "runs").rglob("*.json"))
    time = kept.stat().st_mtime_ns
    lost.unlink()
    assert train(tmp_path, FIRST, SECOND) == 6
    assert kept.stat().st_mtime_ns == time
    assert records(tmp_path) == before


@pytest.mark.parametrize("changed", ["pictures", "settings"])
def test_a_run_is_done_again_when_what_it_depends_on_changed(tmp_path, changed):
    train(tmp_path, FIRST)
    other = {"of": pictures(seed=1)} if changed == "pictures" else {"settings": replace(SETTINGS, rate=0.01)}
    before = records(tmp_path)
    train(tmp_path, FIRST, **other)
    assert records(tmp_path) != before


def test_an_origin_that_is_left_out_is_asked_and_not_learned_from(tmp_path):
    train(tmp_path, FIRST, WITHOUT)
    all_origins, without = records(tmp_path).values()
    assert len(all_origins["probabilities"]) == 24  # validation and test
    assert len(without["probabilities"]) == 36  # and the origin
    assert HELD_OUT in without["accuracy"]
    of = pictures()
    assert set(of.groups[WITHOUT.chosen(of)]) == {"train/a"}


def test_a_record_of_other_pictures_is_not_taken(tmp_path):
    train(tmp_path, FIRST)
    assert finished(FIRST, "0", SETTINGS, tmp_path / "runs")
    assert finished(FIRST, "1", SETTINGS, tmp_path / "runs") is None
    assert finished(SECOND, "0", SETTINGS, tmp_path / "runs") is None


def test_accuracy_is_taken_every_tenth_of_the_epochs():
    assert Settings().every == 10
    assert Settings(epochs=20).every == 2
    assert Settings(epochs=3).every == 1


def test_the_network_has_dropout_and_no_batch_normalisation():
    layers = {type(layer).__name__: layer for layer in network(3)}
    assert layers["Dropout"].p == 0.5
    assert not any("Norm" in name for name in layers)
    assert network(3)(torch.zeros(2, 1, 64, 64)).shape == (2, 3)


def test_features_have_a_network_of_their_own():
    assert network(3, (28,))(torch.zeros(2, 28)).shape == (2, 3)
    assert not any("Norm" in type(layer).__name__ for layer in network(3, (28,)))


def test_a_network_learns_from_features_what_can_be_learned(tmp_path):
    of = pictures(each=64)
    halves = of.inputs.reshape(len(of.labels), 2, -1).mean(2).astype(np.float32) / 255
    train(tmp_path, FIRST, of=replace(of, inputs=halves), settings=Settings(epochs=30))
    assert records(tmp_path)["all-origins-seed-0.json"]["accuracy"]["test"][-1] == 1


def test_augmentation_turns_scales_and_shifts_each_image_by_itself_and_as_the_seed_says():
    images = torch.zeros(50, 1, 64, 64)
    images[:, :, 24:40, 28:36] = 1  # an upright bar
    torch.manual_seed(0)
    moved = augmented(images)
    torch.manual_seed(0)
    assert torch.equal(augmented(images), moved)
    assert len({image.numpy().tobytes() for image in moved}) == 50
    masses = moved.sum((1, 2, 3)) / images[0].sum()
    assert 0.75 < masses.min() < 0.95  # of area: up to 1.12 squared, smaller and larger
    assert 1.05 < masses.max() < 1.3
    for image in moved.numpy():
        x, y, turn = pose(image[0])
        assert np.hypot(x - 31.5, y - 31.5) <= 0.08 * 32 * 1.12 * 2**0.5 + 0.1
        assert abs(turn) <= 0.26
    turns = [pose(image[0])[2] for image in moved.numpy()]
    assert max(turns) > 0.2
    assert min(turns) < -0.2


def pose(image):
    """Return the centre of a bar and how far it is turned from upright, in radians."""
    y, x = np.indices(image.shape)
    weights = image / image.sum()
    x0, y0 = (weights * x).sum(), (weights * y).sum()
    xx, yy, xy = ((weights * p * q).sum() for p, q in ((x - x0, x - x0), (y - y0, y - y0), (x - x0, y - y0)))
    return x0, y0, np.arctan2(2 * xy, yy - xx) / 2


def test_training_with_augmentation_is_another_and_as_reproducible(tmp_path):
    of = replace(pictures(), augment=np.array(True), digest="augmented")
    for name in ("once", "again"):
        train(tmp_path / name, FIRST, of=of)
    train(tmp_path / "without", FIRST)
    once, again, without = (records(tmp_path / name)[FIRST.file[4:]] for name in ("once", "again", "without"))
    assert once == again
    assert once["probabilities"] != without["probabilities"]


def test_a_device_that_is_not_there_is_refused():
    assert device_named("cpu") == "cpu"
    with pytest.raises(InputError, match="cannot be trained on 'nonsense'"):
        device_named("nonsense")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    write_whole(tmp_path / "a.json", b"old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        write_json(tmp_path / "a.json", {"new": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_values_that_are_no_json_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
