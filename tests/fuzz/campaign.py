"""Many damaged inputs for one program, in a child process that is watched: what crashes or hangs it is kept.

A target is a module of this package with three functions. ``whole()`` returns an input as it should be,
``make(random)`` one that is damaged, both as bytes, and ``check(content)`` gives one to handprep and
returns in a few words how that ended. What handprep promises
is an `AssertionError` of `check` where it is not kept, and any exception out of it is a finding. So is a
child that dies, or that says nothing for `PATIENCE` seconds.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import importlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from random import Random
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds for one input; a few milliseconds are usual
START = 300.0  # seconds for a child to import what it needs, on a machine that is busy
BATCH = 10_000  # inputs for one child: a new one has no memory of what the others did to libraries
ROOM = 1 << 30  # bytes of address space for the inputs, beyond what the program takes when it starts
MOST_FINDINGS = 50  # of which the campaign ends


class Target(Protocol):
    """What a module of this package that can be fuzzed has."""

    def whole(self) -> bytes:
        """Return an input as it should be."""

    def make(self, random: Random) -> bytes:
        """Return a damaged input."""

    def check(self, content: bytes) -> str:
        """Give the input to handprep and return how that ended."""


def scratch() -> Path:
    """Make a folder for a target's files, in memory where that is possible; it goes with the process."""
    folder = tempfile.mkdtemp(prefix="handprep-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def target_of(name: str) -> Target:
    """Return a target by its module's name in this package."""
    module: Any = importlib.import_module(f"tests.fuzz.{name}")
    target: Target = module
    return target


def input_of(name: str, seed: int, index: int) -> bytes:
    """Return one input of a campaign; all of it follows from these three."""
    return target_of(name).make(Random(f"{name} {seed} {index}"))


@dataclass(slots=True)
class Progress:
    """How far a campaign is, and what it has seen.

    Attributes
    ----------
    done
        Inputs so far.
    outcomes
        How often each thing happened.
    findings
        The inputs that must not do what they did, as ``{"index", "problem"}``.
    seconds
        Time so far.
    """

    done: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(cls, path: Path) -> Progress:
        """Read it from a file, or begin."""
        if not path.exists():
            return cls()
        told = json.loads(path.read_text())
        return cls(told["done"], Counter(told["outcomes"]), told["findings"], told["seconds"])

    def save(self, path: Path) -> None:
        """Write it to a file."""
        told = {"done": self.done, "seconds": round(self.seconds, 1)}
        told |= {"outcomes": dict(self.outcomes.most_common()), "findings": self.findings}
        whole = path.with_suffix(".part")
        whole.write_text(json.dumps(told, indent=1) + "\n")
        whole.replace(path)

    def text(self) -> str:
        """Return a summary."""
        lines = [f"{self.done} inputs, {self.seconds:.0f} s, {len(self.findings)} findings"]
        lines += [f"{count:9}  {outcome}" for outcome, count in self.outcomes.most_common()]
        lines += [f"FINDING {finding['index']}: {finding['problem']}" for finding in self.findings]
        return "\n".join(lines)


def campaign(name: str, *, count: int, seed: int, folder: Path, patience: float | None = None) -> Progress:
    """Try inputs 0 to `count` - 1, or those that are left of them.

    Parameters
    ----------
    name
        The target.
    count
        How many inputs in all, those of earlier calls among them.
    seed
        Decides all inputs.
    folder
        Where progress and findings are kept, as ``NAME-SEED.json`` and ``NAME-SEED-INDEX.bin``.
    patience
        Seconds for one input; None for the target's own ``PATIENCE``, or this module's.
    """
    patience = patience or getattr(target_of(name), "PATIENCE", PATIENCE)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{seed}.json"
    progress = Progress.of(path)
    while progress.done < count and len(progress.findings) < MOST_FINDINGS:
        started = time.monotonic()
        stop = min(count, progress.done + BATCH)
        _batch(name, seed, stop, progress=progress, folder=folder, patience=patience)
        progress.seconds += time.monotonic() - started
        progress.save(path)
    return progress


def _batch(name: str, seed: int, stop: int, *, progress: Progress, folder: Path, patience: float) -> None:
    """Have one child try inputs, up to the first that it does not survive."""
    errors = folder / f"{name}-{seed}.stderr"
    told, tell = os.pipe()  # of their own: libraries print what they like to standard output
    command = [sys.executable, "-m", "tests.fuzz.child", name, *map(str, (seed, progress.done, stop, tell))]
    with errors.open("wb") as file:
        child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, pass_fds=[tell]
        )
    os.close(tell)
    with child, os.fdopen(told, "rb", buffering=0) as pipe:
        problem = _listen(child, pipe, progress, stop, patience)
    if problem is not None:
        said = errors.read_text(errors="replace").strip()
        _keep(name, seed, progress, f"{problem}\n{said[-4000:]}", folder)


def _listen(
    child: subprocess.Popen[bytes], pipe: FileIO, progress: Progress, stop: int, patience: float
) -> str | None:
    """Count what a child tells; return what is wrong with the input at which it ended, if anything."""
    pending, wait = b"", START
    while progress.done < stop:
        ready, _, _ = select.select([pipe], [], [], wait)
        if not ready:
            child.send_signal(signal.SIGABRT)  # faulthandler says where it is
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            child.kill()
            return f"no answer for {wait:.0f} s"
        if not (told := pipe.read(1 << 16)):
            return f"the process ended with {child.wait()}"
        *lines, pending = (pending + told).split(b"\n")
        for line in lines:
            outcome = line.decode()
            if outcome.startswith("!"):
                return outcome[1:]
            if outcome != "ready":
                progress.done += 1
                progress.outcomes[outcome] += 1
        wait = patience
    child.wait()
    return None


def _keep(name: str, seed: int, progress: Progress, problem: str, folder: Path) -> None:
    """Write a finding down, and leave its input behind."""
    index = progress.done
    (folder / f"{name}-{seed}-{index}.bin").write_bytes(input_of(name, seed, index))
    (folder / f"{name}-{seed}-{index}.txt").write_text(problem + "\n")
    progress.findings.append({"index": index, "problem": problem.partition("\n")[0][:300]})
    progress.outcomes["FINDING"] += 1
    progress.done += 1


def main(name: str) -> int:
    """Run a target's campaign from the command line; the exit code tells whether something was found."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.fuzz.{name}")
    parser.add_argument("--count", type=int, default=10_000, help="inputs in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="decides all inputs (%(default)s)")
    parser.add_argument(
        "--folder", type=Path, default=Path("fuzz-findings"), help="for progress and findings (%(default)s)"
    )
    parser.add_argument("--try", type=Path, dest="file", metavar="FILE", help="give this one input to it")
    given = parser.parse_args()
    if given.file is not None:
        print(target_of(name).check(given.file.read_bytes()))
        return 0
    progress = campaign(name, count=given.count, seed=given.seed, folder=given.folder)
    print(progress.text())
    return 1 if progress.findings else 0
