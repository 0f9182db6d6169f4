"""Two programs that write to one folder at the same time: one does, the other says so and leaves it alone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.cli.kills import CHEAP, small_photos
from tests.cli.test_program import COMMAND, is_at, without_times
from tests.prepared.folders import leftovers, outputs


def test_the_second_is_refused_and_the_first_ends_as_if_alone(tmp_path: Path) -> None:
    src, dst = small_photos(tmp_path / "photos", 60, (60, 45)), tmp_path / "prepared"
    options = ["--quiet", "--workers", "1", *CHEAP]
    with subprocess.Popen([*COMMAND, "run", src, dst, *options]) as first:
        while first.poll() is None and not is_at(dst, 1):
            time.sleep(0.001)
        os.kill(first.pid, signal.SIGSTOP)  # so that it is surely still at work
        second = subprocess.run([*COMMAND, "run", src, dst, *options], capture_output=True, check=False)
        os.kill(first.pid, signal.SIGCONT)
    subprocess.run([*COMMAND, "run", src, tmp_path / "alone", *options], check=True)

    assert first.returncode == 0
    assert second.returncode == 1
    assert f"another run is writing to {dst}" in second.stderr.decode()
    assert outputs(dst) == outputs(tmp_path / "alone")
    assert without_times(dst) == without_times(tmp_path / "alone")
    assert not leftovers(dst)


def test_many_that_start_at_once_never_write_together(tmp_path: Path) -> None:
    src, dst = small_photos(tmp_path / "photos", 20, (60, 45)), tmp_path / "prepared"
    options = ["--quiet", "--workers", "1", *CHEAP]
    many = [subprocess.Popen([*COMMAND, "run", src, dst, *options], stderr=subprocess.PIPE) for _ in range(4)]
    ended = [(process.communicate()[1].decode(), process.returncode) for process in many]
    subprocess.run([*COMMAND, "run", src, tmp_path / "alone", *options], check=True)

    assert any(code == 0 for _, code in ended)
    assert all(code == 0 or "another run is writing to" in said for said, code in ended)
    assert outputs(dst) == outputs(tmp_path / "alone")
    assert without_times(dst) == without_times(tmp_path / "alone")
    assert not leftovers(dst)
