"""The detection table: how many photos there are and in how many a hand was found, by origin and class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from handprep.names import printable
from handprep.prepared.manifest import Row, csv_of

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
        return "\n\n".join(
            f"{title}\n{_aligned(grid)}" if grid else NOT_LOOKED for title, grid in self.tables(printable)
        )

    def markdown(self) -> str:
        """Return the tables as Markdown."""
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
        if self._any_failed:
            parts |= {"failed": self._grid(_failed, str)}
        lines = [[name, *row] for name, (_, *rows) in parts.items() for row in rows]
        return csv_of(["table", *parts["photos"][0]], lines)

    def tables(self, escaped: Callable[[str], str]) -> list[tuple[str, Grid | None]]:
        """Return title and cells of the tables; None for cells that are not known.

        Parameters
        ----------
        escaped
            Makes a name fit for where it is to be shown.
        """
        found = self._grid(_found_and_share, escaped) if self.looked else None
        failed = [("Failed photos", self._grid(_failed, escaped))] if self._any_failed else []
        return [("Photos", self._grid(_photos, escaped)), ("Hands found", found), *failed]

    @property
    def _any_failed(self) -> bool:
        return any(map(any, self.failed))

    def _grid(self, cell: Callable[[int, int, int], str], escaped: Callable[[str], str]) -> Grid:
        """Return headings and cells; `cell` makes one of its numbers of photos, hands found and failures."""
        head = [*(label or NO_CLASS for label in self.labels), "total"]
        grid = [["origin", *map(escaped, head)]]
        counts = zip(*map(_with_totals, (self.photos, self.found, self.failed)), strict=True)
        for origin, counted in zip((*self.origins, "total"), counts, strict=True):
            grid.append([escaped(origin), *map(cell, *counted)])
        return grid


def detection_table(rows: Iterable[Row]) -> DetectionTable:
    """Count the photos of a manifest by origin and class."""
    # a photo of several hands has a row for each
    return table_of_counts(Counter((r.origin, r.label, r.status, r.found) for r in rows if r.hand <= 1))


def table_of_counts(counts: Mapping[tuple[str, str, str, bool], int]) -> DetectionTable:
    """Return the table for how many photos there are of an origin, class, status, with or without a hand."""
    photos, found, failed = (Counter[tuple[str, str]]() for _ in range(3))
    for (origin, label, status, has_hand), count in counts.items():
        photos[origin, label] += count
        found[origin, label] += count * has_hand
        failed[origin, label] += count * (status == "failed")
    origins = tuple(sorted({origin for origin, _ in photos}))
    labels = tuple(sorted({label for _, label in photos}))
    of_all = [
        tuple(tuple(counted[origin, label] for label in labels) for origin in origins)
        for counted in (photos, found, failed)
    ]
    return DetectionTable(
        origins=origins,
        labels=labels,
        photos=of_all[0],
        found=of_all[1],
        failed=of_all[2],
        looked=all(has_hand or status != "done" for _, _, status, has_hand in counts),
    )


def _with_totals(counts: Counts) -> Counts:
    rows = tuple((*row, sum(row)) for row in counts)
    return *rows, tuple(map(sum, zip(*rows, strict=True))) or (0,)


def _photos(photos: int, found: int, failed: int) -> str:
    return str(photos)


def _found(photos: int, found: int, failed: int) -> str:
    return str(found)


def _failed(photos: int, found: int, failed: int) -> str:
    return str(failed)


def _share(photos: int, found: int, failed: int) -> str:
    return f"{100 * found / (photos - failed):.1f}" if photos > failed else ""


def _found_and_share(photos: int, found: int, failed: int) -> str:
    return f"{found} ({_share(photos, found, failed)} %)" if photos > failed else "-"


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
