"""Which images the report shows, where there are too many to show all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from handprep.prepared.manifest import Row

Item = TypeVar("Item")

ON_A_SHEET = 24  # prepared images of a class
ON_ALL_SHEETS = 1200  # with many classes, fewer of each
LOWEST_SCORES = 500  # so many of the photos with a hand have an image in the list


class Picture(NamedTuple):
    """An image to show: the index of its row, and whether it is the row's output or its photo."""

    row: int
    prepared: bool


class Sheet(NamedTuple):
    """The contact sheet of a class: indices of the rows whose outputs it shows, and how many there are."""

    label: str
    rows: list[int]
    total: int


def select(rows: Sequence[Row], *, most: int) -> tuple[list[Sheet], list[Picture]]:
    """Choose the contact sheets, one for each class that has outputs, and at most so many images to show.

    Sheets come first, then photos without a found hand, evenly from all, then the lowest scores and hands
    found only by search, and last the photos of the prepared images.
    """
    by_label: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if row.output:
            by_label.setdefault(row.label, []).append(index)
    each = min(ON_A_SHEET, max(1, ON_ALL_SHEETS // max(1, len(by_label))))
    sheets = [Sheet(label, evenly(found, each), len(found)) for label, found in sorted(by_label.items())]
    missed = [  # a clip's frame has no photo that could be shown
        Picture(index, bool(row.clip))
        for index, row in enumerate(rows)
        if row.status != "done" and (row.output or not row.clip)
    ]
    # a row without a score, where hands were not looked for, comes after those that have one
    done = [index for index, row in enumerate(rows) if row.status == "done" and row.output]
    done.sort(key=lambda index: (rows[index].score is None, rows[index].score or 0.0, index))
    searched = [index for index in done[LOWEST_SCORES:] if rows[index].view not in ("", "as-is")]
    lowest = [*done[:LOWEST_SCORES], *searched[:LOWEST_SCORES]]
    wanted = dict.fromkeys(Picture(row, True) for sheet in sheets for row in sheet.rows)
    wanted |= dict.fromkeys(evenly(missed, max(0, most - len(wanted))))
    wanted |= dict.fromkeys(Picture(row, True) for row in lowest)
    chosen = list(wanted)[:most]
    photos = (Picture(row, False) for row, prepared in chosen if prepared and not rows[row].clip)
    return sheets, list(dict.fromkeys([*chosen, *photos]))[:most]


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return some of the items, in order, from the middles of parts of the same length."""
    if count >= len(items):
        return list(items)
    return [items[(2 * part + 1) * len(items) // (2 * count)] for part in range(count)]
