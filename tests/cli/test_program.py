"""The command as a program of its own: killed, interrupted, on odd consoles."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image

from tests.prepared.folders import copied, identities, outputs
from tests.rendered import RENDERED, photos

COMMAND = [sys.executable, "-m", "handprep"]


def test_killed_at_any_moment_it_is_carried_on_to_the_same_end(tmp_path: Path) -> None:
    """With real ``kill -9`` between and within photos: nothing is done twice, nothing differs."""
    src, dst, whole = RENDERED / "photos", tmp_path / "killed", tmp_path / "whole"
    arguments = ["--size", "64", "--workers", "2", "--quiet"]
    finished: dict[str, tuple[int, int]] = {}
    landed = 0
    for at_least, wait in ((0, 0.0), (1, 0.003), (8, 0.011), (16, 0.007), (24, 0.017)):
        with subprocess.Popen([*COMMAND, "run", src, dst, *arguments]) as process:
            while process.poll() is None and not is_at(dst, at_least):
                time.sleep(0.001)
            time.sleep(wait)
            process.kill()
        landed += process.returncode == -signal.SIGKILL and len(identities(dst)) < len(photos())
        assert identities(dst).items() >= finished.items()
        finished = identities(dst)
    assert landed >= 3  # a stalled machine may let a run end before it is killed

    assert subprocess.run([*COMMAND, "run", src, dst, *arguments], check=False).returncode == 0
    assert subprocess.run([*COMMAND, "run", src, whole, *arguments], check=False).returncode == 0

    assert identities(dst).items() >= finished.items()
    assert outputs(dst) == outputs(whole)
    assert len(outputs(dst)) == len(photos())
    assert without_times(dst) == without_times(whole)
    for name in ("detection.csv", "detection.md"):
        assert (dst / name).read_bytes() == (whole / name).read_bytes()
    assert not list(dst.rglob("*.tmp"))


def is_at(dst: Path, at_least: int) -> bool:
    return (dst / ".handprep.jsonl").exists() and len(identities(dst)) >= at_least


def test_ctrl_c_ends_it_with_130_and_says_how_to_carry_on(tmp_path: Path) -> None:
    dst = tmp_path / "prepared"
    command = [*COMMAND, "run", RENDERED / "photos", dst, "--workers", "1", "--quiet"]
    # a shell that starts tests in the background has them, and whatever they start, ignore Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        signal.signal(signal.SIGINT, before)
        while process.poll() is None and not is_at(dst, 2):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        err = process.communicate()[1].decode()

    assert process.returncode == 130
    done = len(outputs(dst))
    assert 2 <= done < len(photos())
    assert "handprep: interrupted\n" in err
    assert f"handprep: {done} of 36 photos are done. Run it again to resume.\n" in err
    assert "Traceback" not in err
    assert len(without_times(dst)) == done + 1


def test_names_that_the_console_cannot_show_are_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "手"
    folder.mkdir(parents=True)
    PIL.Image.new("RGB", (8, 8)).save(folder / "a.png")
    (folder / os.fsdecode(b"\xff\x1b[31m.png")).touch()
    ended = subprocess.run(
        [*COMMAND, "run", tmp_path / "photos", tmp_path / "prepared", "--no-crop"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )

    assert ended.returncode == 1
    assert rb"\u624b" in ended.stdout
    assert rb"failed: \u624b/\udcff\x1b[31m.png: " in ended.stderr


def test_a_reader_that_goes_away_is_no_error_to_complain_of(tmp_path: Path) -> None:
    src, dst = copied(tmp_path / "photos"), tmp_path / "prepared"
    command = [*COMMAND, "run", src, dst, "--no-crop"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()

    assert b"Traceback" not in err
    assert b"Exception" not in err
    assert len(outputs(dst)) == 9


def without_times(dst: Path) -> list[list[str]]:
    """Return the manifest's cells but for the milliseconds."""
    with (dst / "manifest.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    column = header.index("milliseconds")
    return [[*row[:column], *row[column + 1 :]] for row in (header, *rows)]
