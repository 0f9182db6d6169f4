"""The HTML report: one page about a prepared folder that needs no other file and no network."""

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from string import Template
from typing import Any

from handprep.html_report.contents import contents
from handprep.html_report.thumbnails import LEAST_BYTES, side_for, thumbnail, wanted
from handprep.pipeline import Pipeline
from handprep.prepared.manifest import Row
from handprep.progress import reporting
from handprep.threads import ordered_map

MAX_BYTES = 30_000_000  # of the whole page, as long as its text alone is shorter


# The browser runs this one script and this one style, shows images that are in the page, fetches nothing,
# and makes no markup of text.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def render(
    rows: Iterable[Row],
    photos: Path,
    outputs: Path,
    pipeline: Pipeline,
    fingerprint: str,
    *,
    workers: int | None = None,
    progress: bool = False,
) -> bytes:
    """Return the HTML report of a prepared folder.

    The page has the detection table, a histogram of scores, contact sheets by class, a list of all
    photos, and what they were prepared with. It asks nothing of the network. What it says comes from
    the rows and the files of now, so the same folder gives the same bytes, whichever run prepared it.

    Parameters
    ----------
    rows
        One for each photo.
    photos, outputs
        The folders that the rows' sources and outputs are named from. Files of these that are gone or
        cannot be read are shown as that.
    pipeline, fingerprint
        What the photos were prepared with.
    workers
        Threads that make thumbnails; None for one a core.
    progress
        Whether to draw a progress bar on standard error.

    Returns
    -------
    bytes
        UTF-8, at most 30 MB: thumbnails are as small as that needs, and with more than some 20,000,
        only so many are there. (Without any, 100,000 photos take some 11 MB.)

    Examples
    --------
    >>> rows = [Row(source="rock/a.jpg", status="skipped", origin="photos", label="rock")]
    >>> render(rows, Path("photos"), Path("prepared"), Pipeline([]), "")[:15]
    b'<!doctype html>'
    """
    ordered = sorted(rows, key=lambda row: row.source)
    told = contents(ordered, pipeline, fingerprint)
    room = max(0, MAX_BYTES - len(page(told)))
    shown = wanted(ordered, told["sheets"], room // LEAST_BYTES)
    made = partial(thumbnail, ordered, photos, outputs, side_for(len(shown), room))
    making = ordered_map(made, shown, workers=workers)
    with reporting(progress, 0, len(shown), unit="thumbnail") as report, closing(making) as results:
        for number, ((index, kind), result) in enumerate(zip(shown, results, strict=True), start=1):
            room -= len(as_json({index: result})) + 1  # and a comma
            if room < 0:
                break
            told["images"][kind][index] = result
            report(number, len(shown))
    return page(told)


def page(contents: Mapping[str, Any]) -> bytes:
    """Return the whole page; names and messages get in as JSON alone, which the script shows as text."""
    files = importlib.resources.files("handprep.html_report")
    # newlines as a browser's parser counts them, also where a checkout has them as \r\n
    style, script, markup = (
        files.joinpath(f"page.{kind}").read_text(encoding="ascii") for kind in ("css", "js", "html")
    )
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    parts = {"policy": POLICY.format(*digests), "style": style, "script": script, "data": as_json(contents)}
    return Template(markup).substitute(parts).encode("ascii")


def as_json(value: Any) -> str:
    """Return a value as JSON that cannot end the element it is in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
