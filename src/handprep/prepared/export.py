"""What prepared images carry, for other programs: tables of landmarks, COCO, YOLO and masks."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.features import FEATURES, names_of
from handprep.files import atomic_write, make_folder
from handprep.geometry import Affine
from handprep.images.encoding import FORMATS, encode
from handprep.landmarks import CONNECTIONS, HandLandmark
from handprep.missing import missing_extra
from handprep.names import printable
from handprep.prepared.container import DamagedError
from handprep.prepared.listing import check_class_level, origin_and_label
from handprep.prepared.manifest import csv_of
from handprep.prepared.naming import output_names
from handprep.prepared.record import Record
from handprep.prepared.storage import Storage
from handprep.sample import Hand, Sample

Writer: TypeAlias = Callable[["Sequence[Image]", Path, str], None]

NO_CLASS = "hand"  # of photos that lie in no folder, for formats in which each object has a class
SPACES = ("photo", "prepared")
LANDMARKS = [landmark.name.lower() for landmark in HandLandmark]
DIGITS = 5  # after the point: a hundred-thousandth of a pixel, a hundredth of a millimetre
HAND = 128  # of alpha: what is more hand than not
SEEN = 2  # of a key point: COCO and YOLO have 0, not labelled; 1, labelled and hidden; 2, labelled and seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A prepared image whose record is to be exported."""

    name: str
    file: Path
    record: Record
    origin: str
    label: str
    size: tuple[int, int]

    @property
    def known(self) -> tuple[Hand, ...]:
        """The hands in pixels of the prepared image, but for those that have an image of their own."""
        hands = self.record.hands or ()
        return hands[:1] if self.record.origin.each_hand else hands

    def hands(self, space: str) -> tuple[Hand, ...]:
        """Return the hands in pixels of the photo, or of the prepared image."""
        hands = self.known
        if space == "photo":
            return tuple(hand.transformed(self.record.to_source) for hand in hands)
        width, height = self.size
        return tuple(hand for hand in hands if geometry.iou(hand.box, (0, 0, width, height)) > 0)

    def size_in(self, space: str) -> tuple[int, int]:
        """Return width and height of the photo, or of the prepared image."""
        return self.record.origin.photo if space == "photo" else self.size

    def file_in(self, space: str) -> str:
        """Return the name of the photo, of a frame as ``clip.mp4#000120.png``, or of the prepared image."""
        ending = ".png" if self.record.origin.clip else ""
        return self.record.origin.source + ending if space == "photo" else self.name

    def alpha(self, space: str) -> NDArray[np.uint8] | None:
        """Return uint8 ``(H, W)``: how much of each pixel is hand; None where that is not known."""
        sample: Sample = self.record.sample(self.file.read_bytes())
        if sample.alpha is None:
            return None
        return sample.alpha if space == "prepared" else _in_photo(sample, self.record.origin.photo)


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
    by_ending = {**tables, ".json": _coco}
    if path.suffix in by_ending and not given.endswith(("/", os.sep)):
        return by_ending[path.suffix]
    if path.suffix and not given.endswith(("/", os.sep)):
        raise InputError(
            f"{printable(given)} ends in none of {', '.join(by_ending)}: name it so, or name a folder, "
            "masks/ for masks or any other for YOLO"
        )
    return _masks if path.name == "masks" else _yolo


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
    depth = np.full(len(LANDMARKS), np.nan, np.float32) if hand.depth is None else hand.depth
    return np.column_stack([hand.landmarks, depth])


def _points(prefix: str, points: NDArray[np.float32] | None) -> dict[str, float | None]:
    numbers = np.full((len(LANDMARKS), 3), np.nan) if points is None else points
    return {
        f"{prefix}{landmark}_{axis}": None if np.isnan(number) else round(float(number), DIGITS)
        for landmark, point in zip(LANDMARKS, numbers, strict=True)
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
        {k: _as_utf8(v) if isinstance(v, str) else v for k, v in row.items()}
        for row in _rows(images, features)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd")
    atomic_write(path, sink.getvalue().to_pybytes())


def _coco(images: Sequence[Image], path: Path, space: str) -> None:
    labels = _labels(images)
    annotations: list[dict[str, Any]] = []
    files = {name: number for number, name in enumerate(dict.fromkeys(i.file_in(space) for i in images), 1)}
    for image in images:
        alpha = image.alpha(space)
        hands = image.hands(space)
        for hand in hands:
            x0, y0, x1, y1 = map(float, hand.box)
            # the alpha is of the chosen hand, which is the first one
            mask = alpha if hand is hands[0] else None
            points = [] if hand.landmarks is None else _seen(hand.landmarks, image.size_in(space)).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": files[image.file_in(space)],
                    "category_id": labels.index(image.label or NO_CLASS) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0) if mask is None else float(np.sum(mask >= HAND)),
                    "iscrowd": 0,
                    "segmentation": [] if mask is None else _polygons(mask),
                    "keypoints": [number for point in points for number in point],
                    "num_keypoints": sum(point[2] > 0 for point in points),
                    "score": float(hand.score),
                    "handedness": hand.handedness,
                }
            )
    sizes = {image.file_in(space): image.size_in(space) for image in images}
    told = {
        "images": [
            {"id": files[name], "file_name": _as_utf8(name), "width": width, "height": height}
            for name, (width, height) in sizes.items()
        ],
        "annotations": annotations,
        "categories": [
            {
                "id": n,
                "name": _as_utf8(label),
                "supercategory": "hand",
                "keypoints": LANDMARKS,
                "skeleton": [[int(start) + 1, int(end) + 1] for start, end in CONNECTIONS],
            }
            for n, label in enumerate(labels, start=1)
        ],
    }
    atomic_write(path, json.dumps(told).encode())


