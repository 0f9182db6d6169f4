"""The experiment from end to end, run as its users run it, on a part of the embedded, rendered hands."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from handprep import Pipeline

ROOT = Path(__file__).parents[2]
EMBEDDED = ROOT / "examples" / "rendered-study"
MISSING = [name for name in ("torch", "scipy", "matplotlib") if not importlib.util.find_spec(name)]
EACH = 2  # photos of a class in a group

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs handprep[examples]; missing: {', '.join(MISSING)}"),
]


def command(data: Path, out: Path, *options: str) -> list[str]:
    script = str(ROOT / "examples" / "run_experiment.py")
    short = (
        "--quick",
        "--arms",
        "raw",
        "cropped",
        "landmarks",
        "--seeds",
        "2",
        "--epochs",
        "2",
        "--jobs",
        "1",
    )
    return [sys.executable, script, "--data", str(data), "--out", str(out), *short, *options]


def experiment(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, cwd=ROOT)


def records(out: Path) -> dict[str, dict[str, Any]]:
    """Return what the networks did, but for what depends on the clock."""
    found = {}
    for path in sorted((out / "runs").rglob("*.json")):
        record = json.loads(path.read_text())
        found[path.relative_to(out).as_posix()] = {key: record[key] for key in record if key != "seconds"}
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few photos of each class in each group, and a further set."""
    folder = tmp_path_factory.mktemp("data")
    for group in [path.parent for path in EMBEDDED.glob("*/*/rock")]:
        for label in ("paper", "rock", "scissors"):
            there = folder / group.relative_to(EMBEDDED) / label
            there.mkdir(parents=True)
            for photo in sorted((group / label).iterdir())[:EACH]:
                shutil.copy(photo, there)
    shutil.copytree(folder / "test" / "group-b", folder / "more")
    return folder


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a whole run."""
    folder = tmp_path_factory.mktemp("results") / "new"
    done = experiment(data, folder)
    assert done.returncode == 0, done.stderr
    assert str(folder / "report.html") in done.stdout
    return folder


def test_all_that_was_promised_is_there(out: Path) -> None:
    names = {path.name for path in out.iterdir()}
    sets = ("train", "validation", "test", "more")
    curves = {f"curve-{name}.{ending}" for name in sets for ending in ("png", "svg")}
    assert names >= curves | {"results.json", "report.md", "report.html", "examples.png", "sources.svg"}
    assert not list(out.rglob("*.part"))


def test_each_arm_lies_beside_the_results_as_json(out: Path) -> None:
    arms = {path.stem: Pipeline.from_json(path.read_text()) for path in (out / "arms").glob("*.json")}
    assert set(arms) == {"raw", "cropped", "landmarks"}
    assert len(arms["cropped"].transforms) == 4


def test_results_hold_every_figure_of_the_report(out: Path) -> None:
    results = json.loads((out / "results.json").read_text())
    cropped, compared = results["arms"]["cropped"], results["compared_with_raw"]["cropped"]
    assert len(cropped["accuracy"]["test"]["values"]) == 2
    assert set(cropped["left_out_origin"]) == {
        f"train/{name}" for name in ("cgi", "custom", "hands", "webcam")
    }
    assert compared["sets"]["test"]["mcnemar"]["p_adjusted"] <= 1
    assert set(compared["sources"]["differences"]) == {
        *cropped["left_out_origin"],
        *("validation/group-a", "test/group-b"),
    }
    assert results["photos"]["more"] == {"paper": EACH, "rock": EACH, "scissors": EACH}
    assert sum(map(sum, cropped["confusion"]["test"])) == 3 * EACH
    parts = compared["without_hand"]["test"]
    assert parts["none"]["photos"] + parts["found"]["photos"] == 3 * EACH


def test_hands_are_found_and_the_crop_costs_little_more_than_its_detector(out: Path) -> None:
    cropped = json.loads((out / "results.json").read_text())["arms"]["cropped"]
    assert sum(cropped["hands_found"]["train/cgi"].values()) >= 2 * EACH  # of three times as many
    assert cropped["cost"]["ratio"] < 2  # 1.1 when nothing else runs; more than 2 is a mistake in measuring


def test_the_report_says_that_it_was_a_quick_run_and_needs_no_other_file(out: Path) -> None:
    page = (out / "report.html").read_text()
    assert "This was a quick run: 2 seeds, 2 epochs" in page
    assert "H0" in page
    assert page.count("data:image/") == 6
    assert 'src="http' not in page
    assert "H0 is" in (out / "report.md").read_text()


def test_the_same_command_again_trains_nothing_and_says_the_same(data: Path, out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*.json")}
    results = (out / "results.json").read_text()
    assert experiment(data, out).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*.json")} == before
    assert (out / "results.json").read_text() == results


def test_another_run_on_this_machine_gives_the_same_networks(data: Path, out: Path, tmp_path: Path) -> None:
    assert experiment(data, tmp_path, "--jobs", "2").returncode == 0
    assert records(tmp_path) == records(out)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_run_carries_on_and_ends_the_same(data: Path, out: Path, tmp_path: Path) -> None:
    running = subprocess.Popen(command(data, tmp_path), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            if list(tmp_path.glob("runs/raw/*.json")) or running.poll() is not None:
                break
            time.sleep(0.1)
        assert running.poll() is None, "it was killed in its middle"
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/raw/*.json")}
    assert kept
    done = experiment(data, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert records(tmp_path) == records(out)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--arms", "cooked"), "invalid choice: 'cooked'"),
        (("--seeds", "0"), "must be 1 or more, not 0"),
        (("--device", "nonsense"), "cannot be trained on 'nonsense'"),
        (("--data", "/nowhere"), "/nowhere is not a folder"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    options: tuple[str, ...], says: str, data: Path, tmp_path: Path
) -> None:
    done = experiment(data, tmp_path / "out", *options)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
