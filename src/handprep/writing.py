"""Writing files whole or not at all, and only inside of the folder that was given."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from handprep.errors import OutputError
from handprep.names import printable

TEMPORARY = ".handprep-*.tmp"  # what an interrupted write leaves behind
HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV, errno.ESTALE}
REMEDIES = {
    errno.ENOENT: "there is no such folder. Create it first",
    errno.EACCES: "no permission. Allow this user to write there, or choose another folder",
    errno.EPERM: "no permission. Allow this user to write there, or choose another folder",
    errno.EROFS: "that disk is read-only. Choose another folder",
    errno.ENOSPC: "the disk is full. Make room, or choose another",
    errno.EDQUOT: "the disk quota is used up. Make room, or choose another disk",
    errno.EFBIG: "it is larger than files may be here. Raise that limit (ulimit -f)",
    errno.ENOTDIR: "what should be its folder is a file. Move it away, or choose another folder",
    errno.EEXIST: "what should be a folder is a file. Move it away",
    errno.EISDIR: "that is a folder. Move it away, or choose another name",
    errno.ENAMETOOLONG: "the name is too long. Shorten it, or that of the photo",
}


def write_whole(
    path: Path, content: bytes, *, announce: Callable[[os.stat_result], None] | None = None
) -> None:
    """Write a file: either all of it, or nothing.

    Parameters
    ----------
    path
        Where to; its folder must exist. A file of that name is replaced, a symbolic link is not followed.
    content
        The whole content.
    announce
        Called when all is written and only the name is still missing, with what `os.stat` says of the
        file. What it raises keeps the file from getting its name.

    Raises
    ------
    OutputError
        If the file cannot be written; its cause is the `OSError`, or a `ValueError` for a null byte.
    """
    temporary = path.parent / TEMPORARY.replace("*", f"{os.getpid()}-{uuid.uuid4().hex}")
    try:
        try:
            temporary.write_bytes(content)
            if announce is not None:
                announce(temporary.stat())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise output_error(path, error) from error


def make_folder(root: Path, relative: str) -> Path:
    """Make a folder below another one, unless it is there, and return its path.

    Parameters
    ----------
    root
        The folder to stay inside of; it is made, too.
    relative
        The way from there, joined with ``/``; empty for `root` itself.

    Raises
    ------
    OutputError
        If it cannot be made, or a symbolic link on the way could lead out of `root`.
    """
    folder = root
    try:
        root.mkdir(parents=True, exist_ok=True)
        for part in filter(None, relative.split("/")):
            folder = folder / part
            if folder.is_symlink() or part == "..":
                raise OutputError(
                    f"{printable(str(folder))} is a link that could lead out of {printable(str(root))}, "
                    "where nothing may be written. Put a folder in its place"
                )
            folder.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder


def make_folders(root: Path, relatives: Iterable[str]) -> None:
    """Make several folders below another one, and remove what interrupted writes left in them.

    Raises
    ------
    OutputError
        As for `make_folder` and `remove`.
    """
    for made in [make_folder(root, relative) for relative in sorted(set(relatives))]:
        for left_behind in made.glob(TEMPORARY):
            remove(left_behind)


def remove(path: Path) -> None:
    """Remove a file.

    Raises
    ------
    OutputError
        If it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def below(root: Path, relative: str) -> Path | None:
    """Return the path of something below a folder, or None where it would not really lie there.

    Parameters
    ----------
    root
        The folder.
    relative
        The way from there, joined with ``/``, from a file that may have been tampered with.
    """
    parts = relative.split("/")
    if any(part in ("", "..") or Path(part).name != part for part in parts):
        return None
    folders = [root.joinpath(*parts[:count]) for count in range(1, len(parts))]
    try:
        if b"\0" in os.fsencode(relative) or any(f.is_symlink() or not f.is_dir() for f in folders):
            return None
    except (OSError, UnicodeError):  # a name that is too long, or is none in any file system
        return None
    return root.joinpath(*parts)


def output_error(path: Path | str, error: OSError | ValueError) -> OutputError:
    """Return the error that says why a path could not be written and what helps."""
    number, text = getattr(error, "errno", None), getattr(error, "strerror", None)
    problem = REMEDIES.get(number or 0, text or str(error))
    return OutputError(f"{printable(str(path))} cannot be written: {problem}")


def is_hopeless(error: OutputError) -> bool:
    """Tell whether the next file could not be written either: disk full, read-only or gone."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in HOPELESS
