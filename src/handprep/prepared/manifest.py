"""The manifest: one row for each image, or each photo that has none, with what became of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from handprep.errors import HandprepError, InputError, SampleSkipped
from handprep.geometry import Box
from handprep.prepared.record import Record

STATUSES = ("done", "no-hand", "skipped", "failed")
BOX, PHOTO = ("x0", "y0", "x1", "y1"), ("photo_width", "photo_height")
COLUMNS: dict[str, type | int] = {  # texts, whole numbers, and numbers with so many digits after the point
    **{"source": str, "output": str, "status": str, **dict.fromkeys(BOX, 2), "score": 4, "view": str},
    **{"handedness": str, "handedness_score": 4, "hand": int, **dict.fromkeys(PHOTO, int)},
    **{"milliseconds": 1, "message": str, "origin": str, "class": str, "mask_confidence": 3},
    **{"clip": str, "frame": int, "time": 3, "track": int},
}
FAULTS = (HandprepError, OSError, MemoryError)  # what may be wrong with one photo alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one photo, or of one of its hands where each has an image of its own.

    Attributes
    ----------
    source
        The photo's path from the folder of photos, joined with ``/``.
    output
        Its prepared image's path from the folder of these; empty where there is none.
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
    handedness_score
        How sure the network is of `handedness`, 0.5 to 1; None where not known.
    hand
        Which of the photo's hands the image is of, counted from 1; 0 without a hand.
    photo
        Width and height of the photo in pixels, upright; None where there is no image.
    milliseconds
        What reading, preparing and writing took, shared by the images of one photo or clip; 0 where that is
        not known any more.
    message
        What went wrong, or is to be known; empty otherwise.
    origin, label
        The photo's origin and class (`handprep.prepared.listing.origin_and_label`).
    mask_confidence
        How sure `handprep.BackgroundRemover` is of its mask, 0 to 1; None where it does not say.
    clip, frame, time
        The clip that the image is a frame of, the frame's number and its time in seconds; empty and None for
        photos.
    track
        The number that the hand keeps from frame to frame of its clip; None for photos.

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
    handedness_score: float | None = None
    hand: int = 0
    photo: tuple[int, int] | None = None
    milliseconds: float = 0.0
    message: str = ""
    origin: str = ""
    label: str = ""
    mask_confidence: float | None = None
    clip: str = ""
    frame: int | None = None
    time: float | None = None
    track: int | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES or (self.box is not None and len(self.box) != 4):
            raise InputError(
                f"a row needs a status of {', '.join(STATUSES)} and four box numbers, not "
                f"{self.status!r:.100} and {self.box!r:.200}"
            )

    @property
    def found(self) -> bool:
        """Whether a hand was found."""
        return self.box is not None

    @classmethod
    def of_record(cls, record: Record, **told: Any) -> Self:
        """Return the row of a prepared image."""
        origin, hands = record.origin, record.hands
        told = {
            "source": origin.source,
            "output": origin.output,
            "message": origin.message,
            "photo": origin.photo,
            "mask_confidence": record.details("mask_confidence"),
            "clip": origin.clip,
            "frame": origin.frame,
            "time": record.plain.get("time"),
            **told,
        }
        if not hands:
            return cls(status="done" if hands is None else "no-hand", **told)
        hand = hands[0].transformed(record.to_source)
        x0, y0, x1, y1 = hand.box
        sure = hand.handedness_score
        return cls(
            status="done",
            box=(round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)),
            score=round(float(hand.score), 4),
            view=hand.view,
            handedness=record.details("photo_handedness", hand.handedness) or "",
            handedness_score=None if sure is None else round(float(sure), 4),
            hand=origin.hand or 1,
            track=hand.track,
            **told,
        )

    @classmethod
    def of_fault(cls, error: Exception, **told: Any) -> Self:
        """Return the row of a photo that has no image."""
        if getattr(error, "concerns_all", False):
            raise error
        status = "skipped" if isinstance(error, SampleSkipped) else "failed"
        return cls(status=status, message=str(error) or type(error).__name__, **told)

    def cells(self) -> dict[str, Any]:
        """Return what a table has in `COLUMNS`; None in cells that are empty."""
        cells = {name: getattr(self, name, None) for name in COLUMNS}
        cells |= dict(zip(BOX, self.box or (None,) * 4, strict=True))
        cells |= dict(zip(PHOTO, self.photo or (None, None), strict=True))
        return {**cells, "hand": self.hand or None, "class": self.label}

    @classmethod
    def from_cells(cls, cells: dict[str, Any]) -> Self:
        """Build the row that `cells` described."""
        told = dict(cells)
        box, photo = (tuple(told.pop(name) for name in names) for names in (BOX, PHOTO))
        told |= {"label": told.pop("class"), "hand": told["hand"] or 0}
        told |= {"box": None if None in box else box, "photo": None if None in photo else photo}
        return cls(**told)


def to_csv(rows: Iterable[Row]) -> bytes:
    r"""Return rows as CSV, in the order of their sources, with a header (`COLUMNS`).

    It is UTF-8. Bytes of file names that are not UTF-8 are written as escapes such as ``\udcff``.
    Names are written as they are, also those that a spreadsheet would take for a formula.
    """
    ordered = sorted(rows, key=lambda row: (row.clip or row.source, row.frame or 0, row.source, row.hand))
    return csv_of(COLUMNS, map(_formatted, ordered))


def csv_of(header: Iterable[str], lines: Iterable[Iterable[Any]]) -> bytes:
    """Return a table as CSV in UTF-8; None becomes an empty cell."""
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    careful = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(header)
    for line in lines:
        cells = list(line)
        # csv quotes a line feed but, where lines end in one, no carriage return; readers end a row at it
        held = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (careful if held else plain).writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _formatted(row: Row) -> Iterator[Any]:
    for kind, value in zip(COLUMNS.values(), row.cells().values(), strict=True):
        yield f"{value:.{kind}f}" if isinstance(kind, int) and value is not None else value
