"""Split the rows of a manifest into training and test by group, never at random."""

import csv
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handprep.configurable import check_range, check_whole
from handprep.errors import InputError
from handprep.prepared.manifest import Row
from handprep.text import printable

FRAME_NUMBER = re.compile(r"#\d+$")  # of a clip's frame: clip.mp4#000120


class Split(NamedTuple):
    """Rows to train on and rows to test on; ``train, test = split(...)`` takes them apart.

    Attributes
    ----------
    train, test
        The rows as they were given, in the given order. Those read from a file are dicts of text.
    """

    train: list[Any]
    test: list[Any]

    @property
    def classes(self) -> dict[str, tuple[int, int]]:
        """The number of training and test rows of each class."""
        train, test = (Counter(map(_label, part)) for part in self)
        return {label: (train[label], test[label]) for label in sorted(train | test)}


def split(
    manifest: str | os.PathLike[str] | Iterable[Row | Mapping[str, Any]],
    by: str = "clip",
    *,
    test: float = 0.2,
    seed: int = 0,
) -> Split:
    """Split the rows of a manifest into training and test without dividing a group.

    Neighbouring frames of a clip are nearly the same image, and so are photos of one person in one room. A
    random split puts such images on both sides, and the test then measures memory.

    Groups are taken in random order. One goes to the test if this brings the number of its rows of each class
    nearer to the share asked for. Of a class with two or more groups, one always does. Few large groups miss
    the share: look at `Split.classes`.

    Parameters
    ----------
    manifest
        The path of a ``manifest.csv``, `RunResult.rows`, or rows as mappings with any columns.
    by
        The column whose equal values form a group. ``"clip"`` needs no such column: a frame's clip is the
        part of its source before ``#``, and a photo that is no frame forms its own group. Rows with an empty
        cell of another column form one group, as they may belong together.
    test
        The share of the rows to test on, 0.01 to 0.5.
    seed
        Another seed gives another split; the same seed gives the same one.

    Raises
    ------
    InputError
        If the manifest cannot be read or lacks the column, or if there are fewer than two groups.

    Examples
    --------
    >>> rows = [{"source": f"{clip}.mp4#{n:06}", "class": "rock"} for clip in "abcde" for n in range(9)]
    >>> train, test = split(rows)
    >>> len(train), len(test), len({row["source"][0] for row in test})
    (36, 9, 1)
    """
    check_range("test", test, 0.01, 0.5)  # above a half, all groups might go to the test
    check_whole("seed", seed, 0, 2**32 - 1)
    rows = _read(Path(manifest)) if isinstance(manifest, str | os.PathLike) else list(manifest)
    groups: dict[Any, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(_group(_cells(row), by), []).append(index)
    if len(groups) < 2:
        found = f"{len(rows)} rows with {len(groups)} group(s) by {by!r}"
        raise InputError(f"{found} cannot be split: it takes two groups")
    classes = [Counter(_label(rows[index]) for index in group) for group in groups.values()]
    chosen = _chosen(classes, test, np.random.default_rng(seed).permutation(len(groups)).tolist())
    tested = {index for number, group in enumerate(groups.values()) if number in chosen for index in group}
    train = [row for index, row in enumerate(rows) if index not in tested]
    return Split(train, [rows[index] for index in sorted(tested)])


def _chosen(classes: list[Counter[str]], share: float, order: list[int]) -> set[int]:
    """Return which groups to test on, of which each has so many rows of each class."""
    total = Counter(label for counts in classes for label in counts.elements())
    missing = {label: share * count for label, count in sorted(total.items())}
    chosen: set[int] = set()

    def gain(group: int) -> float:  # how much nearer to the share the test comes by a group
        return sum(abs(missing[label]) - abs(missing[label] - n) for label, n in classes[group].items())

    def choose(group: int) -> None:
        chosen.add(group)
        for label, count in classes[group].items():
            missing[label] -= count

    for group in order:
        if gain(group) > 0:
            choose(group)
    for label in missing:  # of few large groups, none may be near its share
        having = [group for group in order if label in classes[group]]
        if len(having) > 1 and chosen.isdisjoint(having):
            choose(max(having, key=gain))
    return chosen or {order[0]}  # each class is a single group


def _label(row: Any) -> str:
    return str(_cells(row).get("class") or "")


def _group(cells: Mapping[str, Any], by: str) -> Any:
    if by == "clip" and "source" in cells:
        clip = cells.get("clip")
        empty = clip in ("", None) or (isinstance(clip, float) and math.isnan(clip))  # as pandas reads it
        return FRAME_NUMBER.sub("", str(cells["source"])) if empty else clip
    if by not in cells:
        raise InputError(f"a row has no column {by!r:.100}, only {', '.join(map(str, cells))}")
    return cells[by]


def _cells(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, Row | Mapping):
        raise InputError(
            f"rows are of RunResult.rows, or mappings as of DataFrame.to_dict('records'), not {row!r:.100}"
        )
    return row.cells() if isinstance(row, Row) else row


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{printable(str(path))} cannot be read as a manifest.csv: {reason}") from error
