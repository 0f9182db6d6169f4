"""Folders on file systems that pyarrow knows, such as object stores."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pyarrow.fs import FileSelector, FileSystem, FileType, SubTreeFileSystem

from handprep.errors import ImageError, InputError
from handprep.folder.journal import Stamp
from handprep.folder.outputs import same_name
from handprep.folder.photos import Listing, is_hidden, photos_among
from handprep.integrations.ray.place import Place
from handprep.names import printable
from handprep.writing import TEMPORARY, output_error

WHOLE_ON_CLOSE = {"s3", "gcs", "abfs"}  # stores in which a file is there, whole, once its stream is closed


class RemotePlace:
    """A folder on a file system of pyarrow's. A file counts as changed by its size and time alone.

    Parameters
    ----------
    filesystem
        The file system.
    path
        The folder's path on it.
    name
        What to call it in messages; it must hold no secrets.
    """

    def __init__(self, filesystem: FileSystem, path: str, name: str) -> None:
        self.filesystem, self.path, self.name = filesystem, path, name
        self._found: dict[str, Stamp] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_found": None}  # millions of names that only the driver needs

    def _files(self) -> dict[str, Stamp]:
        """Return size and time of all files, listed once: asking for each takes a round trip of the net."""
        if self._found is None:
            selector = FileSelector(self.path, recursive=True, allow_not_found=True)
            try:
                infos = self.filesystem.get_file_info(selector)
            except OSError as error:
                raise InputError(f"{self.name} cannot be listed: {error}") from error
            self._found = {
                info.path[len(self.path) + 1 :]: Stamp(
                    size=info.size or 0, modified=info.mtime_ns or 0, inode=0, digest=""
                )
                for info in infos
                if info.type != FileType.Directory
            }
        return self._found

    def photos(self, without: Place) -> Listing:
        """Return the photos in it; what lies in another place does not count."""
        if not self._files() and self.filesystem.get_file_info(self.path).type == FileType.NotFound:
            raise InputError(f"{self.name} does not exist: give the folder that holds the photos")
        left_out = ""
        if isinstance(without, RemotePlace) and without.is_within(self):
            left_out = without.path[len(self.path) + 1 :] + "/"
        files = [
            name
            for name in self._files()
            if not any(map(is_hidden, name.split("/"))) and not (left_out and name.startswith(left_out))
        ]
        sources = photos_among(files)
        whole = self.path.rpartition("/")[2] or self.path
        return Listing(sources=sources, whole=whole, ignored=len(files) - len(sources))

    def is_within(self, other: Place) -> bool:
        """Tell whether this is another place, or lies in it."""
        return (
            isinstance(other, RemotePlace)
            and self.filesystem.equals(other.filesystem)
            and f"{same_name(self.path)}/".startswith(f"{same_name(other.path)}/")
        )

    def stamp(self, source: str) -> Stamp | None:
        """Return the stamp of a photo that was listed."""
        return self._files()[source]

    def read_photo(self, source: str) -> tuple[Stamp | None, Any]:
        """Return a photo's content; its stamp is that of the listing."""
        try:
            return None, self.read(source)
        except OSError as error:
            raise ImageError(f"{self.name}/{printable(source)} cannot be read: {error}") from error

    def holds(self, name: str, stamp: Stamp) -> bool:
        """Tell whether a file was listed with the stamped size and, if that is known, time."""
        found = self._files().get(name)
        return found is not None and found.size == stamp.size and stamp.modified in (0, found.modified)

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        with self.filesystem.open_input_stream(f"{self.path}/{name}", compression=None) as stream:
            content: bytes = stream.read()
        return content

    def write(self, name: str, content: bytes) -> Stamp:
        """Write a file, all of it or nothing."""
        target = f"{self.path}/{name}"
        try:
            if _base(self.filesystem).type_name in WHOLE_ON_CLOSE:
                self._put(target, content)
            else:
                folder = target.rpartition("/")[0]
                temporary = f"{folder}/{TEMPORARY.replace('*', f'{os.getpid()}-{uuid.uuid4().hex}')}"
                self._put(temporary, content)
                self.filesystem.move(temporary, target)
        except OSError as error:
            raise output_error(f"{self.name}/{name}", error) from error
        # its time would take another round trip: 0 stands for any
        return Stamp(size=len(content), modified=0, inode=0, digest="")

    def _put(self, target: str, content: bytes) -> None:
        with self.filesystem.open_output_stream(target, compression=None) as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        """Remove a file, which need not be there."""
        try:
            self.filesystem.delete_file(f"{self.path}/{name}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise output_error(f"{self.name}/{name}", error) from error

    def names_in(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, which need not be there."""
        selector = FileSelector(f"{self.path}/{folder}", allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type != FileType.Directory)

    def make_folders(self, relatives: Iterable[str]) -> None:
        """Make folders where there are such, and remove what interrupted writes left behind."""
        begin, end = TEMPORARY.split("*")
        for name in list(self._files()):
            file = name.rpartition("/")[2]
            if file.startswith(begin) and file.endswith(end):
                self.remove(name)
        if _base(self.filesystem).type_name in WHOLE_ON_CLOSE:
            return  # these have no folders
        try:
            for relative in sorted(set(relatives)):
                self.filesystem.create_dir(f"{self.path}/{relative}".rstrip("/"), recursive=True)
        except OSError as error:
            raise output_error(self.name, error) from error

    def sole_run(self) -> AbstractContextManager[Any]:
        """Return a context that holds nothing: such file systems have no locks."""
        return nullcontext()

    def is_visible(self) -> bool:
        """Return True: if it is not there, reading and writing say so."""
        return True


def _base(filesystem: FileSystem) -> FileSystem:
    while isinstance(filesystem, SubTreeFileSystem):
        filesystem = filesystem.base_fs
    return filesystem
