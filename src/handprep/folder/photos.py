"""The photos of a folder: which there are, and which class and origin each belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The names of what was found in a folder, which take a small part of the memory of `Photo` objects.

    Attributes
    ----------
    sources
        The photos' paths from the folder, joined with ``/``, in their order.
    whole
        The folder's own name, which is the origin of photos that have no folders above their class.
    ignored, unread
        As for `Found`.
    """

    sources: tuple[str, ...]
    whole: str
    ignored: int
    unread: tuple[str, ...] = ()


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
    listed = listing(folder, without=without)
    photos = []
    for source in listed.sources:
        origin, label = origin_and_label(source, listed.whole)
        photos.append(Photo(source=source, path=folder / source, origin=origin, label=label))
    return Found(photos=tuple(photos), ignored=listed.ignored, unread=listed.unread)


def listing(folder: Path, *, without: Path | None = None) -> Listing:
    """Find what `walk` finds, and return the names alone."""
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{printable(str(folder))} {problem}: give the folder that holds the photos")
    walker = _Walker(without)
    files = list(walker.files(folder))
    if walker.unread and not files:
        raise InputError(walker.unread[0])
    whole = Path(os.path.realpath(folder)).name or str(folder)
    sources = photos_among(files)
    return Listing(
        sources=sources, whole=whole, ignored=len(files) - len(sources), unread=tuple(walker.unread)
    )


def no_photo(name: str, ignored: int) -> InputError:
    """Return the error for a folder without photos."""
    return InputError(
        f"no photo in {name}: looked there and in its sub-folders for files that end in "
        f"{', '.join(ENDINGS)}, and saw {ignored} others"
    )


def photos_among(files: Iterable[str]) -> tuple[str, ...]:
    """Return which of some files are photos by the endings of their names, in order."""
    return tuple(sorted(file for file in files if _ending(file) in ENDINGS))


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder of that name is left out."""
    return name.startswith(".") or name in NOT_PHOTOS


def origin_and_label(source: str, whole: str) -> tuple[str, str]:
    """Return the origin and the class of a photo.

    Parameters
    ----------
    source
        Its path from the folder of photos, joined with ``/``.
    whole
        That folder's name.

    Examples
    --------
    >>> origin_and_label("cgi/rock/a.jpg", "photos"), origin_and_label("rock/a.jpg", "photos")
    (('cgi', 'rock'), ('photos', 'rock'))
    """
    *above, label, _ = ("", *source.split("/"))
    return "/".join(filter(None, above)) or whole, label


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
                    if not is_hidden(entry.name)
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
