"""What the report says: plain values for its JSON, names and messages as text that can be shown."""

from __future__ import annotations

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

import handprep
from handprep import geometry
from handprep.html_report.selection import Picture, Sheet
from handprep.html_report.thumbnails import Thumbnail
from handprep.landmarks import CONNECTIONS
from handprep.pipeline import Pipeline
from handprep.prepared.container import DamagedError
from handprep.prepared.manifest import STATUSES, Row
from handprep.prepared.record import Record, read_file
from handprep.prepared.table import NO_CLASS, NOT_LOOKED, detection_table
from handprep.text import printable

COLUMNS = (
    *("name", "status", "origin", "label", "score", "mask", "view", "handedness", "milliseconds", "message"),
    *("output", "before", "after", "height", "points"),
)
DOUBTFUL = 0.75  # scores below it are worth a look, as the search doubts them
BINS = 20  # of the histogram, from 0 to 1
PACKAGES = {"NumPy": "numpy", "Pillow": "pillow", "LiteRT": "ai-edge-litert", "ONNX Runtime": "onnxruntime"}


def contents(
    rows: Sequence[Row],
    sheets: Sequence[Sheet],
    thumbnails: Mapping[Picture, Thumbnail],
    outlines: Mapping[int, tuple[int, list[int]]],
    *,
    pipeline: Pipeline,
    fingerprint: str,
) -> dict[str, Any]:
    """Return all that the page shows, with the `outline` of some rows by their indices."""
    origins, labels = (
        {name: number for number, name in enumerate(sorted(set(names)))}
        for names in ([row.origin for row in rows], [row.label for row in rows])
    )
    number_of = {picture: number for number, picture in enumerate(thumbnails)}
    counts = Counter(row.status for row in rows)

    def cells(index: int, row: Row) -> list[Any]:
        return [
            *(printable(row.source), STATUSES.index(row.status), origins[row.origin], labels[row.label]),
            *(row.score, row.mask_confidence, printable(row.view), row.handedness, row.milliseconds),
            printable(row.message),
            # a relative URL, whose leading dot keeps javascript:… a folder's name
            f"./{quote(row.output.encode('utf-8', 'surrogateescape'))}" if row.output else "",
            *(number_of.get(Picture(index, prepared)) for prepared in (False, True)),
            *outlines.get(index, (0, [])),
        ]

    return {
        "statuses": [[status, counts[status]] for status in STATUSES],
        "origins": list(map(_shown, origins)),
        "labels": list(map(_shown, labels)),
        "tables": [
            {"title": title, "cells": grid, "instead": "" if grid else NOT_LOOKED}
            for title, grid in detection_table(rows).tables(printable)
        ],
        "histogram": histogram([row.score for row in rows if row.score is not None]),
        "columns": COLUMNS,
        "rows": [cells(index, row) for index, row in enumerate(rows)],
        "bones": CONNECTIONS,
        "doubtful": DOUBTFUL,
        "sheets": [{**sheet._asdict(), "label": _shown(sheet.label)} for sheet in sheets],
        "pictures": [made.data or {"problem": made.problem} for made in thumbnails.values()],
        "pipeline": {"text": repr(pipeline), "json": pipeline.to_json(), "fingerprint": fingerprint},
        "versions": versions(),
    }


def _shown(name: str) -> str:
    return printable(name) or NO_CLASS


def histogram(scores: Sequence[float]) -> list[int]:
    """Return how many scores there are in each of `BINS` equal parts from 0 to 1; 1 is in the last part."""
    # scores have 4 digits, and whole numbers tell exactly on which side of a bound one lies
    counted = Counter(min(BINS - 1, round(score * 10_000) * BINS // 10_000) for score in scores)
    return [counted[part] for part in range(BINS)]


def versions() -> list[tuple[str, str]]:
    """Return the names and versions of what prepares the images."""
    found = [("handprep", handprep.__version__), ("Python", platform.python_version())]
    found.append(("OpenCV", cv2.__version__))
    for name, package in PACKAGES.items():
        try:
            found.append((name, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, "not installed"))
    return found


def outline(row: Row, output: Path) -> tuple[int, list[int]]:
    """Return a photo's height and its hand's landmarks or else box, in thousandths of the photo's width."""
    if row.photo is None or row.box is None:
        return 0, []
    points: Any = np.reshape(row.box, (2, 2))
    with suppress(DamagedError):
        record = Record.read(read_file(str(output)) or b"")
        if (hands := record.hands) and hands[0].landmarks is not None:
            points = geometry.apply(record.to_source, hands[0].landmarks)
    thousandths = np.rint(points * 1000 / row.photo[0]).astype(int).ravel().tolist()
    return round(1000 * row.photo[1] / row.photo[0]), thousandths