def _yolo(images: Sequence[Image], path: Path, space: str) -> None:
    labels = _labels(images)
    lines: dict[str, list[str]] = {image.file_in(space): [] for image in images}
    for image in images:
        width, height = image.size_in(space)
        label = labels.index(image.label or NO_CLASS)
        lines[image.file_in(space)] += [_yolo_line(label, h, width, height) for h in image.hands(space)]
    names = {file: Path("labels", file).with_suffix(".txt") for file in lines}
    if shared := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise InputError(
            f"two photos would share the labels {printable(str(shared[0]))}, as YOLO leaves endings out: "
            "export with space='prepared', or name one of them otherwise"
        )
    for file, name in names.items():
        make_folder(path, name.parent.as_posix())
        atomic_write(path / name, "".join(lines[file]).encode())
    classes = "".join(f"  {n}: {json.dumps(_as_utf8(label))}\n" for n, label in enumerate(labels))
    flip = list(range(len(LANDMARKS)))  # mirrored, a hand is another one; its landmarks keep their places
    text = (
        f"# Labels of the {'photos' if space == 'photo' else 'prepared images'}, which belong in images/.\n"
        "path: .\ntrain: images\nval: images\n"
        f"kpt_shape: [{len(LANDMARKS)}, 3]\nflip_idx: {flip}\nnames:\n{classes}"
    )
    atomic_write(path / "data.yaml", text.encode())


def _yolo_line(label: int, hand: Hand, width: int, height: int) -> str:
    x0, y0, x1, y1 = np.clip(hand.box, 0, [width, height] * 2)
    numbers = [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height]
    points = np.zeros((len(LANDMARKS), 3))
    if hand.landmarks is not None:
        points = _seen(hand.landmarks, (width, height)) / (width, height, 1)
    return " ".join([str(label), *(f"{number:.6f}" for number in (*numbers, *points.ravel()))]) + "\n"


def _seen(landmarks: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return x, y and `SEEN` of each landmark, zeros outside of the image: COCO and YOLO know none there."""
    inside = np.all((landmarks >= 0) & (landmarks <= size), axis=1)
    return np.where(inside[:, None], np.column_stack([landmarks, np.full(len(LANDMARKS), SEEN)]), 0.0)


def _masks(images: Sequence[Image], path: Path, space: str) -> None:
    names = output_names([*dict.fromkeys(image.file_in(space) for image in images)], ".png")
    make_folder(path, "")
    for file, group in groupby(sorted(images, key=lambda i: i.file_in(space)), lambda i: i.file_in(space)):
        alphas = [alpha for image in group if (alpha := image.alpha(space)) is not None]
        if alphas:
            make_folder(path, names[file].rpartition("/")[0])
            whole = np.maximum.reduce(alphas)  # of all images of the photo, one a hand
            atomic_write(path / names[file], encode(Sample(image=whole), "png"))


def _in_photo(sample: Sample, photo: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a sample's alpha as it lies in its whole photo; outside of the image, nothing is hand."""
    assert sample.alpha is not None
    matrix: Affine = geometry.in_pixel_centres(sample.to_source)
    return cv2.warpAffine(sample.alpha, matrix, photo, flags=cv2.INTER_LINEAR, borderValue=0).astype(np.uint8)


def _polygons(alpha: NDArray[np.uint8]) -> list[list[float]]:
    mask = (alpha >= HAND).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [
        (contour.reshape(-1, 2) + 0.5).ravel().tolist()  # centres of pixels, in continuous coordinates
        for contour in contours
        if len(contour) >= 3
    ]


def _labels(images: Sequence[Image]) -> list[str]:
    return sorted({image.label or NO_CLASS for image in images})


def _as_utf8(name: str) -> str:
    r"""Return a name with escapes such as ``\udcff`` for bytes that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
