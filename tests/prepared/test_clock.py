"""Clocks that are wrong or change: what is finished stays finished, and what changed is prepared again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from handprep import prepare
from tests.prepared.folders import RESIZE, identities, outputs, picture

HOUR = 3600 * 10**9  # nanoseconds
ODD_TIMES = (0, 1, 2**31 * 10**9, 2**32 * 10**9, 4_102_444_800 * 10**9, -HOUR)


@pytest.fixture
def src(tmp_path: Path) -> Path:
    for number in range(len(ODD_TIMES)):
        picture(tmp_path / f"photos/{number}.png", (30 * number, 9, 99))
    return tmp_path / "photos"


def shift(folder: Path, nanoseconds: int) -> None:
    """Shift the times of all files, as disks do whose times are local, and clocks that are set."""
    for path in folder.rglob("*.*"):
        if path.is_file():
            was = path.stat().st_mtime_ns
            os.utime(path, ns=(was + nanoseconds, was + nanoseconds))


@pytest.mark.parametrize("hours", [-1, 1, -24 * 365 * 30])
def test_times_that_shift_leave_everything_finished(hours: int, src: Path, tmp_path: Path) -> None:
    prepare(src, tmp_path / "prepared", RESIZE)
    before = {name: inode for name, (inode, _) in identities(tmp_path / "prepared").items()}
    shift(src, hours * HOUR)
    shift(tmp_path / "prepared", hours * HOUR)

    assert prepare(src, tmp_path / "prepared", RESIZE).resumed == len(ODD_TIMES)
    assert {name: inode for name, (inode, _) in identities(tmp_path / "prepared").items()} == before


def test_a_photo_that_changes_while_the_clock_is_set_back_is_prepared_again(
    src: Path, tmp_path: Path
) -> None:
    prepare(src, tmp_path / "prepared", RESIZE)
    old = outputs(tmp_path / "prepared")
    was = (src / "0.png").stat()
    picture(src / "0.png", (1, 9, 99))  # as large as before: one byte of its colour is another
    assert (src / "0.png").stat().st_size == was.st_size
    os.utime(src / "0.png", ns=(was.st_mtime_ns - 9 * HOUR,) * 2)

    assert prepare(src, tmp_path / "prepared", RESIZE).resumed == len(ODD_TIMES) - 1
    assert outputs(tmp_path / "prepared")["0.png"] != old["0.png"]


def test_a_clock_that_runs_backwards_during_the_run_does_no_harm(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [time.time()]

    def back() -> float:
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", back)
    monkeypatch.setattr(time, "time_ns", lambda: int(back() * 1e9))
    result = prepare(src, tmp_path / "prepared", RESIZE)

    assert result.counts["done"] == len(ODD_TIMES)
    assert all(0 < row.milliseconds < 60_000 for row in result.rows)
    assert prepare(src, tmp_path / "prepared", RESIZE).resumed == len(ODD_TIMES)
