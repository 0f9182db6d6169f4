"""The detection table: how many photos there are and in how many a hand was found, by origin and class."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from handprep.prepared.manifest import Row, csv_of
from handprep.text import printable

Counts: TypeAlias = tuple[tuple[int, ...], ...]  # a row for each origin, a column for each class
Grid: TypeAlias = list[list[str]]  # cells as text; the first row and the first column are headings

NO_CLASS = "(none)"
NOT_LOOKED = "Hands were not looked for."


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionTable:
    """Photos, and hands found in them, by origin and class.

    Laid out as the founding study's Table 1 (photos) and Table 2 (photos in which a hand was found, and
    per cent): a row for each origin, a column for each class, and totals. Photos that failed were not
    looked at: per cent are of the others, and a third table counts the failed ones if there are any.

    Attributes
    ----------
    origins, labels
        In alphabetical order.
    photos, found, failed
        How many: a tuple for each origin, with a number for each class.
    looked
        Whether hands were looked for at all.

    Examples
    --------
    >>> from handprep.prepared.manifest import Row
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
    failed: Counts
    looked: bool

    def text(self) -> str:
        """Return the tables for the screen."""
        tables = self.tables(printable)
        return "\n\n".join(f"{title}\n{_aligned(grid)}" if grid else NOT_LOOKED for title, grid in tables)

    def markdown(self) -> str:
        """Return the tables as Markdown."""
        tables = self.tables(_markdown_safe)
        parts = [f"## {title}\n\n{_piped(grid)}" if grid else NOT_LOOKED for title, grid in tables]
        return "\n\n".join(parts) + "\n"

    def csv(self) -> bytes:
        """Return the tables as UTF-8 CSV, one below the other; the first column says which a row is of."""
        grids = {name: self._grid(cells) for name, cells in self._cells().items()}
        lines = [[name, *row] for name, (_, *rows) in grids.items() for row in rows]
        return csv_of(["table", *grids["photos"][0]], lines)

    def tables(self, escaped: Callable[[str], str]) -> list[tuple[str, Grid | None]]:
        """Return title and cells of the tables, names as `escaped` makes them; None for cells not known."""
        cells = self._cells()
        tables: list[tuple[str, Grid | None]] = [("Photos", self._grid(cells["photos"], escaped))]
        found = [
            [f"{count} ({share} %)" if share else "-" for count, share in zip(*rows, strict=True)]
            for rows in zip(cells.get("found", ()), cells.get("per cent found", ()), strict=True)
        ]
        tables.append(("Hands found", self._grid(found, escaped) if self.looked else None))
        if "failed" in cells:
            tables.append(("Failed photos", self._grid(cells["failed"], escaped)))
        return tables

    def _cells(self) -> dict[str, Grid]:
        """Return the numbers as text, each with totals, but for those of which nothing is to be said."""
        counts = np.array([self.photos, self.found, self.failed], int)
        counts = counts.reshape(3, len(self.origins), len(self.labels))
        for axis in (1, 2):
            counts = np.concatenate([counts, counts.sum(axis, keepdims=True)], axis)
        photos, found, failed = counts
        share = np.char.mod("%.1f", 100 * found / np.maximum(photos - failed, 1))
        cells = {"photos": photos.astype(str)}
        if self.looked:
            cells |= {"found": found.astype(str), "per cent found": np.where(photos > failed, share, "")}
        if failed.any():
            cells["failed"] = failed.astype(str)
        return {name: texts.tolist() for name, texts in cells.items()}

    def _grid(self, cells: Grid, escaped: Callable[[str], str] = str) -> Grid:
        rows = zip((*map(escaped, self.origins), "total"), cells, strict=True)
        head = ["origin", *(escaped(label or NO_CLASS) for label in self.labels), "total"]
        return [head, *([origin, *row] for origin, row in rows)]


def detection_table(rows: Iterable[Row]) -> DetectionTable:
    """Count the photos of a manifest by origin and class."""
    rows = [row for row in rows if row.hand <= 1]  # a photo of several hands has a row for each
    origins = tuple(sorted({row.origin for row in rows}))
    labels = tuple(sorted({row.label for row in rows}))

    def counted(some: Iterable[Row]) -> Counts:
        counts = Counter((row.origin, row.label) for row in some)
        return tuple(tuple(counts[origin, label] for label in labels) for origin in origins)

    return DetectionTable(
        origins=origins,
        labels=labels,
        photos=counted(rows),
        found=counted(row for row in rows if row.found),
        failed=counted(row for row in rows if row.status == "failed"),
        looked=all(row.found or row.status != "done" for row in rows),
    )


def _aligned(grid: Grid) -> str:
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    rows = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in grid)
    return "\n".join("  ".join(row) for row in rows)


def _piped(grid: Grid) -> str:
    head, *rows = grid
    ruler = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def _markdown_safe(name: str) -> str:
    """Return a name that Markdown shows as it is, within a table's cell."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#|~" else c for c in printable(name))
