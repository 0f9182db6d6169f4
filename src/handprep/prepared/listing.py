"""The photos of a folder: which there are, and which class and origin each belongs to."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image

from handprep import images
from handprep.errors import InputError
from handprep.text import printable

ENDINGS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff", "gif"),
    *("avif", "heic", "heif", "hif", "pbm", "pgm", "ppm", "pnm"),
)
CLIPS = ("mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "wmv", "flv", "3gp", "ogv", "mts", "m2ts")
NOT_PHOTOS = frozenset({"__MACOSX"})  # what macOS adds to zip files: copies that are no images
INDEX = ".handprep.jsonl"  # marks a folder of prepared images; no folder, which ImageFolder takes for a class


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What was found in a folder."""

    sources: tuple[str, ...]
    whole: str
    ignored: int
    unread: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    clips: frozenset[str] = frozenset()  # which of the sources are clips


def listing(
    folder: Path,
    *,
    without: Path | None = None,
    is_photo: Callable[[str], bool] | None = None,
    clips: bool = False,
    animations: bool = False,
) -> Listing:
    """Find the photos in a folder and its sub-folders, by the endings of their names or by `is_photo(path)`.

    With `clips`, also video files; with `animations`, files of several images are clips, too.
    Links to folders are followed, except back into a folder that is being read.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{printable(str(folder))} {problem}: give the folder that holds the photos")
    if without is not None and os.path.realpath(folder) == os.path.realpath(without):
        raise same_folder(str(without))
    files, unread, nested = _walk(folder, without)
    if unread and not files:
        raise InputError(unread[0])
    sources = photos_among(files)
    if is_photo is not None:
        sources = tuple(sorted(file for file in files if is_photo(os.path.join(folder, file))))  # noqa: PTH118
    moving = {file for file in files if clips and _ending(file) in CLIPS}
    moving |= {file for file in sources if animations and has_more_images(folder / file)}
    sources = tuple(sorted({*sources, *moving}))
    return Listing(
        sources=sources,
        whole=Path(os.path.realpath(folder)).name or str(folder),
        ignored=len(files) - len(sources),
        unread=tuple(unread),
        nested=tuple(sorted(nested)),
        clips=frozenset(moving),
    )


def same_folder(name: str) -> InputError:
    """Return the error for images that are to go to the folder of photos."""
    return InputError(f"{printable(name)} is the folder of photos: give another for the outputs")


def photos_among(files: Iterable[str]) -> tuple[str, ...]:
    """Return which of some files are photos by the endings of their names, in order."""
    return tuple(sorted(file for file in files if _ending(file) in ENDINGS))


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder of that name is left out."""
    return name.startswith(".") or name in NOT_PHOTOS


def check_class_level(level: Any) -> None:
    """Raise InputError unless it is one that `origin_and_label` takes."""
    if isinstance(level, bool) or not isinstance(level, int) or level == 0:
        raise InputError(
            "class_level must be 1 for the folders at the top, 2 for those in them, and so on, or -1 for the "
            f"folder that a photo lies in, -2 for the one above it, not {level!r}"
        )


def origin_and_label(source: str, whole: str, class_level: int = -1) -> tuple[str, str]:
    """Return the origin and the class of a photo.

    Parameters
    ----------
    source
        Its path from the folder of photos, joined with ``/``.
    whole
        That folder's name.
    class_level
        Which of its folders is the class: 1 is the one at the top, as torchvision's `ImageFolder` has it, 2
        the one in that; -1 is the folder that the photo lies in, -2 the one above. The folders above the
        class are the origin. A photo that has no such folder has no class.

    Examples
    --------
    >>> origin_and_label("cgi/rock/a.jpg", "photos"), origin_and_label("rock/a.jpg", "photos")
    (('cgi', 'rock'), ('photos', 'rock'))
    >>> origin_and_label("seq/hello/clip01/frame.jpg", "photos", class_level=2)
    ('seq', 'hello')
    """
    folders = source.split("/")[:-1]
    at = class_level - 1 if class_level > 0 else len(folders) + class_level
    if not 0 <= at < len(folders):
        return "/".join(folders) or whole, ""
    return "/".join(folders[:at]) or whole, folders[at]


def _ending(source: str) -> str:
    _, dot, ending = source.rpartition("/")[2].rpartition(".")
    return ending.lower() if dot else ""


def _walk(whole: Path, without: Path | None) -> tuple[list[str], list[str], list[str]]:
    """Return all files, messages about folders that cannot be read, and folders of prepared images."""
    files: list[str] = []
    unread: list[OSError] = []  # also for a path that is too long
    nested: list[str] = []
    left_out = os.path.realpath(without) if without else os.devnull
    above = {str(whole): [os.path.realpath(whole)]}
    for folder, inner, names in os.walk(whole, onerror=unread.append, followlinks=True):
        relative = f"{os.path.relpath(folder, whole)}/".replace(os.sep, "/").removeprefix("./")
        if relative and INDEX in names:
            nested.append(relative.rstrip("/"))
            inner.clear()
            continue
        files += [relative + name for name in names if not is_hidden(name)]
        inside, inner[:] = [name for name in inner if not is_hidden(name)], []
        for name in inside:
            path = os.path.join(folder, name)  # noqa: PTH118 - strings, for speed
            real = os.path.realpath(path)
            is_left_out = real == left_out or (real.startswith(left_out + os.sep) and os.path.islink(path))  # noqa: PTH114
            if real not in above[folder] and not is_left_out:
                above[path] = [*above[folder], real]
                inner.append(name)
    told = [f"the folder {printable(e.filename)} cannot be read: {e.strerror or e}" for e in unread]
    return files, told, nested


def has_more_images(file: bytes | Path) -> bool:
    """Tell whether a file, given as its content or path, is an animation or holds several images."""
    try:
        with io.BytesIO(file) if isinstance(file, bytes) else images.open_file(str(file)) as opened:
            head = opened.read(1 << 16)
            if head.startswith(b"\x89PNG"):
                return b"acTL" in head[: head.find(b"IDAT")]  # an animated PNG tells before its pixels
            if not head.startswith((b"GIF8", b"RIFF", b"II", b"MM")) and head[4:8] != b"ftyp":
                return False
            opened.seek(0)
            return int(getattr(PIL.Image.open(opened), "n_frames", 1)) > 1
    except Exception:  # noqa: BLE001 - hostile bytes, of which the first image is good enough
        return False
