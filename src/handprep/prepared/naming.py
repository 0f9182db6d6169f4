"""The names of prepared images: one for each photo, mirroring the folders, none twice."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Container, Iterable
from itertools import accumulate, chain

from handprep.images.encoding import FORMATS

FIRST = "/000000"  # ends the name that stands for a clip's outputs; each frame has its number in this place


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
