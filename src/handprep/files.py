"""Files that are whole or not there, folders to put them in, and locks on these."""

import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from handprep.errors import OutputError
from handprep.text import printable

TEMPORARY = ".handprep-*.tmp"  # what an interrupted write leaves behind
HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV, errno.ESTALE}
IN_USE = {5, 32}  # Windows: access denied, sharing violation. Scanners hold new files open for moments
RETRIES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # seconds
REMEDIES = {
    errno.ENOENT: "there is no such folder. Create it first",
    errno.EACCES: "no permission. Allow this user to write there, or choose another folder",
    errno.EPERM: "no permission. Allow this user to write there, or choose another folder",
    errno.EROFS: "that disk is read-only. Choose another folder",
    errno.ENOSPC: "the disk is full. Make room, or choose another",
    errno.EDQUOT: "the disk quota is used up. Make room, or choose another disk",
    errno.EIO: "the disk reports an error (EIO). Check it, or choose another",
    errno.EFBIG: "it is larger than files may be here. Raise that limit (ulimit -f)",
    errno.ENOTDIR: "what should be its folder is a file. Move it away, or choose another folder",
    errno.EEXIST: "what should be a folder is a file. Move it away",
    errno.EISDIR: "that is a folder. Move it away, or choose another name",
    errno.ENAMETOOLONG: "the name is too long. Shorten it, or that of the photo",
}


def is_temporary(name: str) -> bool:
    """Tell whether a file of that name is what an interrupted write left behind."""
    return PurePath(name).match(TEMPORARY)


def atomic_write(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file, all of it or nothing; raise OutputError, whose cause is the OSError, if that fails.

    A file of that name is replaced, a symbolic link is not followed. A `durable` file has its content on the
    disk before it gets its name; the name is there after `sync_folder`.
    """
    temporary = path.parent / TEMPORARY.replace("*", f"{os.getpid()}-{uuid.uuid4().hex}")
    try:
        try:
            with temporary.open("wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            _replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise output_error(path, error) from error


def _replace(temporary: Path, path: Path) -> None:
    """Rename, and on Windows try for a while where another program holds the old file open."""
    for seconds in (*RETRIES, None):
        try:
            temporary.replace(path)
            return
        except PermissionError as error:
            if seconds is None or getattr(error, "winerror", None) not in IN_USE:
                raise
            time.sleep(seconds)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where the system can do that for a folder."""
    if os.name != "posix":
        return
    try:
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):  # file systems that cannot, folders closed to us
            raise output_error(folder, error) from error


def make_folder(root: Path, relative: str) -> Path:
    """Make a folder below another one and return its path; raise OutputError if a link is on the way."""
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


def sweep(folder: Path, age: float = 0) -> None:
    """Remove what interrupted writes left in a folder, if it is at least so many seconds old."""
    for leftover in folder.glob(TEMPORARY):
        with suppress(FileNotFoundError):  # another process may be sweeping, too
            if age == 0 or time.time() - leftover.stat().st_mtime > age:
                remove(leftover)


def remove(path: Path) -> None:
    """Remove a file."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


@contextmanager
def locked(path: Path, *, busy: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock that a file stands for; raise OutputError, with the text `busy`, if another holds it.

    It is waited for so many seconds.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - not needed to import handprep

    check_regular(path)
    lock = FileLock(path, timeout=wait, thread_local=False)
    try:
        lock.acquire(poll_interval=0.005)
    except Timeout as error:
        raise OutputError(busy) from error
    except OSError as error:
        raise output_error(path, error) from error
    except NotImplementedError as error:
        raise OutputError(f"{printable(str(path))} cannot be locked: {error}") from error
    try:
        yield
    finally:
        lock.release()


def check_regular(path: Path) -> None:
    """Raise OutputError where something else than a file is in the place of one that is written in place."""
    try:
        mode = path.lstat().st_mode
    except OSError:  # there is none yet, or opening it says what is wrong
        return
    if not stat.S_ISREG(mode):  # a link would be written through to wherever it leads; a pipe would block
        kind = "a link, which is not followed" if stat.S_ISLNK(mode) else "no regular file"
        raise OutputError(f"{printable(str(path))} is {kind}. Remove it")


def output_error(path: Path | str, error: OSError | ValueError) -> OutputError:
    """Return the error that says why a path could not be written, what helps, and if all others are hit."""
    number, text = getattr(error, "errno", None), getattr(error, "strerror", None)
    problem = REMEDIES.get(number or 0, text or str(error))
    if getattr(error, "winerror", None) in IN_USE:
        problem = "another program, such as a spreadsheet or a virus scanner, holds it open. Close it there"
    raised = OutputError(f"{printable(str(path))} cannot be written: {problem}")
    raised.concerns_all = number in HOPELESS
    return raised
