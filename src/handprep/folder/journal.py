"""The journal of a folder of outputs: which photos are finished, kept through kill -9 and power cuts."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from handprep.errors import HandprepError, OutputError
from handprep.manifest import Row
from handprep.names import printable
from handprep.writing import output_error, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What tells whether a file is still the same.

    Attributes
    ----------
    size
        Bytes.
    modified
        Time of the last change, nanoseconds.
    inode
        Its number in the file system.
    digest
        BLAKE2b of its content, hex digits.
    """

    size: int
    modified: int
    inode: int
    digest: str

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return a file's stamp, or None where it cannot be read: who reads it next says why."""
        try:
            found = path.stat()  # before reading: a change meanwhile then shows next time
            if not stat.S_ISREG(found.st_mode):
                return None
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, _blake2b).hexdigest()
        except OSError:
            return None
        return cls(size=found.st_size, modified=found.st_mtime_ns, inode=found.st_ino, digest=digest)

    @classmethod
    def of_content(cls, content: bytes, found: os.stat_result) -> Self:
        """Return the stamp of a file whose content is known."""
        digest = _blake2b(content).hexdigest()
        return cls(size=len(content), modified=found.st_mtime_ns, inode=found.st_ino, digest=digest)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build the stamp that `dataclasses.asdict` described; of anything else, raise TypeError."""
        stamp = cls(**data)
        numbers = (stamp.size, stamp.modified, stamp.inode)
        if not all(isinstance(number, int) for number in numbers) or not isinstance(stamp.digest, str):
            raise TypeError(f"a stamp needs three whole numbers and a text, not {data!r:.200}")
        return stamp

    def still_of(self, path: Path) -> bool:
        """Tell whether a file is the stamped one: by size, time and inode, or else by its content."""
        try:
            found = path.stat()
        except OSError:
            return False
        if found.st_size != self.size or not stat.S_ISREG(found.st_mode):
            return False
        if (found.st_mtime_ns, found.st_ino) == (self.modified, self.inode):
            return True
        now = Stamp.of(path)
        return now is not None and now.digest == self.digest


def _blake2b(content: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal.

    Attributes
    ----------
    row
        What became of the photo.
    fingerprint
        Of the pipeline and format it was prepared with.
    photo
        Stamp of the photo; None where it could not be read.
    output
        Stamp of its output; None where there is none.
    """

    row: Row
    fingerprint: str
    photo: Stamp | None
    output: Stamp | None

    def is_finished(self, fingerprint: str, photo: Path, output: str, folder: Path) -> bool:
        """Tell whether a photo need not be prepared again.

        Parameters
        ----------
        fingerprint
            Of the pipeline and format of now.
        photo
            The photo's path.
        output
            The name that its output has now.
        folder
            The folder of outputs.
        """
        return self.holds(
            fingerprint,
            output,
            photo_is=lambda stamp: stamp.still_of(photo),
            output_is=lambda stamp: stamp.still_of(folder / output),
        )

    def holds(
        self,
        fingerprint: str,
        output: str,
        *,
        photo_is: Callable[[Stamp], bool],
        output_is: Callable[[Stamp], bool],
    ) -> bool:
        """Tell what `is_finished` tells, wherever the files lie.

        Parameters
        ----------
        fingerprint, output
            As for `is_finished`.
        photo_is, output_is
            Tell whether the photo, and the output of that name, are the stamped ones.
        """
        if self.row.status == "failed" or self.fingerprint != fingerprint:
            return False
        if self.photo is None or not photo_is(self.photo):
            return False
        if self.output is None:
            return self.row.status == "skipped"
        return self.row.output == output and output_is(self.output)

    def to_line(self) -> bytes:
        """Return the entry as one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Build the entry that `to_line` wrote; a damaged one raises ValueError, TypeError or KeyError."""
        data: dict[str, Any] = json.loads(line)
        photo, output = (
            None if data[name] is None else Stamp.from_dict(data[name]) for name in ("photo", "output")
        )
        row = Row.from_dict(data["row"])
        return cls(row=row, fingerprint=data["fingerprint"], photo=photo, output=output)


class Journal:
    """Entries by their photos, in memory and in a file that is only ever appended to.

    A line is written before its output gets its name, so that no output ever lacks its line; and an
    output that does not match its line's stamp is not taken for finished. So the run may be killed at
    any moment.

    Parameters
    ----------
    path
        The file, which is made if it is missing. Lines that are damaged do not count.

    Raises
    ------
    OutputError
        If it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.entries: dict[str, Entry] = {}
        self.written: dict[str, Stamp] = {}  # every output since the last `compact`, by its name
        self.appended: set[str] = set()  # photos whose entries are of this run
        self._path, self._lock = path, threading.Lock()
        if path.is_symlink():  # opening it would write to wherever it leads
            raise OutputError(f"{printable(str(path))} is a link, which is not followed. Remove it")
        try:
            content = path.read_bytes() if path.exists() else b""
            self._file = path.open("ab", buffering=0)
            self._file.truncate(content.rfind(b"\n") + 1)  # a torn last line
        except OSError as error:
            raise output_error(path, error) from error
        for line in content.split(b"\n")[:-1]:
            try:
                self._remember(Entry.from_line(line))
            except (ValueError, TypeError, KeyError, RecursionError, HandprepError):
                continue  # its photo is then prepared again

    def _remember(self, entry: Entry) -> None:
        self.entries[entry.row.source] = entry
        if entry.output is not None:
            self.written[entry.row.output] = entry.output

    def append(self, entry: Entry) -> None:
        """Write an entry down, from any thread.

        Raises
        ------
        OutputError
            If it cannot be written; its cause is the `OSError`.
        """
        line = entry.to_line()
        with self._lock:
            end = os.fstat(self._file.fileno()).st_size
            try:
                left = memoryview(line)
                while left:  # a nearly full disk takes a part and then refuses
                    left = left[self._file.write(left) or 0 :]
            except OSError as error:
                self._file.truncate(end)
                raise output_error(self._path, error) from error
            self._remember(entry)
            self.appended.add(entry.row.source)

    def compact(self, entries: Iterable[Entry]) -> None:
        """Write the file anew with these entries alone.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        with self._lock:
            self.entries, self.written = {}, {}
            for entry in entries:
                self._remember(entry)
            self._file.close()
            write_whole(self._path, b"".join(entry.to_line() for entry in self.entries.values()))
            try:
                self._file = self._path.open("ab", buffering=0)
            except OSError as error:
                raise output_error(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
