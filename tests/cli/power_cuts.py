"""Folder runs on an ext4 file system whose power is cut: ``python -m tests.cli.power_cuts`` (Linux, root).

The file system lies in a file and is shut down at once, without writing what waits in memory
(``EXT4_IOC_SHUTDOWN`` with ``NOLOGFLUSH``), then mounted again. After a run that ended everything must be
there. After a run that was cut, the same command must end as if nothing had happened.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.cli.kills import CHEAP, small_photos
from tests.cli.test_program import COMMAND, without_times
from tests.prepared.folders import outputs

SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32) in linux/ext4.h
WITHOUT_LOG_FLUSH = (2).to_bytes(4, sys.byteorder)
MOUNTS = ("data=ordered", "data=writeback,nodelalloc", "noauto_da_alloc")
TABLES = ("detection.csv", "detection.md")


@contextmanager
def disk(work: Path, options: str) -> Iterator[Path]:
    """Make a file system of 256 MB in a file, and mount it."""
    image, mounted = work / "disk.img", work / "disk"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    mounted.mkdir(exist_ok=True)
    mount(work, options)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def mount(work: Path, options: str) -> None:
    """Mount the file system, which recovers its journal."""
    subprocess.run(["mount", "-o", f"loop,{options}", work / "disk.img", work / "disk"], check=True)


def cut_power(work: Path, options: str) -> None:
    """Lose what the file system has not written yet, and mount it again."""
    folder = os.open(work / "disk", os.O_RDONLY)
    try:
        fcntl.ioctl(folder, SHUTDOWN, WITHOUT_LOG_FLUSH)
    finally:
        os.close(folder)
    subprocess.run(["umount", work / "disk"], check=True)
    mount(work, options)


def check_finished(command: Sequence[str | Path], whole: Path, work: Path, options: str) -> None:
    """Cut the power after a run that ended, and look for every file of it."""
    with disk(work, options) as mounted:
        subprocess.run([*command, mounted / "out"], check=True)
        cut_power(work, options)
        check_whole(mounted / "out", whole, f"after a run that ended, {options}")


def check_cut(command: Sequence[str | Path], whole: Path, work: Path, options: str, seconds: float) -> int:
    """Cut the power during a run, run it again, and return how many outputs were there in between."""
    with disk(work, options) as mounted:
        with subprocess.Popen([*command, mounted / "out"], stderr=subprocess.DEVNULL) as process:
            time.sleep(seconds)
            folder = os.open(mounted, os.O_RDONLY)
            fcntl.ioctl(folder, SHUTDOWN, WITHOUT_LOG_FLUSH)
            os.close(folder)
            process.kill()
        subprocess.run(["umount", mounted], check=True)
        mount(work, options)
        there = outputs(mounted / "out") if (mounted / "out").exists() else {}
        torn = [name for name, content in there.items() if content != outputs(whole)[name]]
        assert not torn, f"{len(torn)} outputs are not whole after {seconds:.2f} s, {options}: {torn[:3]}"
        subprocess.run([*command, mounted / "out"], check=True)
        check_whole(mounted / "out", whole, f"cut after {seconds:.2f} s, {options}")
        return len(there)


def check_whole(folder: Path, whole: Path, when: str) -> None:
    """Compare a folder with that of a run that nothing happened to."""
    assert outputs(folder) == outputs(whole), f"other outputs {when}"
    assert without_times(folder) == without_times(whole), f"another manifest {when}"
    for name in TABLES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), f"another {name} {when}"


def main() -> None:
    """Cut the power as often as the command line says, in each way to mount the file system."""
    parser = argparse.ArgumentParser(prog="python -m tests.cli.power_cuts")
    parser.add_argument("--cuts", type=int, default=10, help="during a run, for each way (%(default)s)")
    parser.add_argument("--photos", type=int, default=400, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    given = parser.parse_args()
    random = Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        src, whole = small_photos(work / "photos", given.photos, (240, 180)), work / "whole"
        command = [*COMMAND, "run", *CHEAP, "--quiet", "--workers", "2", src]
        started = time.monotonic()
        subprocess.run([*command, whole], check=True)
        takes = time.monotonic() - started
        for options in MOUNTS:
            check_finished(command, whole, work, options)
            left = [
                check_cut(command, whole, work, options, random.uniform(0.3, takes))
                for _ in range(given.cuts)
            ]
            print(f"{options}: all is there after a run that ended; after cuts {sorted(left)} outputs")
        shutil.rmtree(work / "disk")


if __name__ == "__main__":
    sys.exit(main())
