"""Keeping a second run out of a folder of outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handprep.errors import OutputError
from handprep.folder.writing import make_folder, output_error
from handprep.names import printable

STATE = ".handprep"  # the folder of a run's state, within the folder of outputs


@contextmanager
def sole_run(folder: Path) -> Iterator[Path]:
    """Make a folder of outputs and its folder of state, and hold the latter's lock; give its path.

    Raises
    ------
    OutputError
        If another run holds the lock, or they cannot be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - not needed to import handprep

    state = make_folder(folder, STATE)
    lock = FileLock(state / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"another run is writing to {printable(str(folder))}: wait for its end, or give another folder"
        ) from error
    except OSError as error:
        raise output_error(state / "lock", error) from error
    try:
        yield state
    finally:
        lock.release()
