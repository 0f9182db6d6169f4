"""The options of the command line that describe a pipeline, and the pipeline they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from handprep.configurable import check_colour
from handprep.detection import DETECTORS
from handprep.errors import InputError
from handprep.names import printable
from handprep.pipeline import Pipeline
from handprep.segmentation import SEGMENTERS
from handprep.transforms.background import OF_REMBG, BackgroundRemover
from handprep.transforms.base import Transform
from handprep.transforms.crop import HANDS, HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from handprep.transforms.skeleton import Skeleton

SIZE = 300  # pixels, as in the founding study
CROP = tuple(HandCropper().parameters)
BACKGROUND = ("method", *OF_REMBG, "background")
LOOKING = ("detector", "on_missing")  # for whoever looks for the hand: the cropper, or else the remover
OTHERS = ("crop", "remove_background", "size", "resize", "fill", "grey", "skeleton")
FLAGS = {
    "search": "--no-search",
    "crop": "--no-crop",
    "resize": "--no-resize",
}  # the others go by their names


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser. Those that are not given have no value, not a default."""
    _add_crop_options(parser.add_argument_group("crop to the hand"))
    _add_background_options(parser.add_argument_group("background"))
    _add_picture_options(parser.add_argument_group("size and colour"))
    files = parser.add_argument_group("pipelines as files")
    files.add_argument(
        "--pipeline", type=Path, metavar="FILE", help="a pipeline as JSON, in place of options"
    )
    files.add_argument("--save-pipeline", type=Path, metavar="FILE", help="also write the pipeline as JSON")


def pipeline_of(arguments: argparse.Namespace) -> Pipeline:
    """Return the pipeline that parsed options stand for.

    Raises
    ------
    InputError
        If options contradict each other, a value is out of its range, or the file is no pipeline.
    """
    given = {name: value for name, value in vars(arguments).items() if name in (*CROP, *BACKGROUND, *OTHERS)}
    if arguments.pipeline is not None:
        _refuse(given, given, "--pipeline FILE sets all of these")
        return _read(arguments.pipeline)
    if "skeleton" in given:
        return _skeleton(given)
    return Pipeline([*_crop(given), *_background(given), *_resize(given), *_grey(given)])


def _crop(given: dict[str, Any]) -> list[Transform]:
    if "crop" in given:
        useless = set(CROP) - set(LOOKING if "remove_background" in given else ())
        _refuse(given, useless, "nothing is cropped with --no-crop")
        return []
    return [HandCropper(**_only(given, CROP))]


def _background(given: dict[str, Any]) -> list[Transform]:
    if "remove_background" not in given:
        _refuse(given, BACKGROUND, "the background is only removed with --remove-background")
        return []
    if given.get("method") != "rembg":
        _refuse(given, OF_REMBG, "only --method rembg has models to choose from")
    return [BackgroundRemover(**_only(given, (*BACKGROUND, *(LOOKING if "crop" in given else ()))))]


def _resize(given: dict[str, Any]) -> list[Transform]:
    if "resize" in given:
        _refuse(given, ("size", "fill"), "nothing is resized with --no-resize")
        return []
    return [ResizePad(given.get("size", SIZE), fill=given.get("fill", _colour(given.get("background"))))]


def _colour(background: str | None) -> int | tuple[int, int, int]:
    """Return a background that is a plain colour, to pad with it; black for any other."""
    try:
        return 0 if background is None else check_colour("background", background)
    except InputError:
        return 0


def _grey(given: dict[str, Any]) -> list[Transform]:
    return [Greyscale()] if "grey" in given else []


def _skeleton(given: dict[str, Any]) -> Pipeline:
    _refuse(given, ("remove_background", *BACKGROUND, "resize", "fill", "grey"), "a skeleton is a drawing")
    return Pipeline([*_crop(given), Skeleton(view=given["skeleton"], size=given.get("size", SIZE))])


