"""The names of prepared images: one for each photo, mirroring the folders, none twice."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from handprep.errors import InputError
from handprep.names import printable


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
    ordered = sorted(sources)
    folders = {same_name(folder) for source in ordered for folder in _folders_above(source)}
    names = {source: _without_ending(source) + ending for source in ordered}
    while clashing := _clashing(names, folders, ending):
        names |= {source: source + ending for source in clashing}
    return _numbered(names, folders, ending)


def folders_of(names: Iterable[str]) -> set[str]:
    """Return the folders that outputs lie in; the empty string is the whole folder."""
    return {name.rpartition("/")[0] for name in names}


def check_apart(src: Path, dst: Path, outputs: Iterable[str]) -> None:
    """Refuse to write into the folder of photos where that lies inside of the folder of outputs."""
    photos, whole = (Path(same_name(os.path.realpath(folder))) for folder in (src, dst))
    if not photos.is_relative_to(whole):
        return
    for name in outputs:
        if (whole / same_name(name)).is_relative_to(photos):
            raise InputError(
                f"the output {printable(name)} would lie among the photos, as {printable(str(dst))} holds "
                f"{printable(str(src))}: give another folder for the outputs"
            )


def _clashing(names: Mapping[str, str], folders: set[str], ending: str) -> list[str]:
    """Return the photos that share their output's name and have not kept their own ending yet."""
    uses = Counter(same_name(name) for name in names.values())
    return [
        source
        for source, name in names.items()
        if (uses[same_name(name)] > 1 or same_name(name) in folders) and name != source + ending
    ]


def _numbered(names: Mapping[str, str], folders: set[str], ending: str) -> dict[str, str]:
    taken, uses, numbered = set(folders), Counter(map(same_name, names.values())), {}
    taken |= {name for name, count in uses.items() if count == 1}
    for source, name in names.items():
        unique, number = name, 1
        if uses[same_name(name)] > 1 or same_name(name) in folders:
            while same_name(unique) in taken:
                number += 1
                unique = f"{name.removesuffix(ending)}-{number}{ending}"
            taken.add(same_name(unique))
        numbered[source] = unique
    return numbered


def same_name(name: str) -> str:
    """Return what two names share that are one and the same to some file systems."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _without_ending(source: str) -> str:
    folder, slash, name = source.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _folders_above(source: str) -> list[str]:
    parts = source.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
