"""The command of the speed tables works with whatever peers there are; how fast they are, no test says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, "-m", "tests.benchmarks", "--rounds", "1", "--count", "2", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300).stdout


def rows(printed, title):
    """Return the cells of the rows below a title, each row's name first."""
    (section,) = [part for part in printed.split("\n## ") if part.startswith(title)]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return {
        cells[0]: cells[1:]
        for cells in ([c.strip() for c in line.strip("|").split("|")] for line in lines[1:])
    }


@pytest.fixture(scope="module")
def printed():
    return run("--tables", "hands", "stages", "resize", "threads")


def test_the_table_of_hands_has_the_limit_as_its_unit(printed):
    found = rows(printed, "Decoded 300×200")
    assert found["the two networks alone (the limit)"][-1] == "1.000"
    assert float(found["detect + crop + resize to 64 + grey"][-1]) > 0


def test_the_shares_of_the_stages_are_those_of_a_whole(printed):
    shares = [float(cells[-1].rstrip("%")) for cells in rows(printed, "Where the time").values()]
    assert len(shares) >= 8
    assert sum(shares) == pytest.approx(100, abs=1)  # each is rounded to 0.1


def test_every_size_is_resized_by_all_that_take_part(printed):
    found = rows(printed, "Resize + pad + grey")
    assert len(found) == 3 * 5
    assert len({len(cells) for cells in found.values()}) == 1


def test_a_peer_that_cannot_run_is_named_with_the_reason():
    printed = run("--tables", "hands", "--classic", sys.executable)  # which has no classic API
    assert "Skipped: MediaPipe's classic API" in printed
    assert "cannot run it" in printed
