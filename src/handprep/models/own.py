"""Model files of the user's own: named by their path, told apart by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from handprep.errors import ModelError
from handprep.names import printable

PREFIX = "file:"

# Hashing takes 1 s a gigabyte and more: a file is hashed again only when it was touched.
_DIGESTS: dict[Path, tuple[tuple[int, ...], str]] = {}


def own_file(path: str | os.PathLike[str]) -> str:
    """Return the name under which handprep's functions know a model file that lies at a path.

    `fetch` gives the path back, and `fingerprint` tells the content, so that a `Configurable` which lists
    the name among its `model_files` is told apart when the file is replaced.

    Parameters
    ----------
    path
        The file. It need not be there yet.

    Examples
    --------
    >>> own_file("hands.onnx")
    'file:hands.onnx'
    """
    return PREFIX + os.fspath(path)


def is_own(name: str) -> bool:
    """Tell whether a name is one that `own_file` gave."""
    return name.startswith(PREFIX)


def path_of(name: str) -> Path:
    """Return the path of a user's own model file.

    Raises
    ------
    ModelError
        If there is no file.
    """
    path = Path(name.removeprefix(PREFIX))
    if not os.path.isfile(path):  # noqa: PTH113 - False, too, for what is no path on this machine
        problem = "is a folder" if os.path.isdir(path) else "is not there"  # noqa: PTH112
        where = printable(str(path.absolute()))
        raise ModelError(
            f"the model file {printable(str(path))} {problem} (looked for at {where}); "
            "put it there, or give the path at which it lies on this machine"
        )
    return path


def sha256_of(name: str) -> str:
    """Return the sha256 of a user's own model file as it is now.

    Raises
    ------
    ModelError
        If there is no file, or it cannot be read.
    """
    path = path_of(name).absolute()
    try:
        found = path.stat()  # before hashing, so that a change meanwhile shows next time
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = _DIGESTS.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"the model file {path} cannot be read: {error}") from error
    _DIGESTS[path] = stamp, digest
    return digest
