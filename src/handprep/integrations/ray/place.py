"""What the folders of photos and of outputs can do, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from handprep.folder.journal import Stamp
from handprep.folder.photos import Listing


class Place(Protocol):
    """A folder of photos or of outputs. It can be pickled, and used from any thread."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def photos(self, without: Place) -> Listing:
        """Return the photos in it; what lies in another place does not count."""

    def stamp(self, source: str) -> Stamp | None:
        """Return the stamp of a photo as far as listing it has told; else whoever reads it makes one."""

    def read_photo(self, source: str) -> tuple[Stamp | None, Any]:
        """Return a photo's stamp as far as reading it tells, and what `Pipeline.run` takes."""

    def holds(self, name: str, stamp: Stamp) -> bool:
        """Tell whether a file is there and still the stamped one."""

    def read(self, name: str) -> bytes:
        """Return a file's content."""

    def write(self, name: str, content: bytes) -> Stamp:
        """Write a file, all of it or nothing."""

    def remove(self, name: str) -> None:
        """Remove a file, which need not be there."""

    def names_in(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, which need not be there."""

    def make_folders(self, relatives: Iterable[str]) -> None:
        """Make folders as far as that is needed, and remove what interrupted writes left in them."""

    def sole_run(self) -> AbstractContextManager[Any]:
        """Return a context in which no other run writes here, where that can be had."""

    def is_visible(self) -> bool:
        """Tell whether the folder is there, as seen from this machine."""
