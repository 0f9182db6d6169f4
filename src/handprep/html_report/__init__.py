"""The HTML report: one page about a prepared folder that needs no other file and no network."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from string import Template
from typing import Any

from handprep.html_report.contents import contents, outline
from handprep.html_report.selection import Picture, select
from handprep.html_report.thumbnails import MOST_BYTES_EACH, Thumbnail, thumbnail
from handprep.pipeline import Pipeline
from handprep.prepared.manifest import Row
from handprep.progress import reporting
from handprep.threads import ordered_map

MAX_BYTES = 30_000_000  # of the whole page, as long as its text alone is shorter
OUTLINE_BYTES = 260  # of text: 42 numbers, each below ten thousand and with its comma, and some room
LEAST_BYTES_EACH = 1300  # of an image in the page: about 96 pixels; with less room, fewer get one


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
    made_with: Any = {"pipeline": pipeline, "fingerprint": fingerprint}
    ordered = sorted(rows, key=lambda row: row.source)
    sheets, _ = select(ordered, most=0)
    room = max(0, MAX_BYTES - len(page(contents(ordered, sheets, {}, {}, **made_with))))
    sheets, pictures = select(ordered, most=room // LEAST_BYTES_EACH)
    outlines = {
        index: outline(ordered[index], outputs / ordered[index].output)
        for index, prepared in pictures
        if not prepared and ordered[index].found
    }
    room = max(0, room - OUTLINE_BYTES * len(outlines))
    each = min(MOST_BYTES_EACH, room // max(1, len(pictures)))

    def made(picture: Picture) -> Thumbnail:
        row = ordered[picture.row]
        return thumbnail(outputs / row.output if picture.prepared else photos / row.source, each=each)

    shown: dict[Picture, Thumbnail] = {}
    making = ordered_map(made, pictures, workers=workers)
    with reporting(progress, 0, len(pictures), unit="thumbnail") as report, closing(making) as results:
        for picture, result in zip(pictures, results, strict=True):
            shown[picture] = result
            report(len(shown), len(pictures))
    return page(contents(ordered, sheets, shown, outlines, **made_with))


def page(contents: Mapping[str, Any]) -> bytes:
    """Return the whole page; names and messages get in as JSON alone, which the script shows as text."""
    files = importlib.resources.files("handprep.html_report")
    # newlines as a browser's parser counts them, also where a checkout has them as \r\n
    style, script, markup = (
        files.joinpath(f"page.{kind}").read_text(encoding="ascii") for kind in ("css", "js", "html")
    )
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    data = json.dumps(contents, separators=(",", ":")).replace(
        "<", "\\u003c"
    )  # so nothing can end its element
    parts = {"policy": POLICY.format(*digests), "style": style, "script": script, "data": data}
    return Template(markup).substitute(parts).encode("ascii")
