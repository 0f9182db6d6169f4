"""Folders of photos for tests, and what a run left in a folder of outputs."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import PIL.Image

from handprep.pipeline import Pipeline
from handprep.transforms.crop import HandCropper
from handprep.transforms.resize import ResizePad
from tests.rendered import Rendered, photos

HANDS = photos()[7:16]  # three of every class, all found at the first look
CROP = Pipeline([HandCropper(search=False), ResizePad(48)])
RESIZE = Pipeline([ResizePad(16)])  # where it does not matter what the pipeline is


def copied(folder: Path, hands: Sequence[Rendered] = HANDS) -> Path:
    """Copy rendered hands to ORIGIN/CLASS/NAME in a folder, half of them "near", half "far"."""
    for number, hand in enumerate(hands):
        place = folder / ("near" if number % 2 else "far") / hand.label
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(hand.path, place)
    return folder


def picture(path: Path, colour: tuple[int, ...] = (200, 150, 100), size: tuple[int, int] = (40, 30)) -> Path:
    """Write a picture of one colour, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", size, colour).save(path)
    return path


def manifest(dst: Path) -> list[dict[str, str]]:
    """Return the rows of the manifest."""
    with (dst / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def outputs(dst: Path) -> dict[str, bytes]:
    """Return all pictures in a folder of outputs, by their names."""
    return {str(path.relative_to(dst)): path.read_bytes() for path in _pictures(dst)}


def identities(dst: Path) -> dict[str, tuple[int, int]]:
    """Return what changes when a picture is written again, even with the same content."""
    stats = {path: path.stat() for path in _pictures(dst)}
    return {str(path.relative_to(dst)): (stat.st_ino, stat.st_mtime_ns) for path, stat in stats.items()}


def leftovers(dst: Path) -> list[Path]:
    """Return what interrupted writes left behind."""
    return [path for path in dst.rglob("*") if path.name.endswith(".tmp")]


def _pictures(dst: Path) -> list[Path]:
    return sorted(p for p in dst.rglob("*") if p.suffix in (".png", ".jpg", ".webp") and p.is_file())
