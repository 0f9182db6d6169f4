"""Keeping a second run out of a folder of outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handprep.errors import OutputError
from handprep.names import printable
from handprep.writing import make_folder, output_error

LOCK = ".handprep.lock"


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Make a folder of outputs and hold its lock.

    Raises
    ------
    OutputError
        If another run holds the lock, or the folder cannot be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - not needed to import handprep

    path = make_folder(folder, "") / LOCK
    if path.is_symlink():  # opening it would make, or empty, whatever it leads to
        raise OutputError(f"{printable(str(path))} is a link, which is not followed. Remove it")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"another run is writing to {printable(str(folder))}: wait for its end, or give another folder"
        ) from error
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield
    finally:
        lock.release()
