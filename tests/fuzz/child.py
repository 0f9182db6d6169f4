"""The child process of a campaign: tries inputs, one after the other, and tells how each ended."""

from __future__ import annotations

import faulthandler
import os
import resource
import sys
import traceback
from pathlib import Path

from tests.fuzz.campaign import ROOM, input_of, target_of


def main(name: str, seed: int, start: int, stop: int, pipe: int) -> None:
    """Tell ``ready``, and then of each input how it ended; after one that ends badly, no more."""
    faulthandler.enable()
    target = target_of(name)
    target.check(target.whole())  # imports and opens what it needs
    _limit_memory(getattr(target, "ROOM", ROOM))
    _tell(pipe, "ready")
    for index in range(start, stop):
        try:
            outcome = target.check(input_of(name, seed, index))
        except BaseException as error:  # noqa: BLE001 - also SystemExit: no file may end the program
            traceback.print_exc()
            _tell(pipe, f"!{type(error).__name__}: {str(error)[:200]!r}")
            return
        _tell(pipe, outcome)


def _limit_memory(room: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _tell(pipe: int, line: str) -> None:
    os.write(pipe, line.encode("ascii", "backslashreplace").replace(b"\n", b" ") + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
