"""Folder runs, killed with ``kill -9`` at random moments and carried on: ``python -m tests.cli.kills``.

Every time the end must be that of a run that nobody killed, byte for byte, and no file that a killed run
leaves behind under an output's name may be anything but the whole output.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import PIL.Image

from handprep.prepared.listing import INDEX
from tests import clips
from tests.cli.test_program import COMMAND, without_times
from tests.prepared.folders import leftovers, outputs
from tests.rendered import photos

CHEAP = ("--no-crop", "--size", "24", "--grey")
WITH_DETECTOR = ("--no-search", "--upright", "--size", "48")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One run that was killed.

    Attributes
    ----------
    at_least
        How many photos were in the index before it was to be killed; below 0 for a moment of its start.
    landed
        Whether it was still running.
    written
        How many outputs there were.
    torn
        Whether half-written files lay there.
    """

    at_least: int
    landed: bool
    written: int
    torn: bool


def small_photos(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Fill a folder with a clip and rendered hands, no two of one size."""
    (folder / "rock").mkdir(parents=True, exist_ok=True)
    clips.write(folder / "rock" / "clip.avi", clips.counted(20))
    for number in range(count):
        hand = photos()[number % 36]
        place = folder / hand.label / f"{number:04}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        with PIL.Image.open(hand.path) as photo:
            turn = number // 36
            photo.resize((size[0] + turn, size[1] + turn // 2)).save(place, quality=90)
    return folder


def killed_runs(kills: int, options: Sequence[str], src: Path, work: Path, seed: int) -> list[Kill]:
    """Kill so many runs, each in a folder of its own, and check what becomes of them.

    Parameters
    ----------
    kills
        How many.
    options
        Of ``handprep run``.
    src
        The photos.
    work
        An empty folder.
    seed
        Decides the moments: after so many photos, or before the first, and up to 20 ms.
    """
    command = [*COMMAND, "run", src, work / "whole", "--quiet", "--workers", "2", *options]
    subprocess.run(command, check=True)
    count, random = len(outputs(work / "whole")), Random(seed)
    return [_killed(command, work, random.randrange(-count // 10, count + 1), random) for _ in range(kills)]


def _killed(command: Sequence[str | Path], work: Path, at_least: int, random: Random) -> Kill:
    whole, dst = work / "whole", work / "killed"
    again = [dst if part == whole else part for part in command]
    with subprocess.Popen(again) as process:
        while process.poll() is None and _indexed(dst) < at_least:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.02 if at_least >= 0 else 1.0))
        process.kill()
    left = outputs(dst) if dst.exists() else {}
    kill = Kill(
        at_least=at_least,
        landed=process.returncode == -signal.SIGKILL,
        written=len(left),
        torn=bool(leftovers(dst)),
    )
    assert left.items() <= outputs(whole).items(), f"an output is not whole after {kill}"
    subprocess.run(again, check=True)
    assert outputs(dst) == outputs(whole), f"other outputs after {kill}"
    assert without_times(dst) == without_times(whole), f"another manifest after {kill}"
    for name in ("detection.csv", "detection.md"):
        assert (dst / name).read_bytes() == (whole / name).read_bytes(), f"another {name} after {kill}"
    assert not leftovers(dst), f"something is left behind after {kill}"
    shutil.rmtree(dst)
    return kill


def _indexed(dst: Path) -> int:
    """Return how many photos the index has; there is none in a folder that is not made yet."""
    index = dst / INDEX
    return index.read_bytes().count(b"{") if index.exists() else 0


def main() -> None:
    """Kill as often as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.cli.kills")
    parser.add_argument("--kills", type=int, default=50, help="(%(default)s)")
    parser.add_argument("--photos", type=int, default=200, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--detector", action="store_true", help="crop to the hand, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        size = (240, 180) if given.detector else (60, 45)
        src = small_photos(work / "photos", given.photos, size)
        options = WITH_DETECTOR if given.detector else CHEAP
        kills = killed_runs(given.kills, options, src, work, given.seed)
    for kill in sorted(kills, key=lambda kill: kill.at_least):
        torn = ", one half-written" if kill.torn else ""
        print(f"at {kill.at_least:5} in the index: {kill.written:5} outputs{torn}")
    landed = sum(kill.landed for kill in kills)
    during = sum(kill.landed and 0 < kill.written < given.photos for kill in kills)
    print(
        f"{len(kills)} runs, {landed} killed while they ran, {during} of them with some outputs but not all"
    )
    print("all were carried on to the same bytes")


if __name__ == "__main__":
    sys.exit(main())
