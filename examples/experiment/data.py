"""The photos of an experiment: folders say what each is for, where it comes from and what it shows.

DIR/train/ORIGIN/CLASS/*        to learn from; several origins
DIR/validation/GROUP/CLASS/*    to watch: nothing is chosen by it
DIR/test/GROUP/CLASS/*          to be tested on
DIR/NAME/CLASS/*                further sets to be tested on, reported apart; may be missing
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handprep.errors import InputError

EMBEDDED = Path(__file__).parents[1] / "rendered-study"
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a folder of photos holds.

    Attributes
    ----------
    folder
        Where it is.
    classes
        In alphabetical order.
    origins
        Groups to learn from, such as ``"train/cgi"``.
    others
        All other groups, such as ``"test/group-b"`` or ``"cgi-test"``.
    rendered
        Whether these are the embedded, rendered hands and no photos.
    """

    folder: Path
    classes: tuple[str, ...]
    origins: tuple[str, ...]
    others: tuple[str, ...]
    rendered: bool

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of what accuracy is given for: train, validation, test, then the further sets."""
        return (*PARTS, *sorted({part_of(group) for group in self.others} - set(PARTS)))


def part_of(group: str) -> str:
    """Return what a group belongs to.

    >>> part_of("test/group-b"), part_of("cgi-test")
    ('test', 'cgi-test')
    """
    return group.partition("/")[0]


def layout_of(folder: Path) -> Layout:
    """Return what a folder holds.

    Raises
    ------
    InputError
        If it is not laid out as this module says.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: --data takes one that holds {', '.join(PARTS)}")
    groups = {part: _folders(folder / part) for part in PARTS}
    for part, found in groups.items():
        if not found:
            raise InputError(
                f"{folder} has no {part}/{'ORIGIN' if part == 'train' else 'GROUP'}/CLASS folders; "
                "examples/experiment/data.py says how photos are laid out"
            )
    further = [name for name in _folders(folder) if name not in PARTS]
    others = [f"{part}/{name}" for part in PARTS[1:] for name in groups[part]] + further
    origins = tuple(f"train/{name}" for name in groups["train"])
    classes = _folders(folder / origins[0])
    for group in (*origins, *others):
        if _folders(folder / group) != classes or len(classes) < 2:
            raise InputError(
                f"{folder / group} holds the folders {', '.join(_folders(folder / group)) or 'none'}; each "
                f"group needs the same classes, two or more, as {origins[0]} with {', '.join(classes)}"
            )
    rendered = folder.resolve() == EMBEDDED.resolve()
    return Layout(folder=folder, classes=classes, origins=origins, others=tuple(others), rendered=rendered)


def _folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."))
