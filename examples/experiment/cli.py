"""The command line of run_experiment.py: prepare, train, report, resume."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

import handprep
from experiment import figures, report
from experiment.analysis import Answers, analyse
from experiment.arms import ARMS, QUICK, Arm
from experiment.cost import cost_of
from experiment.data import EMBEDDED, Layout, layout_of
from experiment.files import write_json, write_whole
from experiment.model import network
from experiment.preparation import Pictures, prepared
from experiment.runs import Run, Trainer, finished
from experiment.train import Settings, device_named
from handprep.errors import HandprepError

FULL = {"seeds": 5, "origin_seeds": 2, "epochs": 100}
SHORT = {"seeds": 2, "origin_seeds": 1, "epochs": 30}
GPU_JOBS = 4  # small networks leave most of a GPU idle


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do.

    Attributes
    ----------
    layout
        The photos.
    arms
        In the order in which they are done.
    settings
        Of training.
    seeds, origin_seeds
        How many networks an arm; and how many for each origin that is left out.
    quick
        Whether this is a short version.
    device, jobs
        Where to train, and how many networks at a time.
    out
        Where results go.
    """

    layout: Layout
    arms: tuple[Arm, ...]
    settings: Settings
    seeds: int
    origin_seeds: int
    quick: bool
    device: str
    jobs: int
    out: Path

    def runs(self, arm: Arm) -> list[Run]:
        """Return the runs of an arm that learn from all origins."""
        return [Run(arm=arm.name, seed=seed) for seed in range(self.seeds)]

    def origin_runs(self, arm: Arm) -> dict[str, list[Run]]:
        """Return the runs of an arm by the origin that they leave out."""
        if len(self.layout.origins) < 2 or not self.origin_seeds:
            return {}
        return {
            origin: [Run(arm=arm.name, seed=seed, without=origin) for seed in range(self.origin_seeds)]
            for origin in self.layout.origins
        }

    @property
    def told(self) -> dict[str, Any]:
        """What results.json says of the settings."""
        return {
            "epochs": self.settings.epochs,
            "batch": self.settings.batch,
            "rate": self.settings.rate,
            "seeds": self.seeds,
            "origin_seeds": self.origin_seeds,
            "quick": self.quick,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment that the arguments ask for and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _run(_plan(options))
    except HandprepError as error:
        print(f"run_experiment: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("run_experiment: stopped; run it again to resume.", file=sys.stderr)
        return 130
    return 0


def _run(plan: Plan) -> None:
    """Arm after arm: prepare, train, report. Then leave origins out."""
    packed: dict[str, Path] = {}
    costs: dict[str, dict[str, Any]] = {}
    with Trainer(plan.settings, plan.out / "runs", device=plan.device, jobs=plan.jobs) as trainer:
        for arm in plan.arms:
            packed[arm.name] = _prepare(plan, arm)
            photos = [plan.layout.folder / str(source) for source in Pictures.load(packed[arm.name]).sources]
            costs[arm.name] = cost_of(arm, photos, plan.out / "costs" / f"{arm.name}.json")
            _train(trainer, plan, plan.runs(arm), packed[arm.name], f"{arm.title}: training")
            if not plan.quick:  # what there is so far, as the rest takes hours
                _report(plan, packed, costs)
        for arm in plan.arms:
            left_out = [run for runs in plan.origin_runs(arm).values() for run in runs]
            _train(trainer, plan, left_out, packed[arm.name], f"{arm.title}: training without each origin")
    results = _report(plan, packed, costs)
    for told in results["arms"].values():
        print(f"{told['title']}: {100 * told['accuracy']['test']['mean']:.1f} % on test")
    print(plan.out / "report.html")


def _prepare(plan: Plan, arm: Arm) -> Path:
    _say(f"{arm.title}: preparing")
    write_whole(plan.out / "arms" / f"{arm.name}.json", arm.pipeline.to_json().encode())
    return prepared(arm, plan.layout, plan.out / "prepared", workers=None, progress=sys.stderr.isatty())


def _train(trainer: Trainer, plan: Plan, runs: Sequence[Run], packed: Path, doing: str) -> None:
    if not runs:
        return
    _say(f"{doing}, {len(runs)} {'network' if len(runs) == 1 else 'networks'}")
    with tqdm(
        total=len(runs) * plan.settings.epochs, unit="epoch", disable=None
    ) as bar:  # None: not in a log
        trainer.carry_out(runs, packed, bar.update)


def _report(plan: Plan, packed: dict[str, Path], costs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Write results.json, figures and report of all that is finished, and return the results."""
    pictures = {name: Pictures.load(path) for name, path in packed.items()}
    answers = {name: _answers(plan, ARMS[name], of) for name, of in pictures.items()}
    results = analyse(plan.layout, answers, costs, plan.told)
    for name, told in results["arms"].items():
        told["pipeline"] = _one_line(ARMS[name].pipeline)
        if ARMS[name].features:
            of, shape = " and ".join(ARMS[name].features), pictures[name].inputs.shape[1:]
            told["pipeline"] += f", then {of}, and as the network {_one_line(network(3, shape))}"
        if ARMS[name].augment:
            told["pipeline"] += "; training turns, scales and shifts the images"
    results |= {"handprep": handprep.__version__, "model": _one_line(network(3))}
    write_json(plan.out / "results.json", results)
    shown = figures.examples(plan.layout.folder, pictures, plan.out / "examples.png")
    drawn = {
        "curves": figures.curves(results, plan.out),
        "sources": figures.sources(results, plan.out),
        "examples": [shown],
    }
    report.write(results, drawn, plan.out)
    return results


def _answers(plan: Plan, arm: Arm, pictures: Pictures) -> Answers:
    """Return the records of an arm; those without an origin only when there is one of each."""

    def records(runs: Sequence[Run]) -> list[dict[str, Any]]:
        found = (finished(run, pictures.digest, plan.settings, plan.out / "runs") for run in runs)
        return [record for record in found if record is not None]

    without = {origin: records(runs) for origin, runs in plan.origin_runs(arm).items()}
    complete = all(len(found) == plan.origin_seeds for found in without.values())
    return Answers(
        pictures=pictures, all_origins=records(plan.runs(arm)), without=without if complete else {}
    )


def _plan(options: argparse.Namespace) -> Plan:
    short = SHORT if options.quick else FULL
    device = device_named(options.device)
    names = options.arms or (QUICK if options.quick else tuple(ARMS))
    jobs = options.jobs or (GPU_JOBS if device != "cpu" else os.cpu_count() or 1)
    return Plan(
        layout=layout_of(options.data or EMBEDDED),
        arms=tuple(arm for name, arm in ARMS.items() if name in names),
        settings=Settings(epochs=options.epochs or short["epochs"]),
        seeds=options.seeds or short["seeds"],
        origin_seeds=short["origin_seeds"] if options.origin_seeds is None else options.origin_seeds,
        quick=options.quick,
        device=device,
        jobs=jobs,
        out=options.out,
    )


def _one_line(value: object) -> str:
    return " ".join(repr(value).split())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_experiment.py",
        description="Train a small network on images of hands prepared in several ways, and report which "
        "way helps. Run it again to resume. "
        "Other commands: run_experiment.py fetch --help, run_experiment.py render --help.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder of photos, as examples/experiment/data.py says; without it, rendered hands",
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder for the results (results)")
    parser.add_argument(
        "--quick", action="store_true", help="fewer arms, seeds and epochs: minutes, not hours"
    )
    parser.add_argument(
        "--arms", nargs="+", choices=tuple(ARMS), metavar="ARM", help=f"some of {', '.join(ARMS)}"
    )
    parser.add_argument("--seeds", type=_one_or_more, help="networks an arm (5; quick: 2)")
    parser.add_argument(
        "--origin-seeds", type=_none_or_more, help="networks an arm for each origin left out (2; quick: 1)"
    )
    parser.add_argument(
        "--epochs", type=_one_or_more, help="rounds through the training images (100; quick: 30)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (auto: a GPU where there is one)")
    parser.add_argument(
        "--jobs", type=_one_or_more, help="networks trained at a time (one a core; 4 on a GPU)"
    )
    return parser


def _one_or_more(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def _none_or_more(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {number}")
    return number
