"""The embedded set: rendered hands from four origins to learn from and two groups to be tested on.

    python examples/run_experiment.py render OUT [--seed 0] [--assets DIR]

It needs what `examples/render_hands.py` needs. No person and no room of validation or test occurs in
training.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from experiment.files import write_whole
from experiment.rooms import ROOMS
from handprep.errors import HandprepError
from rendering import assets, pose
from rendering.background import Canvas
from rendering.body import Body, RiggedHand
from rendering.exposure import expose
from rendering.picture import Shot, shoot
from rendering.vectors import Array, Rng

JPEG_QUALITY = 82
COLUMNS = ("file", "person", "handedness", "side", "room", "x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """How the images of one origin come about.

    Attributes
    ----------
    folder
        Where they go, such as ``"train/cgi"``.
    count
        How many of each class.
    size
        Width and height in pixels.
    people
        Numbers of the persons whose hands are seen.
    rooms
        Names in `ROOMS`; they take turns.
    close
        Least and most share of the image that the hand's long side fills, for images cut to the hand;
        None for images with room around it.
    width
        Least and most width of the image, where it has room around the hand, in widths of the shot.
    dim
        Least and most factor on brightness.
    turned
        Most degrees by which the finished image is turned.
    bar
        Share of the height that a black bar covers below.
    """

    folder: str
    count: int
    size: tuple[int, int]
    people: range
    rooms: tuple[str, ...]
    close: tuple[float, float] | None = None
    width: tuple[float, float] = (1.0, 1.0)
    dim: tuple[float, float] = (1.0, 1.0)
    turned: float = 0.0
    bar: float = 0.0


TRAINING_ROOMS = ("clutter", "clutter, person", "far-scene")
GROUPS = (
    Group(
        folder="train/cgi", count=40, size=(144, 144), people=range(6), rooms=("white",), close=(0.6, 0.85)
    ),
    Group(
        folder="train/hands",
        count=40,
        size=(168, 112),
        people=range(6, 9),
        rooms=("green",),
        close=(0.5, 0.8),
    ),
    Group(
        folder="train/webcam",
        count=40,
        size=(192, 144),
        people=range(9, 11),
        rooms=TRAINING_ROOMS,
        width=(1.1, 1.7),
    ),
    Group(folder="train/custom", count=40, size=(192, 144), people=range(11, 13), rooms=("wall",)),
    Group(
        folder="validation/group-a",
        count=40,
        size=(192, 144),
        people=range(13, 16),
        rooms=("wood", "tiles, person", "window, person"),
        width=(1.0, 1.5),
        bar=0.08,
    ),
    Group(
        folder="test/group-b",
        count=50,
        size=(192, 144),
        people=range(16, 20),
        rooms=("shelves", "shelves, person", "skin-coloured"),
        width=(1.0, 1.6),
        dim=(0.35, 1.0),
        turned=20,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One image to render: seed, group and number decide everything about it."""

    seed: int
    group: int
    number: int

    @property
    def of(self) -> Group:
        """Its group."""
        return GROUPS[self.group]

    @property
    def label(self) -> str:
        """Its class."""
        return list(pose.GESTURES)[self.number % len(pose.GESTURES)]

    @property
    def person(self) -> int:
        """Whose hand it shows."""
        return self.of.people[self.number // len(pose.GESTURES) % len(self.of.people)]

    @property
    def room(self) -> str:
        """What is behind the hand."""
        return self.of.rooms[self.number // len(pose.GESTURES) % len(self.of.rooms)]

    @property
    def file(self) -> str:
        """Where it goes, seen from the folder."""
        return f"{self.of.folder}/{self.label}/{self.label}-{self.number:03d}.jpg"

    @property
    def rng(self) -> Rng:
        """Its own random numbers."""
        return np.random.default_rng([self.seed, self.group, self.number])


def orders(seed: int) -> list[Order]:
    """Return all images of a set."""
    return [
        Order(seed=seed, group=index, number=number)
        for index, group in enumerate(GROUPS)
        for number in range(len(pose.GESTURES) * group.count)
    ]


def render(folder: Path, wanted: Sequence[Order], body: Body) -> Iterator[Order]:
    """Render what is not there yet, and give each order back when its image is in the folder."""

    @cache
    def hand_of(seed: int, person: int) -> RiggedHand:
        return body.sample(np.random.default_rng([seed, 1000 + person]))

    for order in wanted:
        path, note = folder / order.file, folder / ".notes" / f"{order.group}-{order.number}.csv"
        if not (path.exists() and note.exists()):
            image, row = _picture(order, hand_of(order.seed, order.person))
            done, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            assert done, "OpenCV writes JPEG"
            write_whole(path, content.tobytes())
            write_whole(note, _csv([row]).encode())
        yield order
    notes = [folder / ".notes" / f"{order.group}-{order.number}.csv" for order in wanted]
    text = _csv([COLUMNS]) + "".join(note.read_text() for note in notes)
    write_whole(folder / "annotations.csv", text.encode())
    for note in notes:
        note.unlink()
    (folder / ".notes").rmdir()


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _picture(order: Order, hand: RiggedHand) -> tuple[NDArray[np.uint8], list[object]]:
    """Return an image and its row in the annotations."""
    rng, group = order.rng, order.of
    chosen = pose.sample(hand, pose.GESTURES[order.label], rng)
    larger = 1.0 if group.close else rng.uniform(*group.width)
    shot_size = (320, 240) if group.close else _sized(group.size, 1 / larger)
    shot = shoot(hand, chosen, shot_size, rng)
    if group.close:
        image, box = _cut_close(shot, shot_size, order, rng)
    else:
        image, box = _in_room(shot, shot_size, order, rng)
    image, box = _turned(image, box, rng.uniform(-group.turned, group.turned))
    image = (image * rng.uniform(*group.dim)).astype(np.uint8)
    image[round(image.shape[0] * (1 - group.bar)) :] = 0
    row = [order.file, order.person, shot.handedness, shot.side, order.room]
    return image, [*row, *(round(float(number), 1) for number in box.ravel())]


def _sized(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return round(size[0] * factor), round(size[1] * factor)


def _in_room(
    shot: Shot, shot_size: tuple[int, int], order: Order, rng: Rng
) -> tuple[NDArray[np.uint8], Array]:
    """Put a shot into a larger image, such that the forearm still runs out of it."""
    width, height = order.of.size
    (left, right), (top, bottom) = (
        _border(rng, order.of.size[axis] - shot_size[axis], shot.depth, axis) for axis in (0, 1)
    )
    assert left + right + shot_size[0] == width
    scale = shot.depth.shape[1] // shot_size[0]
    around = ((scale * top, scale * bottom), (scale * left, scale * right))
    colour = np.pad(shot.colour, (*around, (0, 0)))
    depth = np.pad(shot.depth, around)
    room = ROOMS[order.room](Canvas.sample(width, height, rng))
    return expose(colour, depth, shot.crease, room, rng).image, np.add(shot.box, (left, top))


def _border(rng: Rng, more: int, depth: Array, axis: int) -> tuple[int, int]:
    """Return how many pixels to add before and behind: none where the forearm touches the shot's edge.

    Where it touches both edges, it is cut at one of them, which the image then shows.
    """
    first, last = (depth.take(index, axis=1 - axis).any() for index in (0, -1))
    before = 0 if first else more if last else int(rng.integers(0, more + 1))
    return before, more - before


def _cut_close(
    shot: Shot, shot_size: tuple[int, int], order: Order, rng: Rng
) -> tuple[NDArray[np.uint8], Array]:
    """Show a shot alone, cut to the hand's surroundings and scaled to the group's size."""
    assert order.of.close
    room = ROOMS[order.room](Canvas.sample(*shot_size, rng))
    image = expose(shot.colour, shot.depth, shot.crease, room, rng).image
    width, height = order.of.size
    reach = (shot.box[1] - shot.box[0]).max() / rng.uniform(*order.of.close)
    scale = min(reach / min(width, height), shot_size[0] / width, shot_size[1] / height)
    window = np.array([width, height]) * scale
    start = shot.box.mean(0) - window / 2 + rng.uniform(-0.06, 0.06, 2) * window
    start = np.clip(start, 0, np.array(shot_size) - window)
    left, top = start.astype(int)
    right, bottom = np.minimum((start + window).astype(int), shot_size)
    cut = cv2.resize(image[top:bottom, left:right], (width, height), interpolation=cv2.INTER_AREA)
    return cut.astype(np.uint8), (shot.box - [left, top]) * [width / (right - left), height / (bottom - top)]


def _turned(image: NDArray[np.uint8], box: Array, degrees: float) -> tuple[NDArray[np.uint8], Array]:
    """Turn an image about its middle; what comes in from outside is black."""
    if not degrees:
        return image, box
    height, width, _ = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    corners = np.array([[x, y, 1] for x in box[:, 0] for y in box[:, 1]]) @ matrix.T
    return np.asarray(cv2.warpAffine(image, matrix, (width, height))), np.array(
        [corners.min(0), corners.max(0)]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Render the set into a folder and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="run_experiment.py render", description="Render the embedded set of the experiment."
    )
    parser.add_argument("out", type=Path, help="folder to fill")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another set (0)")
    parser.add_argument("--assets", type=Path, help="folder to keep the body model in")
    options = parser.parse_args(arguments)
    wanted = orders(options.seed)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            body = Body(assets.find(options.assets or Path(scratch)))
            for _ in tqdm(render(options.out, wanted, body), total=len(wanted), unit="picture"):
                pass
    except HandprepError as error:
        print(f"render: {error}", file=sys.stderr)
        return 1
    return 0
