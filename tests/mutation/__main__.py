"""Mutation testing: which small faults in the code does no test notice?

    python -m tests.mutation --of detection transforms --sample 0.2 --results mutants.jsonl

makes mutants of src/handprep/detection and transforms (`mutants`), runs for each the tests of these rooms
that reach its lines, the quickest first, and writes one line of JSON for each: which test killed it, or
none. Run it again to resume.

It needs POSIX, coverage and pytest-cov. Mutants are made in copies in ``--work``, never in your tree. Each is
a fork of a process that has imported the heavy libraries. One that takes two minutes counts as killed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import json
import math
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
COPIED = "src tests docs examples pyproject.toml README.md CHANGELOG.md LICENSE mkdocs.yml"
HEAVY = "numpy cv2 PIL.Image hypothesis pytest onnxruntime ai_edge_litert.interpreter"
PYTEST = ["-q", "-p", "no:cacheprovider", "-Wignore::pytest.PytestAssertRewriteWarning"]
SECONDS, MEMORY = 120, 12 << 30


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.mutation", description=__doc__)
    parser.add_argument("--of", nargs="+", default=["detection", "segmentation", "transforms"])
    parser.add_argument("--results", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "handprep-mutation"))
    parser.add_argument("--sample", type=float, default=1.0, help="share of each file's mutants")
    parser.add_argument("--seed", default="", help="another one makes another sample")
    parser.add_argument("--seconds", type=float, default=math.inf, help="of tests for a mutant at most")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    for job, name in itertools.product(range(given.jobs), COPIED.split()):
        place = given.work / str(job) / name
        if (ROOT / name).is_dir():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place)
    results = given.results.read_text().splitlines() if given.results.exists() else []
    done = {tuple(json.loads(line)["mutant"]) for line in results}
    todo = []
    for path in sorted(p for room in given.of for p in (ROOT / "src/handprep" / room).glob("*.py")):
        name, every = path.relative_to(ROOT).as_posix(), list(enumerate(mutants(path.read_text())))
        random.Random(given.seed + name).shuffle(every)  # so that a larger sample contains a smaller one
        some = every[: math.ceil(given.sample * len(every))]
        todo += [(name, number, mutant) for number, mutant in some if (name, number) not in done]
    random.Random(0).shuffle(todo)  # so that a run that is stopped is a sample, too
    tests = Tests(given.work, [f"tests/{room}" for room in given.of])
    for heavy in HEAVY.split():
        importlib.import_module(heavy)
    run_all(todo, tests, given)


class Tests:
    """Which tests run which lines, and how long they take."""

    def __init__(self, work: Path, folders: list[str]) -> None:
        data, xml = work / "coverage", work / "tests.xml"
        options = ["--cov=src/handprep", "--cov-context=test", "--cov-report=", f"--junit-xml={xml}"]
        environment = os.environ | {"COVERAGE_FILE": str(data), "PYTHONPATH": _path("src")}
        command = [sys.executable, "-m", "pytest", *PYTEST, *options, *folders]
        subprocess.run(command, check=True, cwd=work / "0", env=environment)
        from coverage import CoverageData

        held = CoverageData(str(data))
        held.read()
        self._lines = {
            Path(file).relative_to((work / "0").resolve()).as_posix(): held.contexts_by_lineno(file)
            for file in held.measured_files()
        }
        contexts = {c for of_file in self._lines.values() for some in of_file.values() for c in some}
        self._known = {context.rpartition("|")[0] for context in contexts} - {""}
        self._seconds: dict[str, float] = defaultdict(float)
        for case in ElementTree.parse(xml).iter("testcase"):
            self._seconds[f"{case.get('classname')}.{case.get('name')}"] += float(case.get("time", 0))

    def of(self, name: str, mutant: Mutant, most: float = math.inf) -> list[str]:
        """Return the tests that reach a mutant's lines, or its module where it runs on import."""
        lines = self._lines.get(name, {})
        here = {c for n in range(mutant.line, mutant.last_line + 1) for c in lines.get(n, [])}
        if "" in here:
            here |= {c for contexts in lines.values() for c in contexts}
        shared = {c.partition("::")[0] for c in here if c.endswith("|setup")}  # fixtures serve many tests
        names = {context.rpartition("|")[0] for context in here}
        reach = (test for test in self._known if test in names or test.partition("::")[0] in shared)
        timed = sorted((self._seconds[_dotted(test)], test) for test in reach)
        so_far = itertools.accumulate(seconds for seconds, _ in timed)
        return [test for (_, test), sum_ in zip(timed, so_far, strict=True) if sum_ <= most]


def run_all(todo: list[tuple[str, int, Mutant]], tests: Tests, given: argparse.Namespace) -> None:
    """Try the mutants, several at once, and write down what becomes of each."""
    free, running, waiting = list(range(given.jobs)), {}, todo[::-1]
    counts: dict[bool, int] = defaultdict(int)
    while waiting or running:
        while free and waiting:
            job, (name, number, mutant) = free.pop(), waiting.pop()
            child = start(given.work / str(job), name, mutant, tests.of(name, mutant, given.seconds))
            running[child] = job, name, number, mutant, time.monotonic()
        time.sleep(0.05)
        for child, (job, name, number, mutant, since) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            late = not ended and time.monotonic() - since > SECONDS
            if not ended and not late:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            if late:
                os.waitpid(child, 0)
            folder = given.work / str(job)
            shutil.copy(ROOT / name, folder / name)
            said = re.findall(
                r"^(?:FAILED|ERROR) (\S+)", (folder / "log").read_text("utf-8", "replace"), re.M
            )
            by = "time" if late else "" if status == 0 else (said or [f"status {status}"])[0]
            with given.results.open("a") as file:
                line = {"mutant": [name, number], "line": mutant.line, "what": mutant.what, "by": by}
                file.write(json.dumps(line) + "\n")
            counts[by == ""] += 1
            free.append(job)
            del running[child]
            print(f"{counts[False]} killed, {counts[True]} survived of {len(todo)}", flush=True)


def start(folder: Path, name: str, mutant: Mutant, wanted: list[str]) -> int:
    """Run tests on a mutant in a child process; it ends with 0 where none of them fails."""
    (folder / name).write_text(mutant.source)
    os.utime(folder / name, (0, random.Random(mutant.source).randrange(1 << 30)))  # no old bytecode serves
    if child := os.fork():
        return child
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ["PYTHONPATH"] = _path(str(folder / "src"))
        sys.path[:0] = [str(folder), str(folder / "src")]
        for module in [m for m in sys.modules if m.split(".")[0] in ("tests", "handprep")]:
            del sys.modules[module]
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        import pytest

        options = [*PYTEST, "-x", "--tb=short", "--hypothesis-seed=0"]
        code = pytest.main([*options, *wanted]) if wanted else 0
        if code == pytest.ExitCode.USAGE_ERROR:  # tests have other names where parameters are mutated
            code = pytest.main([*options, *sorted({test.partition("::")[0] for test in wanted})])
    finally:
        sys.stdout.flush()
        os._exit(int(code))
    raise AssertionError("it has ended")


def _dotted(test: str) -> str:
    """Return a test's name as it stands in the XML."""
    path, _, rest = test.partition("::")
    base, bracket, parameters = rest.partition("[")
    module = path.removesuffix(".py").replace("/", ".")
    return f"{module}.{base.replace('::', '.')}{bracket}{parameters}"


def _path(first: str) -> str:
    return os.pathsep.join([first, *filter(None, [os.environ.get("PYTHONPATH")])])


if __name__ == "__main__":
    main()
