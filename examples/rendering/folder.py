"""Many images in a folder: files that are whole or not there, and a run that can be taken up again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from handprep.errors import InputError
from rendering.background import BACKGROUNDS
from rendering.body import Body
from rendering.picture import Picture, make
from rendering.pose import GESTURES

ANNOTATIONS = "annotations.json"
JOURNAL = "annotations.part.jsonl"  # one line a finished image, until the run is complete
JPEG_QUALITY = 90

Row: TypeAlias = dict[str, Any]  # one image in annotations.json


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One image to render: the seed and its number decide everything about it but its size."""

    seed: int
    number: int
    size: tuple[int, int]

    @property
    def label(self) -> str:
        """The gesture: they take turns."""
        return list(GESTURES)[self.number % len(GESTURES)]

    @property
    def background(self) -> str:
        """The background: they take turns, each with every gesture before the next."""
        return list(BACKGROUNDS)[self.number // len(GESTURES) % len(BACKGROUNDS)]

    @property
    def photo(self) -> str:
        """Where the image goes, seen from the folder."""
        return f"photos/{self.label}/{self.label}-{self.number:03d}.jpg"

    @property
    def mask(self) -> str:
        """Where the mask goes, seen from the folder."""
        return f"masks/{self.label}/{self.label}-{self.number:03d}.png"

    def picture(self, body: Body) -> Picture:
        """Render it."""
        rng = np.random.default_rng([self.seed, self.number])
        return make(body, self.label, self.background, self.size, rng)


def render(folder: Path, orders: list[Order], body: Body) -> Iterator[Order]:
    """Render what is not there yet, and give each order back when its image is in the folder.

    Raises
    ------
    InputError
        If the folder holds images of another seed or size under the same names.
    """
    rows = _known(folder)
    for order in orders:
        _refuse_other(folder, order, rows.get(order.photo))
    _write(folder / JOURNAL, "".join(json.dumps(row) + "\n" for row in rows.values()).encode())  # no torn end
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        for order in orders:
            if order.photo not in rows:
                rows[order.photo] = _save(folder, order, order.picture(body))
                journal.write(json.dumps(rows[order.photo]) + "\n")
                journal.flush()
            yield order
    text = ",\n".join(json.dumps(row) for row in sorted(rows.values(), key=_number))
    _write(folder / ANNOTATIONS, f"[\n{text}\n]\n".encode())
    (folder / JOURNAL).unlink()


def _known(folder: Path) -> dict[str, Row]:
    """Return the rows of the images whose files are there, from this run or an earlier one."""
    rows: list[Row] = []
    if (folder / ANNOTATIONS).exists():
        rows += json.loads((folder / ANNOTATIONS).read_text(encoding="utf-8"))
    if (folder / JOURNAL).exists():
        lines = (folder / JOURNAL).read_text(encoding="utf-8").splitlines(keepends=True)
        rows += [json.loads(line) for line in lines if line.endswith("}\n")]  # the last may be torn
    return {
        row["file"]: row for row in rows if all((folder / row[key]).is_file() for key in ("file", "mask"))
    }


def _refuse_other(folder: Path, order: Order, row: Row | None) -> None:
    if row is None or (row["seed"], tuple(row["size"])) == (order.seed, order.size):
        return
    width, height = row["size"]
    raise InputError(
        f"{folder / order.photo} was rendered with --seed {row['seed']} --size {width}x{height}; "
        "give the same, or another folder"
    )


def _save(folder: Path, order: Order, picture: Picture) -> Row:
    """Write image and mask and return the row that describes them."""
    _write(folder / order.mask, _encoded(picture.photo.mask, "PNG", optimize=True))
    _write(folder / order.photo, _encoded(picture.photo.image, "JPEG", quality=JPEG_QUALITY))
    return {"file": order.photo, "mask": order.mask, "seed": order.seed, **picture.annotation()}


def _encoded(pixels: np.ndarray[Any, np.dtype[np.uint8]], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a file that is whole under its name or does not have it yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _number(row: Row) -> int:
    return int(Path(row["file"]).stem.rpartition("-")[2])
