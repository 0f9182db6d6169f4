"""The command that writes what prepared images carry in formats of other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from handprep.features import FEATURES
from handprep.names import printable
from handprep.prepared.export import export


def add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``export``."""
    command = commands.add_parser(
        "export",
        allow_abbrev=False,
        help="write landmarks, boxes or masks of prepared images for other programs",
        description="Write the hands that prepared images carry. The ending of TO is the format: .csv or "
        ".parquet for a table of landmarks, .json for COCO, masks/ for masks, any other folder for YOLO.",
    )
    command.set_defaults(command=_export)
    command.add_argument("prepared", type=Path, metavar="PREPARED", help="a folder of prepared images")
    command.add_argument("--to", required=True, metavar="TO", help="landmarks.csv, coco.json, yolo/, masks/")
    space = "for COCO, YOLO and masks: in pixels of the photos, or of the prepared images (photo)"
    command.add_argument("--space", choices=("photo", "prepared"), default="photo", help=space)
    level = "which folder is the class, as for run (-1)"
    command.add_argument("--class-level", type=int, default=-1, metavar="N", help=level)
    features = "also write these features of each hand, as columns of a table"
    command.add_argument("--features", nargs="+", choices=tuple(FEATURES), default=(), help=features)


def _export(parsed: argparse.Namespace) -> int:
    options = {name: getattr(parsed, name) for name in ("space", "class_level", "features")}
    count = export(parsed.prepared, parsed.to, **options)
    print(f"images: {count}\nwritten: {printable(parsed.to)}")
    return 0
