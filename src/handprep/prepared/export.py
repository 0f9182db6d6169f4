"""What prepared images carry, for other programs: tables of landmarks, COCO, YOLO and masks."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep.configurable import check_choice
from handprep.errors import InputError
from handprep.features import FEATURES, NAMES, names_of
from handprep.files import atomic_write
from handprep.images.encoding import FORMATS
from handprep.landmarks import LANDMARK_NAMES
from handprep.optional import missing_extra
from handprep.prepared.annotations import Image, coco, masks, yolo
from handprep.prepared.container import DamagedError
from handprep.prepared.listing import check_class_level, origin_and_label
from handprep.prepared.manifest import csv_of
from handprep.prepared.record import Record
from handprep.prepared.storage import Storage
from handprep.sample import Hand
from handprep.text import as_utf8, printable

DIGITS = 5  # after the point: a hundred-thousandth of a pixel, a hundredth of a millimetre
COLUMNS: dict[str, type] = {  # of a table, and the kinds of their cells
    **dict.fromkeys(("source", "output", "class", "origin"), str),
    **dict.fromkeys(("photo_width", "photo_height", "hand"), int),
    **{"handedness": str, "handedness_score": float, "score": float, "view": str},
    **dict.fromkeys(("x0", "y0", "x1", "y1"), float),
    **{
        f"{prefix}{landmark}_{axis}": float
        for prefix in ("", "prepared_", "world_")
        for landmark in LANDMARK_NAMES
        for axis in "xyz"
    },
}
UNKNOWN = np.full((len(LANDMARK_NAMES), 3), np.nan)


def export(
    prepared: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    space: str = "photo",
    class_level: int = -1,
    features: str | Iterable[str] = (),
) -> int:
    """Write what prepared images carry of their hands in a format that other programs read.

    Parameters
    ----------
    prepared
        A folder of prepared images, as `handprep.prepare`, the command or Ray has made it.
    to
        What to write, by its ending:

        - ``.csv``: a table with a row for each hand: source, output, class, origin, size of the photo, which
          hand, side, its score, score, box, and x, y, z of each landmark in pixels of the photo, in pixels of
          the prepared image, and in metres (`Hand.world`);
        - ``.parquet``: the same (needs pyarrow, which the extra ``ray`` brings);
        - ``.json``: COCO key points, with the skeleton, boxes, and polygons where the alpha is known;
        - a folder, named with a ``/`` at its end or without an ending: YOLO-pose labels and ``data.yaml``,
          or, if its last part is ``masks``, the alpha of each photo as a grey PNG.
    space
        For COCO, YOLO and masks: ``"photo"``, in which the files are named as the photos are, or
        ``"prepared"``, for the prepared images themselves.
    class_level
        As for `handprep.prepare`.
    features
        Names in `handprep.features.FEATURES`, whose columns are added to a table. They are empty for a hand
        that lacks what they are made of.

    Returns
    -------
    int
        How many images carry a record.

    Raises
    ------
    InputError
        If there is no folder or no image with a record in it, or the ending is unknown.
    OutputError
        If it cannot be written.
    MissingExtraError
        If pyarrow is needed and not installed.

    Examples
    --------
    >>> export("prepared", "landmarks.csv")  # doctest: +SKIP
    36
    """
    check_choice("space", space, ("photo", "prepared"))
    check_class_level(class_level)
    chosen = names_of(features)
    given, path = os.fspath(to), Path(to)
    if not given:
        raise InputError("say what to write, such as landmarks.csv, coco.json, yolo/ or masks/")
    ending = "" if given.endswith(("/", os.sep)) else path.suffix
    if ending not in ("", ".csv", ".parquet", ".json"):
        raise InputError(
            f"{printable(given)} ends in none of .csv, .parquet, .json: name it so, or name a folder, "
            "masks/ for masks or any other for YOLO"
        )
    is_table = ending in (".csv", ".parquet")
    if chosen and not is_table:
        raise InputError(f"features are columns of a table, .csv or .parquet, and not of {printable(given)}")
    images = _images(Path(prepared), class_level, space)
    if is_table:
        columns = COLUMNS | {name: float for names in chosen.values() for name in names}
        rows = [row for image in images for row in _rows(image, chosen)]
        atomic_write(path, csv_of(columns, rows) if ending == ".csv" else _parquet(columns, rows))
    else:
        write = coco if ending else masks if path.name == "masks" else yolo
        write(images, path)
    return len(images)


def _images(folder: Path, class_level: int, space: str) -> list[Image]:
    """Return the images that carry a record, by the names of their files."""
    if not folder.is_dir():
        raise InputError(f"{printable(str(folder))} is no folder: give one of prepared images")
    images = []
    whole = Path(os.path.realpath(folder)).name  # if records do not name the folder of photos
    storage = Storage(folder)
    for name in storage.names():
        content = storage.read(name) if name.rpartition(".")[2] in FORMATS else None
        if content is None:
            continue
        try:
            record = Record.read(content)
            size = record.sample(content).size
        except DamagedError:
            continue
        source, told = record.origin.source, record.origin.folder or whole
        if _leads_below(source):  # it names files that are written
            origin, label = origin_and_label(source, told, class_level)
            images.append(Image(folder / name, name, record, origin, label, size, space))
    if not images:
        raise InputError(
            f"no image in {printable(str(folder))} carries a record: prepare the photos with "
            "handprep, and not with --no-record"
        )
    if space == "photo" and any(image.record.is_drawing for image in images):
        raise InputError(
            "Skeleton(view='palm') turned the hands in space, so their landmarks in the photo are not in "
            "the records: export with space='prepared', or prepare the photos without it"
        )
    return sorted(images, key=lambda image: image.output)


def _leads_below(source: str) -> bool:
    parts = source.split("/")
    return all(part not in ("", ".", "..") and Path(part).name == part and "\0" not in part for part in parts)


def _rows(image: Image, features: Iterable[str]) -> Iterator[list[Any]]:
    """Yield a row of a table for each hand; None in cells that are empty."""
    told = image.record.origin
    for number, inside in enumerate(image.known, start=told.hand or 1):
        hand = inside.transformed(image.record.to_source)
        world = UNKNOWN if hand.world is None else hand.world
        points = np.stack([_xyz(hand), _xyz(inside), world]).astype(float).round(DIGITS)
        numbers = [points, *(_feature(name, inside) for name in features)]
        yield [
            *(told.source, image.output, image.label, image.origin, *told.photo, number),
            *(hand.handedness or "", hand.handedness_score, hand.score, hand.view, *map(float, hand.box)),
            *(None if np.isnan(n) else n for array in numbers for n in array.ravel().tolist()),
        ]


def _xyz(hand: Hand) -> NDArray[np.floating]:
    if hand.landmarks is None:
        return UNKNOWN
    return np.column_stack([hand.landmarks, UNKNOWN[:, 0] if hand.depth is None else hand.depth])


def _feature(name: str, hand: Hand) -> NDArray[np.floating]:
    try:
        return FEATURES[name](hand)
    except InputError:  # it lacks landmarks or their depth
        return np.full(len(NAMES[name]), np.nan)


def _parquet(columns: Mapping[str, type], rows: Sequence[Sequence[Any]]) -> bytes:
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("pyarrow", "ray", error) from error
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    table = {
        name: pa.array([as_utf8(row[n]) if kind is str else row[n] for row in rows], kinds[kind])
        for n, (name, kind) in enumerate(columns.items())
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(table), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content
