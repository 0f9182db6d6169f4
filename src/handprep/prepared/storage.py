"""Where photos and prepared images lie: what a folder can do, on a disk or elsewhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

from handprep import images
from handprep.errors import InputError, OutputError
from handprep.files import atomic_write, locked, make_folder, remove, sweep, sync_folder
from handprep.prepared.container import DamagedError
from handprep.prepared.index import Index, Known, stamp_of
from handprep.prepared.listing import INDEX, Listing, listing, same_name
from handprep.prepared.origin import DIGEST, digest_of
from handprep.prepared.record import Record, read_file
from handprep.text import printable

LOCK = ".handprep.lock"
SYNC_EVERY = 256  # files: so many may have to be made again after a power cut


class Storage:
    """A folder of photos or of prepared images on a disk; a subclass may have it elsewhere.

    It can be pickled, and used from any thread.
    """

    is_local = True

    def __init__(self, folder: str | os.PathLike[str], *, durable: bool = True) -> None:
        self.folder, self._durable = os.fspath(folder), durable
        self.place: Path | str = Path(folder)
        self.name = printable(self.folder)
        self._unsynced: dict[str, int] = {}

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return os.path.join(self.folder, name)  # noqa: PTH118 - a string, for speed

    def photos(self, without: Storage | None, *, animations: bool = False) -> Listing:
        """Return the photos and clips in it; what lies in another storage does not count."""
        others = Path(without.folder) if without is not None and without.is_local else None
        return listing(Path(self.folder), without=others, clips=True, animations=animations)

    def check_apart(self, photos: Storage, outputs: Iterable[str]) -> None:
        """Refuse to write among the photos, where their folder lies inside of this one."""
        if not (self.is_local and photos.is_local):
            return
        inner, whole = (Path(same_name(os.path.realpath(folder))) for folder in (photos.folder, self.folder))
        if not inner.is_relative_to(whole):
            return
        for name in outputs:
            if (whole / same_name(name)).is_relative_to(inner):
                raise InputError(
                    f"the output {printable(name)} would lie among the photos, as {self.name} holds "
                    f"{photos.name}: give another folder for the outputs"
                )

    def read_photo(self, source: str, *, is_clip: bool = False) -> tuple[bytes, Known]:
        """Return a photo's content (none of a clip), its digest, and the stamp from before it was read."""
        with images.open_file(self.path(source)) as file:
            stamp = stamp_of(os.fstat(file.fileno()))  # before: a change meanwhile then shows next time
            if is_clip:
                digest = file_digest(file, lambda: blake2b(digest_size=DIGEST))  # type: ignore[arg-type]
                return b"", Known(*stamp, digest.hexdigest())
            content = file.read()
        return content, Known(*stamp, digest_of(content))

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None if there is no regular file."""
        return read_file(self.path(name))

    def record(self, name: str) -> tuple[Record, bytes] | None:
        """Return an image's record and content; None if it is not there, or not as handprep wrote it."""
        content = self.read(name)
        try:
            return None if content is None else (Record.read(content), content)
        except DamagedError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file, all of it or nothing."""
        path = Path(self.path(name))
        atomic_write(path, content, durable=self._durable)
        if self._durable:
            folder = str(path.parent)
            count = self._unsynced[folder] = self._unsynced.get(folder, 0) + 1
            if count >= SYNC_EVERY:
                self._unsynced.pop(folder, None)
                sync_folder(path.parent)

    def flush(self) -> None:
        """Put on the disk the names of all files that were written."""
        for folder in list(self._unsynced):
            self._unsynced.pop(folder, None)
            sync_folder(Path(folder))

    def remove(self, name: str) -> None:
        """Remove a file, which need not be there."""
        remove(Path(self.path(name)))

    def inside(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, which need not be there, in order."""
        try:
            return sorted(f"{folder}/{name}" for name in os.listdir(self.path(folder)))  # noqa: PTH208
        except OSError:
            return []

    def names(self) -> Iterator[str]:
        """Yield the names of all files in it; links to folders are not followed."""
        for folder, _, files in os.walk(self.folder):
            below = os.path.relpath(folder, self.folder).replace(os.sep, "/")
            for file in files:
                yield file if below == "." else f"{below}/{file}"

    def make_folders(self, relatives: Iterable[str]) -> None:
        """Make folders, and remove what interrupted writes left in them.

        A folder whose path is too long is left out: the files that belong there fail, each with this reason.
        """
        for relative in sorted(set(relatives)):
            try:
                sweep(make_folder(Path(self.folder), relative))
            except OutputError as error:
                if getattr(error.__cause__, "errno", None) != errno.ENAMETOOLONG:
                    raise

    def index(self, photos: Storage) -> Index | None:
        """Return what is known of the photos of another folder, if both are local."""
        is_kept = self.is_local and photos.is_local
        return Index(Path(self.path(INDEX)), photos.folder) if is_kept else None

    def locked(self) -> AbstractContextManager[Any]:
        """Make the folder, and return a context that holds its lock."""
        path = Path(self.folder)
        if path.exists() and not path.is_dir():
            raise InputError(f"{self.name} is a file: give a folder for the outputs")
        busy = f"another run is writing to {self.name}: wait for its end, or give another folder"
        return locked(make_folder(path, "") / LOCK, busy=busy)
