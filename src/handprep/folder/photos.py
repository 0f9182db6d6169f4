"""The photos of a folder: which there are, and which class and origin each belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handprep.errors import InputError
from handprep.names import printable

ENDINGS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff", "gif"),
    *("avif", "heic", "heif", "hif", "pbm", "pgm", "ppm", "pnm"),
)
NOT_PHOTOS = frozenset({"__MACOSX"})  # what macOS adds to zip files: copies that are no pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """One photo of a folder.

    Attributes
    ----------
    source
        Its path from the folder, joined with ``/``.
    path
        Its path.
    origin
        The folders above its class folder, joined with ``/``; the name of the whole folder where there
        are none.
    label
        Its class: the name of the folder that it lies in; empty for photos directly in the whole folder.
    """

    source: str
    path: Path
    origin: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found in a folder.

    Attributes
    ----------
    photos
        In the order of their paths.
    ignored
        How many other files there were. Hidden files and folders do not count.
    unread
        A message for each folder that could not be read.
    """

    photos: tuple[Photo, ...]
    ignored: int
    unread: tuple[str, ...]


def walk(folder: Path, *, without: Path | None = None) -> Found:
    """Find the photos in a folder and its sub-folders, by the endings of their names (`ENDINGS`).

    Links to folders are followed, except back into a folder that is being read. Names that begin with
    a dot are hidden and left out.

    Parameters
    ----------
    folder
        Where to look.
    without
        A folder that is left out with all that it holds, wherever it turns up.

    Raises
    ------
    InputError
        If `folder` is missing, no folder or cannot be read.

    Examples
    --------
    >>> walk(Path("photos")).photos[0].label  # doctest: +SKIP
    'rock'
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{printable(str(folder))} {problem}: give the folder that holds the photos")
    walker = _Walker(without)
    files = list(walker.files(folder))
    if walker.unread and not files:
        raise InputError(walker.unread[0])
    whole = Path(os.path.realpath(folder)).name or str(folder)
    photos = [_photo(folder, source, whole) for source in files if _ending(source) in ENDINGS]
    photos.sort(key=lambda photo: photo.source)
    return Found(photos=tuple(photos), ignored=len(files) - len(photos), unread=tuple(walker.unread))


def _photo(folder: Path, source: str, whole: str) -> Photo:
    *above, label, _ = ("", *source.split("/"))
    return Photo(
        source=source,
        path=folder / source,
        origin="/".join(filter(None, above)) or whole,
        label=label,
    )


def _ending(source: str) -> str:
    _, dot, ending = source.rpartition("/")[2].rpartition(".")
    return ending.lower() if dot else ""


class _Walker:
    """Goes through folders once, and remembers which it could not read."""

    def __init__(self, without: Path | None) -> None:
        self._without = None if without is None else os.path.realpath(without)
        self._excluded = None if without is None or not without.exists() else _identity(without)
        self.unread: list[str] = []

    def files(self, whole: Path) -> Iterator[str]:
        """Yield the paths from `whole` of all files in it that are not hidden."""
        pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
        while pending:
            relative, above = pending.pop()
            for name, is_folder, identity in self._entries(whole / relative, above):
                if not is_folder:
                    yield relative + name
                elif not self._leads_into_excluded(whole / relative / name):
                    pending.append((f"{relative}{name}/", (*above, identity)))

    def _entries(
        self, folder: Path, above: tuple[tuple[int, int], ...]
    ) -> list[tuple[str, bool, tuple[int, int]]]:
        """Return name, whether it leads to a folder, and the folder's identity for all in a folder."""
        try:
            identity = _identity(folder)
            if identity in above or identity == self._excluded:
                return []
            with os.scandir(folder) as scan:
                return [
                    (entry.name, _leads_to_folder(entry), identity)
                    for entry in scan
                    if not entry.name.startswith(".") and entry.name not in NOT_PHOTOS
                ]
        except OSError as error:
            self.unread.append(
                f"the folder {printable(str(folder))} cannot be read: {error.strerror or error}"
            )
            return []

    def _leads_into_excluded(self, link: Path) -> bool:
        if self._without is None or not link.is_symlink():
            return False
        return Path(os.path.realpath(link)).is_relative_to(self._without)


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads nowhere: by its name it may be a photo, and reading it says why not
        return False
