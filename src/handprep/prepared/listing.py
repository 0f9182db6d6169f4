"""The photos of a folder: which there are, their classes and origins, and the names of their images."""

from __future__ import annotations

import io
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import PIL.Image

from handprep import images
from handprep.errors import InputError
from handprep.images.encoding import FORMATS
from handprep.text import printable

ENDINGS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff", "gif"),
    *("avif", "heic", "heif", "hif", "pbm", "pgm", "ppm", "pnm"),
)
CLIPS = ("mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "wmv", "flv", "3gp", "ogv", "mts", "m2ts")
NOT_PHOTOS = frozenset({"__MACOSX"})  # what macOS adds to zip files: copies that are no images
INDEX = ".handprep.jsonl"  # marks a folder of prepared images; no folder, which ImageFolder takes for a class
FIRST = "/000000"  # ends the name that stands for a clip's outputs; each frame has its number in this place


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


def output_names(sources: Iterable[str], ending: str) -> dict[str, str]:
    """Return an output's name for each photo.

    A photo's output has its name, with the new ending in place of its own. Where that would give one
    name to two outputs, or to an output and a folder, the photos in question keep their own ending
    before the new one; where even that does, a number is added. Upper and lower case count as the
    same, since the outputs may go to a disk on which they are.

    Examples
    --------
    >>> output_names(["rock/a.jpg", "rock/b.jpg", "rock/b.png"], ".png")
    {'rock/a.jpg': 'rock/a.png', 'rock/b.jpg': 'rock/b.jpg.png', 'rock/b.png': 'rock/b.png.png'}
    """
    names = {source: _without_ending(source) + ending for source in sorted(sources)}
    above = (accumulate(source.split("/")[:-1], "{}/{}".format) for source in names)
    folders = set(map(same_name, chain.from_iterable(above)))

    def clashing() -> list[str]:
        uses = Counter(map(same_name, names.values()))
        uses.update(folders)
        return [source for source, name in names.items() if uses[same_name(name)] > 1]

    while renamed := [source for source in clashing() if names[source] != source + ending]:
        names |= {source: source + ending for source in renamed}
    left = clashing()
    taken = folders | {same_name(names[source]) for source in names.keys() - left}
    for source in left:
        stem, number = names[source].removesuffix(ending), 1
        while same_name(names[source]) in taken:
            number += 1
            names[source] = f"{stem}-{number}{ending}"
        taken.add(same_name(names[source]))
    return names


def names_of_outputs(sources: Iterable[str], clips: Container[str], ending: str) -> dict[str, str]:
    """Return each source's output; of a clip, the name that stands for those of its frames.

    An animation's folder is not named as an image that a run without animations may have made of it.
    """
    apart = {source: ".frames" * source.lower().endswith(tuple(FORMATS)) for source in sources}
    keys = {source: source + end + FIRST if source in clips else source for source, end in apart.items()}
    names = output_names(keys.values(), ending)
    return {source: names[key] for source, key in keys.items()}


def same_name(name: str) -> str:
    """Return what two names share that are one and the same to some file systems."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _without_ending(source: str) -> str:
    folder, slash, name = source.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)
