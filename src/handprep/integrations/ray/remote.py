"""Folders on file systems that pyarrow knows, such as object stores, and what names them."""

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pyarrow import ArrowInvalid, ArrowNotImplementedError
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, SubTreeFileSystem

from handprep.errors import ImageError, InputError
from handprep.files import TEMPORARY, is_temporary, output_error
from handprep.prepared.index import Known
from handprep.prepared.listing import Listing, is_hidden, photos_among, same_folder, same_name
from handprep.prepared.origin import digest_of
from handprep.prepared.storage import Storage
from handprep.text import printable

WHOLE_ON_CLOSE = {"s3", "gcs", "abfs"}  # stores in which a file is there, whole, once its stream is closed


def storage_at(where: str | os.PathLike[str], filesystem: FileSystem | None = None) -> Storage:
    """Return the storage that a path or URI names."""
    text = name = os.fsdecode(where)
    if filesystem is None and "://" in text:
        try:
            filesystem, text = FileSystem.from_uri(name)
        except (ArrowInvalid, ArrowNotImplementedError, OSError) as error:
            scheme, _, rest = name.partition("://")
            safe = printable(f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}")
            raise InputError(
                f"{safe} cannot be used: {str(error).replace(name, safe)}. Give a local path or a URI of a "
                "file system that pyarrow knows, such as s3://bucket/folder, or the file system itself"
            ) from None  # whose text may hold secrets
        name = f"{name.partition('://')[0]}://{text}"
    if filesystem is None or isinstance(filesystem, LocalFileSystem):
        return Storage(os.path.abspath(text))  # noqa: PTH100 - links stay as they are
    return RemoteStorage(filesystem, filesystem.normalize_path(text.rstrip("/")), name.rstrip("/"))


class RemoteStorage(Storage):
    """A folder on a file system of pyarrow's. A file counts as changed by its size and time alone."""

    is_local = False

    def __init__(self, filesystem: FileSystem, path: str, name: str) -> None:
        self._filesystem, self._path = filesystem, path
        self.name = self.place = name
        self._found: dict[str, tuple[int, int]] | None = None
        while isinstance(filesystem, SubTreeFileSystem):
            filesystem = filesystem.base_fs
        self._has_folders = filesystem.type_name not in WHOLE_ON_CLOSE

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_found": None}  # millions of names that only the driver needs

    def path(self, name: str) -> str:
        """Return what to call a file in messages."""
        return f"{self.name}/{name}"

    def files(self) -> dict[str, tuple[int, int]]:
        """Return size and time of all files, listed once: asking for each takes a round trip of the net."""
        if self._found is None:
            selector = FileSelector(self._path, recursive=True, allow_not_found=True)
            try:
                infos = self._filesystem.get_file_info(selector)
            except OSError as error:
                raise InputError(f"{self.name} cannot be listed: {error}") from error
            self._found = {
                info.path[len(self._path) + 1 :]: (info.size or 0, info.mtime_ns or 0)
                for info in infos
                if info.type != FileType.Directory
            }
        return self._found

    def photos(self, without: Storage | None, *, animations: bool = False) -> Listing:
        """Return the photos in it, and no clips; what lies in another storage does not count."""
        if not self.files() and self._filesystem.get_file_info(self._path).type == FileType.NotFound:
            raise InputError(f"{self.name} does not exist: give the folder that holds the photos")
        left_out = "/"  # with which no name begins
        if isinstance(without, RemoteStorage):
            if self.is_within(without):
                raise same_folder(without.name)
            if without.is_within(self):
                left_out = without._path[len(self._path) + 1 :] + "/"
        names = (name for name in self.files() if not name.startswith(left_out))
        files = [name for name in names if not any(map(is_hidden, name.split("/")))]
        sources = photos_among(files)
        whole = self._path.rpartition("/")[2] or self._path
        return Listing(sources=sources, whole=whole, ignored=len(files) - len(sources))

    def is_within(self, other: Storage) -> bool:
        """Tell whether this is another storage, or lies in it."""
        return (
            isinstance(other, RemoteStorage)
            and self._filesystem.equals(other._filesystem)
            and f"{same_name(self._path)}/".startswith(f"{same_name(other._path)}/")
        )

    def read_photo(self, source: str, *, is_clip: bool = False) -> tuple[bytes, Known]:
        """Return a photo's content and digest; here are no clips."""
        try:
            content = self._get(source)
        except OSError as error:
            raise ImageError(f"{self.path(printable(source))} cannot be read: {error}") from error
        return content, Known(len(content), 0, 0, digest_of(content))

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None if it cannot be had."""
        try:
            return self._get(name)
        except OSError:
            return None

    def _get(self, name: str) -> bytes:
        with self._filesystem.open_input_stream(f"{self._path}/{name}", compression=None) as stream:
            content: bytes = stream.read()
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file, all of it or nothing."""
        target = f"{self._path}/{name}"
        try:
            if self._has_folders:
                folder = target.rpartition("/")[0]
                temporary = f"{folder}/{TEMPORARY.replace('*', f'{os.getpid()}-{uuid.uuid4().hex}')}"
                self._put(temporary, content)
                self._filesystem.move(temporary, target)
            else:
                self._put(target, content)
        except OSError as error:
            raise output_error(self.path(name), error) from error

    def _put(self, target: str, content: bytes) -> None:
        with self._filesystem.open_output_stream(target, compression=None) as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        """Remove a file, which need not be there."""
        try:
            self._filesystem.delete_file(f"{self._path}/{name}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise output_error(self.path(name), error) from error

    def names(self) -> Iterator[str]:
        """Yield the names of the files that were there when they were listed."""
        yield from self.files()

    def make_folders(self, relatives: Iterable[str]) -> None:
        """Make folders where there are such, and remove what interrupted writes left behind."""
        for name in [name for name in self.files() if is_temporary(name)]:
            self.remove(name)
        try:
            for relative in sorted(set(relatives)) if self._has_folders else ():
                self._filesystem.create_dir(f"{self._path}/{relative}".rstrip("/"), recursive=True)
        except OSError as error:
            raise output_error(self.name, error) from error

    def flush(self) -> None:
        """Do nothing: what the store has taken stays there."""

    def locked(self) -> AbstractContextManager[Any]:
        """Return a context that holds nothing: such file systems have no locks."""
        return nullcontext()
