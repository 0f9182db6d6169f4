"""Which content each photo had when it was last read, so that it need not be read to be known again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from pathlib import Path
from typing import TypeAlias

from handprep.errors import OutputError
from handprep.folder.journal import Stamp
from handprep.names import printable
from handprep.writing import make_folder, write_whole

_log = logging.getLogger(__name__)

FOLDER = "photos"  # in the cache; it has a file for each folder of photos
TICK = 2_000_000_000  # nanoseconds: the coarsest clock of a file system, FAT's
SLACK = 64  # outdated lines that are not worth a clean-up
_DIGEST = re.compile(r"[0-9a-f]{32}")  # Stamp's; it becomes a file's name, and the index may be damaged

_Known: TypeAlias = tuple[int, int, int, str]  # a Stamp; as a tuple, 100,000 pickle in 0.05 s instead of 0.6


class Index:
    """Digests of photos by their paths, valid as long as a photo's size, time and inode stay the same.

    They are kept in memory and in a file that any number of processes append to, each line in one
    write. There is no lock: a line that is torn, mixed up or lost only means that its photo is read
    once more. The file is cleaned up when it is opened and most of its lines are outdated.

    Parameters
    ----------
    cache
        The folder of the cache. Nothing is written before the first `add`.
    root
        The folder of the photos. Their paths begin with it, as it is given here.
    """

    def __init__(self, cache: Path, root: str) -> None:
        self._cache, self._root = cache, os.path.abspath(root)  # noqa: PTH100 - strings, as photos' paths are
        self._prefix = os.path.join(root, "")  # noqa: PTH118
        name = hashlib.blake2b(os.fsencode(self._root), digest_size=8).hexdigest()
        self._path = cache / FOLDER / f"{name}.jsonl"
        self._known: dict[str, _Known] = {}
        self._end, self._inode = 0, -1  # how far which file was read
        self._warned = False
        if self.refresh() > 2 * len(self._known) + SLACK:
            self._clean_up()

    def digest_of(self, photo: str) -> str | None:
        """Return the digest of a photo's content, or None where the photo has to be read to know it."""
        known = self._known.get(photo)
        if known is None:
            return None
        try:
            found = os.stat(photo)  # noqa: PTH116 - at every reading of every picture
        except OSError:
            return None  # who reads the photo next says why
        size, modified, inode, digest = known
        same = found.st_size == size and found.st_mtime_ns == modified and found.st_ino == inode
        return digest if same else None

    def add(self, photo: str, stamp: Stamp) -> None:
        """Remember a photo's digest, here and in the file.

        A photo that was changed only just now could change again without its time showing that. It is
        not remembered, and so is read again the next time.
        """
        known = (stamp.size, stamp.modified, stamp.inode, stamp.digest)
        if self._known.get(photo) == known or abs(time.time_ns() - stamp.modified) < TICK:
            return
        self._known[photo] = known
        try:
            self._append(self._line(photo))
        except (OSError, OutputError) as error:  # as on a read-only disk, where all may be prepared
            self._warn_once(f"what is known of the photos of {printable(self._root)} is not kept", error)

    def refresh(self) -> int:
        """Read what was appended since the last time, by any process; return the number of lines."""
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
            self._remember(line)
        return sum(map(bool, lines))

    def _remember(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            known = entry["size"], entry["modified"], entry["inode"], entry["digest"]
            photo = os.path.join(self._prefix, entry["photo"])  # noqa: PTH118
            if _DIGEST.fullmatch(known[3]):
                self._known[photo] = known
        except (ValueError, TypeError, KeyError, RecursionError):
            return  # empty, damaged, or the first line: at worst a photo is read again

    def _line(self, photo: str) -> bytes:
        size, modified, inode, digest = self._known[photo]
        below = photo.removeprefix(self._prefix)
        name = below if below != photo else os.path.abspath(photo)  # noqa: PTH100
        entry = {"photo": name, "size": size, "modified": modified, "inode": inode, "digest": digest}
        return json.dumps(entry).encode() + b"\n"

    def _first_line(self) -> bytes:
        return json.dumps({"root": self._root}).encode() + b"\n"

    def _append(self, line: bytes) -> None:
        make_folder(self._cache, FOLDER)
        with self._path.open("ab", buffering=0) as file:
            if os.fstat(file.fileno()).st_size == 0:
                line = self._first_line() + line
            file.write(b"\n" + line)  # what was torn before ends here

    def _clean_up(self) -> None:
        try:
            write_whole(self._path, self._first_line() + b"".join(map(self._line, list(self._known))))
        except OutputError as error:
            self._warn_once(f"{printable(str(self._path))} keeps its outdated lines", error)

    def _warn_once(self, consequence: str, error: Exception) -> None:
        if not self._warned:
            _log.warning("%s: %s", consequence, error)
        self._warned = True
