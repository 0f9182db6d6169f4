"""The commands for single photos: show what a pipeline does to them, and write what comes out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from handprep import drawing, images
from handprep.cli.options import add_options, pipeline_of
from handprep.errors import ImageError
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.sheet import stack
from handprep.writing import write_whole


def add_show(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``show``."""
    command = commands.add_parser(
        "show",
        allow_abbrev=False,
        help="show what is done to photos, step by step",
        description="Show each photo with its hands, every step of the pipeline, and the result; without a "
        "hand, what each view of the photo shows.",
    )
    command.set_defaults(command=_show)
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="the photos, a row for each")
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write a PNG, JPEG or WebP instead of opening a viewer",
    )
    add_options(command)


def _show(parsed: argparse.Namespace) -> int:
    pipeline = pipeline_of(parsed)
    if parsed.save_pipeline is not None:
        write_whole(parsed.save_pipeline, pipeline.to_json().encode())
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
        images.write(Sample(image=stack(rows)), parsed.output)
    elif rows:
        drawing.show(stack(rows))
    return int(len(rows) < len(parsed.photos))


def run_one(pipeline: Pipeline, photo: Path, output: Path) -> None:
    """Prepare one photo, for ``handprep run PHOTO OUTPUT``."""
    pipeline.run(photo).save(output)
