"""The commands beside ``run``: show, export, models and samples."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from handprep import drawing, images, models
from handprep.cli.options import add_options, pipeline_of
from handprep.errors import ImageError, InputError, OutputError
from handprep.features import FEATURES
from handprep.prepared.export import export
from handprep.sample import Sample
from handprep.samples import PHOTOS
from handprep.text import printable
from handprep.transforms.crop import HandCropper


def add_show(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command ``show``."""
    command = commands.add_parser(
        "show",
        allow_abbrev=False,
        help="show each step for some photos",
        description="Show each photo with its hands, every step of the pipeline, and the result. For a photo "
        "without a hand, show what each view of it gave.",
    )
    command.set_defaults(command=_show)
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="the photos, a row for each")
    instead = "write a PNG, JPEG or WebP instead of opening a viewer"
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help=instead)
    add_options(command)


def _show(parsed: argparse.Namespace) -> int:
    pipeline = pipeline_of(parsed)
    rows = []
    for photo in parsed.photos:
        try:
            explanation = pipeline.explain(photo)
        except ImageError as error:
            print(f"failed: {error}", file=sys.stderr)
            continue
        print(explanation)
        rows.append(explanation.to_image())
    if rows and parsed.output:
        images.write(Sample(image=drawing.stack(rows)), parsed.output)
    elif rows:
        drawing.show(drawing.stack(rows))
    return int(len(rows) < len(parsed.photos))


def add_export(commands: "argparse._SubParsersAction[Any]") -> None:
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


def add_models_and_samples(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands ``models`` and ``samples``."""
    listing = commands.add_parser("models", help="list model files, or download them ahead of time")
    listing.set_defaults(command=_list_models)
    actions = listing.add_subparsers(metavar="ACTION")
    fetch = actions.add_parser("fetch", help="download model files")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="which (the two that find hands)")
    fetch.add_argument("--all", action="store_true", help="all of them, also those of rembg")
    fetch.set_defaults(command=_fetch_models)
    samples = commands.add_parser(
        "samples", help="copy three rendered hands into a new folder, to try handprep"
    )
    samples.set_defaults(command=_samples)
    samples.add_argument("folder", type=Path, nargs="?", default="photos", metavar="FOLDER", help="(photos)")


def _list_models(parsed: argparse.Namespace) -> int:
    for entry in models.status():
        model = entry.model
        state = "cached" if entry.cached else entry.problem
        print(f"{model.name:20} {model.size / 1e6:6.1f} MB  {model.licence}  {state:10}  {model.description}")
    print(f"They are kept in {printable(str(models.cache_folder()))}")
    return 0


def _fetch_models(parsed: argparse.Namespace) -> int:
    for name in models.MODELS if parsed.all else parsed.names or sorted(HandCropper().model_files):
        print(printable(str(models.fetch(name, progress=True))))
    return 0


def _samples(parsed: argparse.Namespace) -> int:
    name = printable(str(parsed.folder))
    if parsed.folder.exists():
        raise InputError(f"{name} exists already: name a new folder")
    try:
        shutil.copytree(PHOTOS, parsed.folder)
    except OSError as error:
        raise OutputError(f"{name} cannot be written: {error}") from error
    print(f"photos: 3 in {name}\nnext: handprep run {name} prepared --report")
    return 0
