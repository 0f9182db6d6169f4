"""The detection table: how many photos there are and in how many a hand was found, by origin and class."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from handprep.manifest import Row
from handprep.names import printable

Counts: TypeAlias = tuple[tuple[int, ...], ...]  # a row for each origin, a column for each class
Grid: TypeAlias = list[list[str]]  # cells as text; the first row and the first column are headings

NO_CLASS = "(none)"
NOT_LOOKED = "Hands were not looked for."


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionTable:
    """Photos, and hands found in them, by origin and class.

    Laid out as the founding study's Table 1 (photos) and Table 2 (photos in which a hand was found, and
    per cent): a row for each origin, a column for each class, and totals. A photo that failed counts as
    a photo without a found hand.

    Attributes
    ----------
    origins, labels
        In alphabetical order.
    photos, found
        How many: a tuple for each origin, with a number for each class.
    looked
        Whether hands were looked for at all.

    Examples
    --------
    >>> from handprep.manifest import Row
    >>> rows = [Row(source="cgi/rock/a.jpg", status="skipped", origin="cgi", label="rock")]
    >>> print(detection_table(rows).text())
    Photos
    origin  rock  total
    cgi        1      1
    total      1      1
    <BLANKLINE>
    Hands found
    origin       rock      total
    cgi     0 (0.0 %)  0 (0.0 %)
    total   0 (0.0 %)  0 (0.0 %)
    """

    origins: tuple[str, ...]
    labels: tuple[str, ...]
    photos: Counts
    found: Counts
    looked: bool

    def text(self) -> str:
        """Return both tables for the screen."""
        return "\n\n".join(
            f"{title}\n{_aligned(grid)}" if grid else NOT_LOOKED for title, grid in self.tables(printable)
        )

    def markdown(self) -> str:
        """Return both tables as Markdown."""
        parts = [
            f"## {title}\n\n{_piped(grid)}" if grid else NOT_LOOKED
            for title, grid in self.tables(_markdown_safe)
        ]
        return "\n\n".join(parts) + "\n"

    def csv(self) -> bytes:
        """Return the tables as UTF-8 CSV, one below the other; the first column says which a row is of."""
        parts = {"photos": self._grid(_photos, str)}
        if self.looked:
            parts |= {"found": self._grid(_found, str), "per cent found": self._grid(_share, str)}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["table", *parts["photos"][0]])
        for name, (_, *rows) in parts.items():
            writer.writerows([name, *row] for row in rows)
        return text.getvalue().encode("utf-8", "backslashreplace")

    def tables(self, escaped: Callable[[str], str]) -> list[tuple[str, Grid | None]]:
        """Return title and cells of both tables; None for cells that are not known.

        Parameters
        ----------
        escaped
            Makes a name fit for where it is to be shown.
        """
        found = self._grid(_found_and_share, escaped) if self.looked else None
        return [("Photos", self._grid(_photos, escaped)), ("Hands found", found)]

    def _grid(self, cell: Callable[[int, int], str], escaped: Callable[[str], str]) -> Grid:
        """Return headings and cells; `cell` makes one of its numbers of photos and of hands found."""
        head = [*(label or NO_CLASS for label in self.labels), "total"]
        grid = [["origin", *map(escaped, head)]]
        totals = zip(_with_totals(self.photos), _with_totals(self.found), strict=True)
        for origin, (photos, found) in zip((*self.origins, "total"), totals, strict=True):
            grid.append([escaped(origin), *map(cell, photos, found)])
        return grid


def detection_table(rows: Iterable[Row]) -> DetectionTable:
    """Count rows of a manifest by origin and class."""
    return table_of_counts(Counter((row.origin, row.label, row.status, row.found) for row in rows))


def table_of_counts(counts: Mapping[tuple[str, str, str, bool], int]) -> DetectionTable:
    """Return the table for how many photos there are of an origin, class, status, with or without a hand."""
    photos: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for (origin, label, _, has_hand), count in counts.items():
        photos[origin, label] += count
        found[origin, label] += count * has_hand
    origins = tuple(sorted({origin for origin, _ in photos}))
    labels = tuple(sorted({label for _, label in photos}))
    return DetectionTable(
        origins=origins,
        labels=labels,
        photos=tuple(tuple(photos[origin, label] for label in labels) for origin in origins),
        found=tuple(tuple(found[origin, label] for label in labels) for origin in origins),
        looked=all(has_hand or status != "done" for _, _, status, has_hand in counts),
    )


def _with_totals(counts: Counts) -> Counts:
    rows = tuple((*row, sum(row)) for row in counts)
    return *rows, tuple(map(sum, zip(*rows, strict=True))) or (0,)


def _photos(photos: int, found: int) -> str:
    return str(photos)


def _found(photos: int, found: int) -> str:
    return str(found)


def _share(photos: int, found: int) -> str:
    return f"{100 * found / photos:.1f}" if photos else ""


def _found_and_share(photos: int, found: int) -> str:
    return f"{found} ({_share(photos, found)} %)" if photos else "-"


def _aligned(grid: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    lines = []
    for first, *others in grid:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def _piped(grid: Grid) -> str:
    head, *rows = grid
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _markdown_safe(name: str) -> str:
    r"""Return a name that Markdown shows as it is, within a table's cell.

    >>> _markdown_safe("a|b_c")
    'a\\|b\\_c'
    """
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#|~" else c for c in printable(name))
