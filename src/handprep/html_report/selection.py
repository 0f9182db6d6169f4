"""Which pictures the report shows, where there are too many to show all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from handprep.prepared.manifest import Row

Item = TypeVar("Item")

ON_A_SHEET = 24  # prepared pictures of a class
ON_ALL_SHEETS = 1200  # with many classes, fewer of each
LOWEST_SCORES = 500  # so many of the photos with a hand have a picture in the list


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture to show.

    Attributes
    ----------
    row
        Index of its row.
    prepared
        Whether it is the row's output, or its photo.
    """

    row: int
    prepared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The contact sheet of a class.

    Attributes
    ----------
    label
        The class.
    rows
        Indices of the rows whose outputs it shows.
    total
        How many outputs the class has.
    """

    label: str
    rows: tuple[int, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the report shows.

    Attributes
    ----------
    sheets
        One for each class that has outputs, in alphabetical order.
    pictures
        Those that get a thumbnail, each once.
    """

    sheets: tuple[Sheet, ...]
    pictures: tuple[Picture, ...]


def select(rows: Sequence[Row], *, most: int) -> Selection:
    """Choose what to show: contact sheets, all photos without a found hand, and the lowest scores.

    Parameters
    ----------
    rows
        In the order of the report.
    most
        So many pictures at most. Sheets come first, then photos without a found hand, evenly from all, then
        the lowest scores and hands found only by search, and last the photos of the prepared pictures.
    """
    sheets = _sheets(rows)
    wanted = [Picture(row=row, prepared=True) for sheet in sheets for row in sheet.rows][:most]
    missed = [Picture(row=index, prepared=False) for index, row in enumerate(rows) if row.status != "done"]
    wanted += evenly(missed, most - len(wanted))
    # a row without a score, where hands were not looked for, comes after those that have one
    done = [index for index, row in enumerate(rows) if row.status == "done" and row.output]
    done.sort(key=lambda index: (rows[index].score is None, rows[index].score or 0.0, index))
    searched = [index for index in done[LOWEST_SCORES:] if rows[index].view not in ("", "as-is")]
    lowest = [
        Picture(row=index, prepared=True) for index in [*done[:LOWEST_SCORES], *searched[:LOWEST_SCORES]]
    ]
    shown = set(wanted)
    wanted += [picture for picture in lowest if picture not in shown][: most - len(wanted)]
    shown = set(wanted)
    photos = [Picture(row=picture.row, prepared=False) for picture in wanted if picture.prepared]
    wanted += [picture for picture in photos if picture not in shown][: most - len(wanted)]
    return Selection(sheets=sheets, pictures=tuple(wanted))


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return some of the items, in order, from the middles of parts of the same length.

    Examples
    --------
    >>> evenly("abcdefghi", 3)
    ['b', 'e', 'h']
    """
    if count >= len(items):
        return list(items)
    return [items[(2 * part + 1) * len(items) // (2 * count)] for part in range(count)]


def _sheets(rows: Sequence[Row]) -> tuple[Sheet, ...]:
    by_label: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if row.output:
            by_label.setdefault(row.label, []).append(index)
    each = min(ON_A_SHEET, max(1, ON_ALL_SHEETS // max(1, len(by_label))))
    return tuple(
        Sheet(label=label, rows=tuple(evenly(indices, each)), total=len(indices))
        for label, indices in sorted(by_label.items())
    )
