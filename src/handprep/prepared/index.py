"""Which content each photo had when it was last read, so that it need not be read again to be recognised."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import stat
import time
from pathlib import Path
from typing import NamedTuple

from handprep.errors import HandNotFoundError, OutputError, SampleSkipped
from handprep.files import atomic_write, check_regular, make_folder
from handprep.prepared.origin import DIGEST
from handprep.text import printable

_log = logging.getLogger(__name__)

TICK = 2_000_000_000  # nanoseconds: the coarsest clock of a file system, FAT's
SLACK = 64  # outdated lines that are not worth a clean-up
FAULTS = {error.__name__: error for error in (HandNotFoundError, SampleSkipped)}
_DIGEST = re.compile(f"[0-9a-f]{{{2 * DIGEST}}}")  # it becomes a file's name, and the index may be damaged
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class Known(NamedTuple):  # a tuple, as 100,000 of them pickle in 0.05 s instead of 0.6
    """Size, time and inode of a photo's file, the digest of its content, and what a pipeline made of it.

    `fault` and `message` are of a photo in which the pipeline of that fingerprint finds no hand, and which
    then has no image; there is no other place to keep that.
    """

    size: int
    modified: int
    inode: int
    digest: str
    fingerprint: str = ""
    milliseconds: float = 0.0
    fault: str = ""
    message: str = ""

    def fault_of(self, fingerprint: str) -> HandNotFoundError | None:
        """Return the error of the pipeline of that fingerprint, if it is known to find no hand."""
        return FAULTS[self.fault](self.message) if self.fault and self.fingerprint == fingerprint else None


def stamp_of(found: os.stat_result) -> tuple[int, int, int]:
    """Return what shows that a file was changed or replaced: its size, time and inode."""
    return found.st_size, found.st_mtime_ns, found.st_ino


class Index:
    """What is known of photos by their paths, in memory and in a file that may be deleted at any time.

    Any number of processes append to the file, each line in one write. There is no lock: a line that is
    torn, mixed up or lost only means that its photo is read once more. The file is rewritten when it is
    opened and most of its lines are outdated.
    """

    def __init__(self, file: Path, root: str) -> None:
        self._path, self._prefix = file, os.path.join(root, "")  # noqa: PTH118 - strings
        self._known: dict[str, Known] = {}
        self._end, self._inode = 0, -1  # how far which file was read
        self._warned = False
        check_regular(file)
        if self.refresh() > 2 * len(self._known) + SLACK:
            try:
                atomic_write(file, b"".join(self._line(*item) for item in self._known.items()))
            except OutputError as error:
                self._warn_once(f"{printable(str(file))} keeps its outdated lines", error)

    def last(self, photo: str) -> Known | None:
        """Return what is known of a photo, which may have changed since."""
        return self._known.get(photo)

    def now(self, photo: str) -> Known | None:
        """Return what is known of a photo, or None where it must be read first."""
        known = self._known.get(photo)
        if known is None:
            return None
        try:
            found = os.stat(photo)  # noqa: PTH116 - at every reading of every image
        except OSError:
            return None  # reading the photo says why
        return known if stamp_of(found) == known[:3] and stat.S_ISREG(found.st_mode) else None

    def add(self, photo: str, known: Known) -> None:
        """Remember what is known of a photo, here and in the file.

        A photo that was changed only just now could change again without its time showing that. So its size
        is not remembered, and the photo is read again the next time.
        """
        if abs(time.time_ns() - known.modified) < TICK:
            known = known._replace(size=-1)
        if self._known.get(photo) == known:
            return
        self._known[photo] = known
        try:
            make_folder(self._path.parent, "")
            with self._path.open("ab", buffering=0) as file:
                file.write(b"\n" + self._line(photo, known))  # what was torn before ends here
        except (OSError, OutputError) as error:  # as on a read-only disk, where all may be prepared
            where = printable(self._prefix.rstrip(os.sep))
            self._warn_once(f"what is known of the photos of {where} is not kept", error)

    def refresh(self) -> int:
        """Read what any process appended since the last time; return the number of lines."""
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._inode or found.st_size < self._end:  # another file by now
                    self._inode, self._end = found.st_ino, 0
                file.seek(self._end)
                content = file.read()
        except FileNotFoundError:
            return 0
        except OSError as error:
            self._warn_once(f"{printable(str(self._path))} is not used", error)
            return 0
        *lines, torn = content.split(b"\n")
        self._end += len(content) - len(torn)
        for line in lines:
            try:
                values = json.loads(line)
                photo, known = os.path.join(self._prefix, values.pop("photo")), Known(**values)  # noqa: PTH118
                if _is_valid(known):
                    self._known[photo] = known
            except _DAMAGE:
                continue  # empty or damaged: at worst a photo is read again
        return sum(map(bool, lines))

    def _line(self, photo: str, known: Known) -> bytes:
        below = photo.removeprefix(self._prefix)
        name = below if below != photo else os.path.abspath(photo)  # noqa: PTH100
        return json.dumps({"photo": name, **known._asdict()}).encode() + b"\n"

    def _warn_once(self, consequence: str, error: Exception) -> None:
        if not self._warned:
            _log.warning("%s: %s", consequence, error)
        self._warned = True


def _is_valid(known: Known) -> bool:
    """Tell whether the values of a file that may be damaged are of the right kinds."""
    return (
        [*map(type, known)] == [int, int, int, str, str, float, str, str]
        and math.isfinite(known.milliseconds)
        and _DIGEST.fullmatch(known.digest) is not None
        and known.fault in ("", *FAULTS)
    )