def _only(given: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _refuse(given: dict[str, Any], names: Iterable[str], reason: str) -> None:
    useless = set(names)
    flags = [FLAGS.get(name, f"--{name.replace('_', '-')}") for name in given if name in useless]
    if flags:
        raise InputError(f"{', '.join(flags)} cannot be used here: {reason}")


def _read(path: Path) -> Pipeline:
    name = printable(str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the pipeline {name} cannot be read: {error}") from error
    try:
        return Pipeline.from_json(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _add_crop_options(group: argparse._ArgumentGroup) -> None:
    default = HandCropper()

    def add(flag: str, **options: Any) -> None:
        group.add_argument(flag, default=argparse.SUPPRESS, **options)

    add("--no-crop", dest="crop", action="store_false", help="keep the whole image and detect no hand")
    add("--detector", choices=tuple(DETECTORS), help=f"what detects hands ({default.detector})")
    add("--confidence", type=float, metavar="N", help=f"least score of a hand, 0 to 1 ({default.confidence})")
    add(
        "--no-search",
        dest="search",
        action="store_false",
        help="detect in each photo once, without further views",
    )
    add("--refine", action="store_true", help="detect the landmarks once more, for --skeleton and features")
    add(
        "--hand",
        choices=tuple(HANDS),
        help=f"which of several hands, or one crop around all ({default.hand})",
    )
    add("--max-hands", type=int, metavar="N", help="how many hands to detect at most (2 for the best)")
    add(
        "--margin",
        type=float,
        metavar="N",
        help=f"share of the hand's long side to add ({default.margin})",
    )
    add("--square", action="store_true", help="crop to a square")
    add("--upright", action="store_true", help="turn the hand upright")
    add("--mirror", choices=("right", "left"), help="show every hand as a right, or a left, hand")
    add(
        "--on-missing",
        choices=("keep", "center", "raise", "skip"),
        help="a photo without a hand: keep it whole or its central square, fail, or skip it "
        f"({default.on_missing})",
    )


def _add_background_options(group: argparse._ArgumentGroup) -> None:
    def add(flag: str, **options: Any) -> None:
        group.add_argument(flag, default=argparse.SUPPRESS, **options)

    add("--remove-background", action="store_true", help="remove everything but the hand and forearm")
    add("--method", choices=tuple(SEGMENTERS), help="what finds the hand's pixels (auto: the best for hands)")
    add("--model", metavar="NAME", help="rembg's network, for --method rembg (u2net)")
    add("--model-path", metavar="FILE", help="a network file of your own, of the kind that --model names")
    add("--alpha-matting", action="store_true", help="refine rembg's mask with closed-form matting")
    add("--post-process", action="store_true", help="smooth rembg's mask and make it hard-edged")
    add(
        "--background",
        metavar="WHAT",
        help="the new background: a colour such as white, #ff8000 or 255,128,0, an image's path, "
        "transparent, blur, or mask for the mask alone (black)",
    )


def _add_picture_options(group: argparse._ArgumentGroup) -> None:
    def add(*flags: str, **options: Any) -> None:
        group.add_argument(*flags, default=argparse.SUPPRESS, **options)

    add("--size", type=_size, metavar="N|HxW", help=f"pixels: a square, or height x width ({SIZE})")
    add("--fill", metavar="COLOUR", help="colour of the padding (that of --background, or black)")
    add("--no-resize", dest="resize", action="store_false", help="keep the size")
    add(
        "--skeleton",
        choices=("image", "upright", "palm"),
        help="draw the hand's bones in place of the image: as in the crop, upright as a right hand, or "
        "turned in space so that the palm of a right hand faces the viewer",
    )
    add("--grey", "--gray", dest="grey", action="store_true", help="make the images grey")


def _size(text: str) -> int | tuple[int, int]:
    try:
        numbers = [int(part) for part in text.lower().split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise argparse.ArgumentTypeError(
            f"must be a number such as 300, or height x width as 240x320, not {text!r}"
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
