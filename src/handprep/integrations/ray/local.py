"""Folders on a disk that every node sees."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from handprep.errors import InputError
from handprep.folder.journal import Stamp
from handprep.folder.photos import Listing, listing
from handprep.folder.sole import sole_run
from handprep.integrations.ray.place import Place
from handprep.names import printable
from handprep.writing import below, make_folders, remove, write_whole


class LocalPlace:
    """A folder that every node sees under the same path.

    Parameters
    ----------
    folder
        Its absolute path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return printable(str(self.folder))

    def photos(self, without: Place) -> Listing:
        """Return the photos in it; what lies in another place does not count."""
        return listing(self.folder, without=without.folder if isinstance(without, LocalPlace) else None)

    def stamp(self, source: str) -> Stamp | None:
        """Return nothing: who reads a photo makes its stamp."""
        return None

    def read_photo(self, source: str) -> tuple[Stamp | None, Any]:
        """Return a photo's stamp, and its path."""
        path = self.folder / source
        return Stamp.of(path), path  # which reads it, so that the pipeline finds it in memory

    def holds(self, name: str, stamp: Stamp) -> bool:
        """Tell whether a file is there and still the stamped one, by its content if need be."""
        path = below(self.folder, name) if name else None
        return path is not None and stamp.still_of(path)

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> Stamp:
        """Write a file, all of it or nothing."""
        stamps: list[Stamp] = []
        write_whole(
            self.folder / name,
            content,
            announce=lambda found: stamps.append(Stamp.of_content(content, found)),
        )
        return stamps[0]

    def remove(self, name: str) -> None:
        """Remove a file, which need not be there."""
        path = below(self.folder, name)
        if path is not None:
            remove(path)

    def names_in(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, which need not be there."""
        path = self.folder / folder
        return sorted(file.name for file in path.iterdir()) if path.is_dir() else []

    def make_folders(self, relatives: Iterable[str]) -> None:
        """Make folders, and remove what interrupted writes left in them."""
        make_folders(self.folder, relatives)

    def sole_run(self) -> AbstractContextManager[Any]:
        """Return a context that holds the folder's lock."""
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.name} is a file: give a folder for the outputs")
        return sole_run(self.folder)

    def is_visible(self) -> bool:
        """Tell whether the folder is there, as seen from this machine."""
        return self.folder.is_dir()
