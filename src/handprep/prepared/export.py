"""What prepared images carry, for other programs: tables of landmarks, COCO, YOLO and masks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handprep.errors import InputError
from handprep.features import FEATURES, names_of
from handprep.files import atomic_write
from handprep.images.encoding import FORMATS
from handprep.landmarks import LANDMARK_NAMES
from handprep.optional import missing_extra
from handprep.prepared.annotations import Image, as_utf8, coco, masks, yolo
from handprep.prepared.container import DamagedError
from handprep.prepared.listing import check_class_level, origin_and_label
from handprep.prepared.manifest import csv_of
from handprep.prepared.record import Record
from handprep.prepared.storage import Storage
from handprep.sample import Hand
from handprep.text import printable

Writer: TypeAlias = Callable[["Sequence[Image]", Path, str], None]

SPACES = ("photo", "prepared")
DIGITS = 5  # after the point: a hundred-thousandth of a pixel, a hundredth of a millimetre


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
    if space not in SPACES:
        raise InputError(f"space must be one of {', '.join(SPACES)}, not {space!r:.100}")
    check_class_level(class_level)
    chosen = tuple(names_of(features))
    given, path = os.fspath(to), Path(to)
    if not given:
        raise InputError("say what to write, such as landmarks.csv, coco.json, yolo/ or masks/")
    writer = _writer_for(given, path, chosen)
    if not Path(prepared).is_dir():
        raise InputError(f"{printable(os.fspath(prepared))} is no folder: give one of prepared images")
    images = sorted(_images(Path(prepared), class_level), key=lambda image: image.name)
    if not images:
        raise InputError(
            f"no image in {printable(os.fspath(prepared))} carries a record: prepare the photos with "
            "handprep, and not with --no-record"
        )
    if space == "photo" and any(image.record.is_drawing for image in images):
        raise InputError(
            "Skeleton(view='palm') turned the hands in space, so their landmarks in the photo are not in "
            "the records: export with space='prepared', or prepare the photos without it"
        )
    writer(images, path, space)
    return len(images)


def _writer_for(given: str, path: Path, features: tuple[str, ...]) -> Writer:
    tables: dict[str, Writer] = {
        ".csv": partial(_csv, features=features),
        ".parquet": partial(_parquet, features=features),
    }
    if features and path.suffix not in tables:
        raise InputError(f"features are columns of a table, .csv or .parquet, and not of {printable(given)}")
    by_ending = {**tables, ".json": coco}
    if path.suffix in by_ending and not given.endswith(("/", os.sep)):
        return by_ending[path.suffix]
    if path.suffix and not given.endswith(("/", os.sep)):
        raise InputError(
            f"{printable(given)} ends in none of {', '.join(by_ending)}: name it so, or name a folder, "
            "masks/ for masks or any other for YOLO"
        )
    return masks if path.name == "masks" else yolo


def _images(folder: Path, class_level: int) -> Iterator[Image]:
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
        source = record.origin.source
        if not _leads_below(source):  # it names files that are written
            continue
        origin, label = origin_and_label(source, record.origin.folder or whole, class_level)
        yield Image(name=name, file=folder / name, record=record, origin=origin, label=label, size=size)


def _leads_below(source: str) -> bool:
    parts = source.split("/")
    return all(part not in ("", ".", "..") and Path(part).name == part and "\0" not in part for part in parts)


def _rows(images: Sequence[Image], features: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for image in images:
        for number, inside in enumerate(image.known, start=image.record.origin.hand or 1):
            hand = inside.transformed(image.record.to_source)
            row = {
                "source": image.record.origin.source,
                "output": image.name,
                "class": image.label,
                "origin": image.origin,
                "photo_width": image.record.origin.photo[0],
                "photo_height": image.record.origin.photo[1],
                "hand": number,
                "handedness": hand.handedness or "",
                "handedness_score": hand.handedness_score,
                "score": hand.score,
                "view": hand.view,
            }
            row |= dict(zip(("x0", "y0", "x1", "y1"), map(float, hand.box), strict=True))
            yield row | _all_points(hand, inside) | _features(inside, features)


def _features(hand: Hand, features: tuple[str, ...]) -> dict[str, float | None]:
    told: dict[str, float | None] = {}
    for name, columns in names_of(features).items():
        try:
            told |= zip(columns, FEATURES[name](hand).ravel().astype(float), strict=True)
        except InputError:  # it lacks landmarks or their depth
            told |= dict.fromkeys(columns)
    return told


def _all_points(hand: Hand, inside: Hand) -> dict[str, float | None]:
    parts = {"": _xyz(hand), "prepared_": _xyz(inside), "world_": hand.world}
    return {k: v for prefix, points in parts.items() for k, v in _points(prefix, points).items()}


def _xyz(hand: Hand) -> NDArray[np.float32] | None:
    if hand.landmarks is None:
        return None
    depth = np.full(len(LANDMARK_NAMES), np.nan, np.float32) if hand.depth is None else hand.depth
    return np.column_stack([hand.landmarks, depth])


def _points(prefix: str, points: NDArray[np.float32] | None) -> dict[str, float | None]:
    numbers = np.full((len(LANDMARK_NAMES), 3), np.nan) if points is None else points
    return {
        f"{prefix}{landmark}_{axis}": None if np.isnan(number) else round(float(number), DIGITS)
        for landmark, point in zip(LANDMARK_NAMES, numbers, strict=True)
        for axis, number in zip("xyz", point, strict=True)
    }


def _columns(features: tuple[str, ...]) -> list[str]:
    hand = Hand(box=(0, 0, 1, 1), score=0)
    return [
        *("source", "output", "class", "origin", "photo_width", "photo_height", "hand", "handedness"),
        *("handedness_score", "score", "view", "x0", "y0", "x1", "y1", *_all_points(hand, hand)),
        *_features(hand, features),
    ]


def _csv(images: Sequence[Image], path: Path, space: str, features: tuple[str, ...]) -> None:
    atomic_write(path, csv_of(_columns(features), (row.values() for row in _rows(images, features))))


def _parquet(images: Sequence[Image], path: Path, space: str, features: tuple[str, ...]) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("pyarrow", "ray", error) from error
    texts = ("source", "output", "class", "origin", "handedness", "view")
    whole = ("photo_width", "photo_height", "hand")
    kinds = dict.fromkeys(texts, pa.string()) | dict.fromkeys(whole, pa.int64())
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in _columns(features)])
    rows = [
        {k: as_utf8(v) if isinstance(v, str) else v for k, v in row.items()}
        for row in _rows(images, features)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd")
    atomic_write(path, sink.getvalue().to_pybytes())
