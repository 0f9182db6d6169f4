"""The manifest: one row a photo, with what became of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from handprep.errors import InputError
from handprep.geometry import Box
from handprep.sample import Sample

STATUSES = ("done", "no-hand", "skipped", "failed")
COLUMNS = (
    "source",
    "output",
    "status",
    "x0",
    "y0",
    "x1",
    "y1",
    "score",
    "view",
    "handedness",
    "milliseconds",
    "message",
    "origin",
    "class",
)
MOST = 1e15  # no pixel, score or time is larger; an int of JSON's may be too large for a float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one photo.

    Attributes
    ----------
    source
        The photo's path from the folder of photos, joined with ``/``.
    output
        Its output's path from the folder of outputs, joined with ``/``; empty where there is none.
    status
        ``"done"``; ``"no-hand"``: none found, but prepared all the same; ``"skipped"``: none found,
        left out; ``"failed"``: see `message`.
    box
        ``(x0, y0, x1, y1)`` of the chosen hand in pixels of the photo, at its full size and turned
        upright by its EXIF orientation; None without a hand.
    score
        Presence of that hand, 0 to 1; None without a hand.
    view
        Which view of the photo it was found in; empty without a hand.
    handedness
        ``"Left"`` or ``"Right"`` as the photo shows it; empty where not known.
    milliseconds
        What reading, preparing and writing took.
    message
        What went wrong; empty otherwise.
    origin, label
        The photo's origin and class (`handprep.folder.photos.Photo`).

    Raises
    ------
    InputError
        If the status is none or the box has not four numbers.
    """

    source: str
    status: str
    output: str = ""
    box: Box | None = None
    score: float | None = None
    view: str = ""
    handedness: str = ""
    milliseconds: float = 0.0
    message: str = ""
    origin: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES or (self.box is not None and len(self.box) != 4):
            raise InputError(f"a row needs a status of {STATUSES} and four box numbers or None, not {self}")

    @property
    def found(self) -> bool:
        """Whether a hand was found."""
        return self.box is not None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build the row that `dataclasses.asdict` described, also by way of JSON.

        Raises
        ------
        InputError
            If a value is of another kind, as in a file that was damaged or tampered with.
        TypeError, KeyError
            If there are other fields.
        """
        box = data["box"]
        row = cls(**{**data, "box": tuple(box) if isinstance(box, list | tuple) else box})
        texts = (row.source, row.output, row.view, row.handedness, row.message, row.origin, row.label)
        numbers = (row.milliseconds, *(row.box or ()), *(() if row.score is None else (row.score,)))
        if not all(isinstance(text, str) for text in texts) or not all(map(_is_number, numbers)):
            raise InputError(f"a row needs texts and finite numbers, not {data!r:.200}")
        return row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST


def told_of(sample: Sample) -> dict[str, Any]:
    """Return what a `Row` says of a photo that was prepared: its status, and its chosen hand."""
    return {"status": "no-hand" if sample.hands == () else "done", **hand_of(sample)}


def hand_of(sample: Sample) -> dict[str, Any]:
    """Return what a `Row` says of the chosen hand of a prepared photo, in pixels of the photo."""
    if sample.hand is None:
        return {}
    hand = sample.hand.moved(sample.to_source)
    return {
        "box": tuple(round(number, 2) for number in hand.box),
        "score": round(float(hand.score), 4),  # a detector of the user's own may give numpy's
        "view": hand.view,
        "handedness": hand.handedness or "",
    }


def to_csv(rows: Iterable[Row]) -> bytes:
    r"""Return rows as CSV, in the order of their sources, with a header (`COLUMNS`).

    It is UTF-8. Bytes of file names that are not UTF-8 are written as escapes such as ``\udcff``.
    Names are written as they are, also those that a spreadsheet would take for a formula.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sorted(rows, key=lambda row: row.source):
        writer.writerow(
            [row.source, row.output, row.status]
            + [f"{number:.2f}" for number in row.box or ()]
            + [""] * (0 if row.box else 4)
            + ["" if row.score is None else f"{row.score:.4f}", row.view, row.handedness]
            + [f"{row.milliseconds:.1f}", row.message, row.origin, row.label]
        )
    return text.getvalue().encode("utf-8", "backslashreplace")
