"""The options of the command line that describe a pipeline, and the pipeline they stand for."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from handprep.configurable import check_colour
from handprep.detection import DETECTORS
from handprep.errors import InputError
from handprep.files import atomic_write
from handprep.pipeline import Pipeline
from handprep.segmentation import SEGMENTERS
from handprep.text import printable
from handprep.transforms.background import OF_REMBG, BackgroundRemover
from handprep.transforms.base import Transform
from handprep.transforms.crop import HANDS, HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from handprep.transforms.skeleton import Skeleton

SIZE = 300  # pixels, as in the founding study
CROP = tuple(HandCropper().parameters)
BACKGROUND = ("method", *OF_REMBG, "background")
DETECTION = ("detector", "on_missing")  # for the cropper, or without one for the remover
OTHERS = ("crop", "remove_background", "size", "resize", "fill", "grey", "skeleton")
NEGATED = ("search", "crop", "resize")  # the flags that start with --no-


def _size(text: str) -> int | tuple[int, int]:
    numbers = re.fullmatch(r"(\d+)(?:x(\d+))?", text.lower())
    if not numbers:
        problem = f"must be a number such as 300, or height x width as 240x320, not {text!r}"
        raise argparse.ArgumentTypeError(problem)
    height, width = numbers.groups()
    return int(height) if width is None else (int(height), int(width))


def _flag(*names: str, help: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return what ``add_argument`` takes; an option that is not given has no value, not a default."""
    return names, {"help": help, "default": argparse.SUPPRESS, **options}


ON, OFF = {"action": "store_true"}, {"action": "store_false"}
FLAGS = {
    "crop to the hand": (
        _flag("--no-crop", dest="crop", **OFF, help="keep the whole image and detect no hand"),
        _flag("--detector", choices=tuple(DETECTORS), help="what detects hands (litert)"),
        _flag("--confidence", type=float, metavar="N", help="least score of a hand, 0 to 1 (0.1)"),
        _flag("--no-search", dest="search", **OFF, help="detect in each photo once, without further views"),
        _flag("--refine", **ON, help="detect the landmarks once more, for --skeleton and features"),
        _flag("--hand", choices=HANDS, help="which of several hands, or one crop around all (best)"),
        _flag("--max-hands", type=int, metavar="N", help="how many hands to detect at most (2 for the best)"),
        _flag("--margin", type=float, metavar="N", help="share of the hand's long side to add (0.2)"),
        _flag("--square", **ON, help="crop to a square"),
        _flag("--upright", **ON, help="turn the hand upright"),
        _flag("--mirror", choices=("right", "left"), help="show every hand as a right, or a left, hand"),
        _flag(
            "--on-missing",
            choices=("keep", "center", "raise", "skip"),
            help="a photo without a hand: keep it whole or its central square, fail, or skip it (keep)",
        ),
    ),
    "background": (
        _flag("--remove-background", **ON, help="remove everything but the hand and forearm"),
        _flag(
            "--method",
            choices=tuple(SEGMENTERS),
            help="what finds the hand's pixels (auto: the best for hands)",
        ),
        _flag("--model", metavar="NAME", help="rembg's network, for --method rembg (u2net)"),
        _flag(
            "--model-path", metavar="FILE", help="a network file of your own, of the kind that --model names"
        ),
        _flag("--alpha-matting", **ON, help="refine rembg's mask with closed-form matting"),
        _flag("--post-process", **ON, help="smooth rembg's mask and make it hard-edged"),
        _flag(
            "--background",
            metavar="WHAT",
            help="the new background: a colour such as white, #ff8000 or 255,128,0, an image's path, "
            "transparent, blur, or mask for the mask alone (black)",
        ),
    ),
    "size and colour": (
        _flag("--size", type=_size, metavar="N|HxW", help=f"pixels: a square, or height x width ({SIZE})"),
        _flag("--fill", metavar="COLOUR", help="colour of the padding (that of --background, or black)"),
        _flag("--no-resize", dest="resize", **OFF, help="keep the size"),
        _flag(
            "--skeleton",
            choices=("image", "upright", "palm"),
            help="draw the hand's bones in place of the image: as in the crop, upright as a right hand, or "
            "turned in space so that the palm of a right hand faces the viewer",
        ),
        _flag("--grey", "--gray", **ON, help="make the images grey"),
    ),
    "pipelines as files": (
        _flag("--pipeline", type=Path, metavar="FILE", help="a pipeline as JSON, in place of options"),
        _flag("--save-pipeline", type=Path, metavar="FILE", help="also write the pipeline as JSON"),
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    for title, flags in FLAGS.items():
        group = parser.add_argument_group(title)
        for names, options in flags:
            group.add_argument(*names, **options)


def pipeline_of(arguments: argparse.Namespace) -> Pipeline:
    """Return the pipeline that parsed options stand for, and write it where ``--save-pipeline`` says."""
    given = vars(arguments)
    _refuse_useless({name for name in given if name in (*CROP, *BACKGROUND, *OTHERS)}, given)
    pipeline = _read(given["pipeline"]) if "pipeline" in given else Pipeline(_transforms(given))
    if "save_pipeline" in given:
        atomic_write(given["save_pipeline"], pipeline.to_json().encode())
    return pipeline


def _refuse_useless(names: set[str], given: dict[str, Any]) -> None:
    removes, of_images = (
        "remove_background" in given,
        ("remove_background", *BACKGROUND, "resize", "fill", "grey"),
    )
    rules = (
        ("pipeline" in given, names, "--pipeline FILE sets all of these"),
        ("skeleton" in given, of_images, "a skeleton is a drawing"),
        ("crop" in given, {*CROP} - set(DETECTION if removes else ()), "nothing is cropped with --no-crop"),
        (not removes, BACKGROUND, "the background is only removed with --remove-background"),
        (given.get("method") != "rembg", OF_REMBG, "only --method rembg has models to choose from"),
        ("resize" in given, ("size", "fill"), "nothing is resized with --no-resize"),
    )
    for applies, unwanted, reason in rules:
        useless = [name for name in given if name in names and name in unwanted]
        if applies and useless:
            flags = (f"--{'no-' * (name in NEGATED)}{name.replace('_', '-')}" for name in useless)
            raise InputError(f"{', '.join(flags)} cannot be used here: {reason}")


def _transforms(given: dict[str, Any]) -> Iterable[Transform]:
    def only(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names if name in given}

    if "crop" not in given:
        yield HandCropper(**only(*CROP))
    if "skeleton" in given:
        yield Skeleton(view=given["skeleton"], size=given.get("size", SIZE))
        return
    if "remove_background" in given:
        yield BackgroundRemover(**only(*BACKGROUND, *(DETECTION if "crop" in given else ())))
    if "resize" not in given:
        yield ResizePad(given.get("size", SIZE), fill=given.get("fill", _padding(given.get("background", 0))))
    if "grey" in given:
        yield Greyscale()


def _padding(background: str | int) -> int | tuple[int, int, int]:
    """Return a background that is a plain colour, to pad with it; black for any other."""
    try:
        return check_colour("background", background)
    except InputError:
        return 0


def _read(path: Path) -> Pipeline:
    name = printable(str(path))
    try:
        return Pipeline.from_json(path.read_text(encoding="utf-8"))
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the pipeline {name} cannot be read: {error}") from error
