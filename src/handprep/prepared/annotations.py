"""COCO, YOLO and masks: what prepared images carry of their hands, as annotations of images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.files import atomic_write, make_folder
from handprep.geometry import Affine
from handprep.images.encoding import encode
from handprep.landmarks import CONNECTIONS, LANDMARK_NAMES
from handprep.prepared.listing import output_names
from handprep.prepared.record import Record
from handprep.sample import Hand, Sample
from handprep.text import printable

NO_CLASS = "hand"  # of photos that lie in no folder, for formats in which each object has a class
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


def coco(images: Sequence[Image], path: Path, space: str) -> None:
    """Write a file of COCO key points, with polygons where the alpha is known."""
    labels = _labels(images)
    sizes = {image.file_in(space): image.size_in(space) for image in images}
    files = {name: number for number, name in enumerate(sizes, start=1)}
    annotations: list[dict[str, Any]] = []
    for image in images:
        alpha = image.alpha(space)  # of the chosen hand, which is the first one
        for hand in image.hands(space):
            place = {
                "id": len(annotations) + 1,
                "image_id": files[image.file_in(space)],
                "category_id": labels.index(image.label or NO_CLASS) + 1,
            }
            annotations.append(place | _coco_hand(hand, alpha, image.size_in(space)))
            alpha = None
    category = {
        "supercategory": "hand",
        "keypoints": LANDMARK_NAMES,
        "skeleton": [[start + 1, end + 1] for start, end in CONNECTIONS],
    }
    told = {
        "images": [
            {"id": files[name], "file_name": as_utf8(name), "width": width, "height": height}
            for name, (width, height) in sizes.items()
        ],
        "annotations": annotations,
        "categories": [
            {"id": number, "name": as_utf8(label), **category} for number, label in enumerate(labels, start=1)
        ],
    }
    atomic_write(path, json.dumps(told).encode())


def _coco_hand(hand: Hand, alpha: NDArray[np.uint8] | None, size: tuple[int, int]) -> dict[str, Any]:
    x0, y0, x1, y1 = map(float, hand.box)
    points = [] if hand.landmarks is None else _seen(hand.landmarks, size).tolist()
    return {
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0) if alpha is None else float(np.sum(alpha >= HAND)),
        "iscrowd": 0,
        "segmentation": [] if alpha is None else _polygons(alpha),
        "keypoints": [number for point in points for number in point],
        "num_keypoints": sum(point[2] > 0 for point in points),
        "score": float(hand.score),
        "handedness": hand.handedness,
    }


def yolo(images: Sequence[Image], path: Path, space: str) -> None:
    """Write a folder of YOLO-pose labels and their ``data.yaml``."""
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
    classes = "".join(f"  {n}: {json.dumps(as_utf8(label))}\n" for n, label in enumerate(labels))
    flip = list(
        range(len(LANDMARK_NAMES))
    )  # mirrored, a hand is another one; its landmarks keep their places
    text = (
        f"# Labels of the {'photos' if space == 'photo' else 'prepared images'}, which belong in images/.\n"
        "path: .\ntrain: images\nval: images\n"
        f"kpt_shape: [{len(LANDMARK_NAMES)}, 3]\nflip_idx: {flip}\nnames:\n{classes}"
    )
    atomic_write(path / "data.yaml", text.encode())


def _yolo_line(label: int, hand: Hand, width: int, height: int) -> str:
    x0, y0, x1, y1 = np.clip(hand.box, 0, [width, height] * 2)
    numbers = [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height]
    points = np.zeros((len(LANDMARK_NAMES), 3))
    if hand.landmarks is not None:
        points = _seen(hand.landmarks, (width, height)) / (width, height, 1)
    return " ".join([str(label), *(f"{number:.6f}" for number in (*numbers, *points.ravel()))]) + "\n"


def _seen(landmarks: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return x, y and `SEEN` of each landmark, zeros outside of the image: COCO and YOLO know none there."""
    inside = np.all((landmarks >= 0) & (landmarks <= size), axis=1)
    return np.where(inside[:, None], np.column_stack([landmarks, np.full(len(LANDMARK_NAMES), SEEN)]), 0.0)


def masks(images: Sequence[Image], path: Path, space: str) -> None:
    """Write a folder of the photos' alphas as grey PNGs."""
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


def as_utf8(name: str) -> str:
    r"""Return a name with escapes such as ``\udcff`` for bytes that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
