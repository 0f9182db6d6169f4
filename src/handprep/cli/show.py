"""The command that shows what a pipeline does to photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from handprep import drawing, images
from handprep.cli.options import add_options, pipeline_of
from handprep.errors import ImageError
from handprep.sample import Sample


def add_show(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
