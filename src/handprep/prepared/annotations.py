"""COCO, YOLO and masks: what prepared images carry of their hands, as annotations of images."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep import geometry
from handprep.errors import InputError
from handprep.files import atomic_write, make_folder
from handprep.images.encoding import encode
from handprep.landmarks import CONNECTIONS, LANDMARK_NAMES
from handprep.prepared.listing import output_names
from handprep.prepared.record import Record
from handprep.sample import Hand, Sample
from handprep.text import as_utf8, printable

NO_CLASS = "hand"  # of photos that lie in no folder, for formats in which each object has a class
HAND = 128  # of alpha: what is more hand than not
SEEN = 2  # of a key point: COCO and YOLO have 0, not labelled; 1, labelled and hidden; 2, labelled and seen


@dataclass(frozen=True, slots=True)
class Image:
    """A prepared image whose record is to be exported, as it lies in its photo or by itself (`space`)."""

    path: Path
    output: str
    record: Record
    origin: str
    label: str
    own_size: tuple[int, int]
    space: str

    @property
    def category(self) -> str:
        """The class, for formats in which each object has one."""
        return self.label or NO_CLASS

    @property
    def name(self) -> str:
        """The file: the photo, a frame as ``clip.mp4#000120.png``, or the prepared image."""
        ending = ".png" if self.record.origin.clip else ""
        return self.record.origin.source + ending if self.space == "photo" else self.output

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of that file."""
        return self.record.origin.photo if self.space == "photo" else self.own_size

    @property
    def known(self) -> tuple[Hand, ...]:
        """The hands in pixels of the prepared image, but for those that have an image of their own."""
        hands = self.record.hands or ()
        return hands[:1] if self.record.origin.each_hand else hands

    @property
    def hands(self) -> tuple[Hand, ...]:
        """The hands in pixels of the file; of a prepared image, those that it shows."""
        if self.space == "photo":
            return tuple(hand.transformed(self.record.to_source) for hand in self.known)
        return tuple(hand for hand in self.known if geometry.iou(hand.box, (0, 0, *self.size)) > 0)

    def alpha(self) -> NDArray[np.uint8] | None:
        """Return uint8 ``(H, W)``: how much of each pixel is hand; None where that is not known."""
        sample = self.record.sample(self.path.read_bytes())
        if sample.alpha is None or self.space == "prepared":
            return sample.alpha
        matrix = geometry.in_pixel_centres(sample.to_source)
        whole = cv2.warpAffine(sample.alpha, matrix, self.size, flags=cv2.INTER_LINEAR, borderValue=0)
        return np.asarray(whole, np.uint8)  # outside of the prepared image, nothing is hand


def _by_file(images: Sequence[Image]) -> dict[str, list[Image]]:
    """Return the images of each file: a photo may have one for each hand."""
    files: dict[str, list[Image]] = {}
    for image in images:
        files.setdefault(image.name, []).append(image)
    return files


def coco(images: Sequence[Image], path: Path) -> None:
    """Write a file of COCO key points, with polygons where the alpha is known."""
    categories = sorted({image.category for image in images})
    files: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, of_file) in enumerate(_by_file(images).items(), start=1):
        width, height = of_file[0].size
        files.append({"id": number, "file_name": as_utf8(name), "width": width, "height": height})
        for image in of_file:
            alpha = image.alpha()  # of the chosen hand, which is the first one
            for hand in image.hands:
                place = {"id": len(annotations) + 1, "image_id": number}
                place["category_id"] = categories.index(image.category) + 1
                annotations.append(place | _coco_hand(hand, alpha, image.size))
                alpha = None
    category = {
        "supercategory": "hand",
        "keypoints": LANDMARK_NAMES,
        "skeleton": [[start + 1, end + 1] for start, end in CONNECTIONS],
    }
    told = {
        "images": files,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": as_utf8(name), **category}
            for number, name in enumerate(categories, start=1)
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


def yolo(images: Sequence[Image], path: Path) -> None:
    """Write a folder of YOLO-pose labels and their ``data.yaml``."""
    categories, files = sorted({image.category for image in images}), _by_file(images)
    names = {file: Path("labels", file).with_suffix(".txt") for file in files}
    if shared := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise InputError(
            f"two photos would share the labels {printable(str(shared[0]))}, as YOLO leaves endings out: "
            "export with space='prepared', or name one of them otherwise"
        )
    for file, name in names.items():
        lines = (
            _yolo_line(categories.index(image.category), hand, *image.size)
            for image in files[file]
            for hand in image.hands
        )
        make_folder(path, name.parent.as_posix())
        atomic_write(path / name, "".join(lines).encode())
    numbered = "".join(f"  {n}: {json.dumps(as_utf8(name))}\n" for n, name in enumerate(categories))
    landmarks = len(LANDMARK_NAMES)  # which keep their places where an image is mirrored
    text = (
        f"# Labels of the {'photos' if images[0].space == 'photo' else 'prepared images'}, which belong in "
        f"images/.\npath: .\ntrain: images\nval: images\nkpt_shape: [{landmarks}, 3]\n"
        f"flip_idx: {list(range(landmarks))}\nnames:\n{numbered}"
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


def masks(images: Sequence[Image], path: Path) -> None:
    """Write a folder of the photos' alphas as grey PNGs."""
    files = _by_file(images)
    names = output_names([*files], ".png")
    make_folder(path, "")
    for file, of_file in files.items():
        alphas = [alpha for image in of_file if (alpha := image.alpha()) is not None]
        if alphas:
            make_folder(path, names[file].rpartition("/")[0])
            whole = np.maximum.reduce(alphas)  # of all images of the photo, one a hand
            atomic_write(path / names[file], encode(Sample(image=whole), "png"))


def _polygons(alpha: NDArray[np.uint8]) -> list[list[float]]:
    mask = (alpha >= HAND).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [
        (contour.reshape(-1, 2) + 0.5).ravel().tolist()  # centres of pixels, in continuous coordinates
        for contour in contours
        if len(contour) >= 3
    ]
