"""What the report says: plain values for its JSON, names and messages as text that can be shown."""

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

import handprep
from handprep.html_report.thumbnails import evenly
from handprep.landmarks import CONNECTIONS
from handprep.pipeline import Pipeline
from handprep.prepared.manifest import STATUSES, Row
from handprep.prepared.table import NO_CLASS, NOT_LOOKED, detection_table
from handprep.text import printable

COLUMNS = (
    *("name", "status", "origin", "label", "score", "mask", "view", "handedness", "milliseconds", "message"),
    "output",
)
ON_A_SHEET = 24  # prepared images of a class
ON_ALL_SHEETS = 1200  # with many classes, fewer of each
DOUBTFUL = 0.75  # scores below it are worth a look, as the search doubts them
BINS = 20  # of the histogram, from 0 to 1
PACKAGES = ("numpy", "pillow", "ai-edge-litert", "onnxruntime")


def contents(rows: Sequence[Row], pipeline: Pipeline, fingerprint: str) -> dict[str, Any]:
    """Return all that the page shows but for its images."""
    origins, labels = (
        {name: number for number, name in enumerate(sorted(set(names)))}
        for names in ([row.origin for row in rows], [row.label for row in rows])
    )
    counts = Counter(row.status for row in rows)

    def cells(row: Row) -> list[Any]:
        return [
            *(printable(row.source), STATUSES.index(row.status), origins[row.origin], labels[row.label]),
            *(row.score, row.mask_confidence, printable(row.view), row.handedness, row.milliseconds),
            printable(row.message),
            # a relative URL, whose leading dot keeps javascript:… a folder's name
            f"./{quote(row.output.encode('utf-8', 'surrogateescape'))}" if row.output else "",
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
        "rows": list(map(cells, rows)),
        "bones": CONNECTIONS,
        "doubtful": DOUBTFUL,
        "sheets": sheets(rows),
        "images": {"photo": {}, "prepared": {}},  # by the indices of their rows
        "pipeline": {"text": repr(pipeline), "json": pipeline.to_json(), "fingerprint": fingerprint},
        "versions": versions(),
    }


def sheets(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a contact sheet for each class: indices of rows with outputs, taken evenly, and how many."""
    by_label: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if row.output:
            by_label.setdefault(row.label, []).append(index)
    each = min(ON_A_SHEET, max(1, ON_ALL_SHEETS // max(1, len(by_label))))
    return [
        {"label": _shown(label), "rows": evenly(found, each), "total": len(found)}
        for label, found in sorted(by_label.items())
    ]


def _shown(name: str) -> str:
    return printable(name) or NO_CLASS


def histogram(scores: Sequence[float]) -> list[int]:
    """Return how many scores there are in each of `BINS` equal parts from 0 to 1; 1 is in the last part."""
    # scores have 4 digits, and whole numbers tell exactly on which side of a bound one lies
    counts, _ = np.histogram(np.rint(np.multiply(scores, 10_000)), BINS, (0, 10_000))
    return [int(count) for count in counts]


def versions() -> list[tuple[str, str]]:
    """Return the names and versions of what prepares the images."""
    found = [("handprep", handprep.__version__), ("Python", platform.python_version())]
    found.append(("OpenCV", cv2.__version__))
    for package in PACKAGES:
        try:
            found.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            found.append((package, "not installed"))
    return found
