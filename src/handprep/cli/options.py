"""The options of the command line that describe a pipeline, and the pipeline they stand for."""

import argparse
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from handprep.detection import DETECTORS
from handprep.errors import InputError
from handprep.files import atomic_write
from handprep.pipeline import Pipeline
from handprep.segmentation import SEGMENTERS
from handprep.text import printable
from handprep.transforms.background import OF_REMBG, BackgroundRemover
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from handprep.transforms.skeleton import Skeleton

SIZE = 300  # pixels, as in the founding study
CROP = {  # parameters of HandCropper, by which their options have their names, kinds and choices
    "detector": "what detects hands (litert)",
    "confidence": "least score of a hand, 0 to 1 (0.1)",
    "search": "detect in each photo once, without further views",
    "refine": "detect the landmarks once more, for --skeleton and features",
    "hand": "which of several hands, or one crop around all (best)",
    "max_hands": "how many hands to detect at most (2 for the best)",
    "margin": "share of the hand's long side to add (0.2)",
    "square": "crop to a square",
    "upright": "turn the hand upright",
    "mirror": "show every hand as a right, or a left, hand",
    "on_missing": "a photo without a hand: keep it whole or its central square, fail, or skip it (keep)",
}
BACKGROUND = {  # parameters of BackgroundRemover
    "method": "what finds the hand's pixels (auto: the best for hands)",
    "model": "rembg's network, for --method rembg (u2net)",
    "model_path": "a network file of your own, of the kind that --model names",
    "alpha_matting": "refine rembg's mask with closed-form matting",
    "post_process": "smooth rembg's mask and make it hard-edged",
    "background": "the new background: a colour such as white, #ff8000 or 255,128,0, an image's path, "
    "transparent, blur, or mask for the mask alone (black)",
}
DETECTION = ("detector", "on_missing")  # for the cropper, or without one for the remover
OF_IMAGES = ("remove_background", *BACKGROUND, "resize", "fill", "grey")
NAMED = {"detector": tuple(DETECTORS), "method": SEGMENTERS}  # the choices of what may also be an object


def _size(text: str) -> int | tuple[int, int]:
    numbers = re.fullmatch(r"(\d+)(?:x(\d+))?", text.lower())
    if not numbers:
        problem = f"must be a number such as 300, or height x width as 240x320, not {text!r}"
        raise argparse.ArgumentTypeError(problem)
    height, width = numbers.groups()
    return int(height) if width is None else (int(height), int(width))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser. One that is not given has no value, not a default."""

    def group(title: str) -> Callable[..., Any]:
        return parser.add_argument_group(title, argument_default=argparse.SUPPRESS).add_argument

    add = group("crop to the hand")
    add("--no-crop", dest="crop", action="store_false", help="keep the whole image and detect no hand")
    _add_parameters(add, HandCropper, CROP)
    add = group("background")
    removed = "remove everything but the hand and forearm"
    add("--remove-background", action="store_true", help=removed)
    _add_parameters(add, BackgroundRemover, BACKGROUND)
    add = group("size and colour")
    add("--size", type=_size, metavar="N|HxW", help=f"pixels: a square, or height x width ({SIZE})")
    add("--fill", metavar="COLOUR", help="colour of the padding (that of --background, or black)")
    add("--no-resize", dest="resize", action="store_false", help="keep the size")
    skeleton = (
        "draw the hand's bones in place of the image: as in the crop, upright as a right hand, or turned in "
        "space so that the palm of a right hand faces the viewer"
    )
    add("--skeleton", choices=("image", "upright", "palm"), help=skeleton)
    add("--grey", "--gray", action="store_true", help="make the images grey")
    add = group("pipelines as files")
    add("--pipeline", type=Path, metavar="FILE", help="a pipeline as JSON, in place of options")
    add("--save-pipeline", type=Path, metavar="FILE", help="also write the pipeline as JSON")


def _add_parameters(add: Callable[..., Any], part: type[Transform], helps: Mapping[str, str]) -> None:
    """Add an option for each of a transform's parameters that has a help text."""
    hints = get_type_hints(part)
    for name, text in helps.items():
        flag, hint = name.replace("_", "-"), hints[name]
        if hint is bool:
            negated = getattr(part(), name)
            action = "store_false" if negated else "store_true"
            add(f"--{'no-' * negated}{flag}", dest=name, action=action, help=text)
            continue
        kinds = [kind for one in (get_args(hint) or (hint,)) for kind in (get_args(one) or (one,))]
        number = next((kind for kind in (float, int) if kind in kinds and str not in kinds), None)
        choices = NAMED.get(name) or tuple(kind for kind in kinds if isinstance(kind, str)) or None
        add(f"--{flag}", type=number, metavar=number and "N", choices=choices, help=text)


def pipeline_of(arguments: argparse.Namespace) -> Pipeline:
    """Return the pipeline that parsed options stand for, and write it where ``--save-pipeline`` says."""
    given = vars(arguments)
    _refuse_useless(given)
    pipeline = _read(given["pipeline"]) if "pipeline" in given else Pipeline(_transforms(given))
    if "save_pipeline" in given:
        atomic_write(given["save_pipeline"], pipeline.to_json().encode())
    return pipeline


def _refuse_useless(given: Mapping[str, Any]) -> None:
    removes = "remove_background" in given
    rules = (
        (
            "pipeline" in given,
            (*CROP, *OF_IMAGES, "crop", "size", "skeleton"),
            "--pipeline FILE sets all of these",
        ),
        ("skeleton" in given, OF_IMAGES, "a skeleton is a drawing"),
        ("crop" in given, {*CROP} - set(DETECTION if removes else ()), "nothing is cropped with --no-crop"),
        (not removes, BACKGROUND, "the background is only removed with --remove-background"),
        (given.get("method") != "rembg", OF_REMBG, "only --method rembg has models to choose from"),
        ("resize" in given, ("size", "fill"), "nothing is resized with --no-resize"),
    )
    for applies, unwanted, reason in rules:
        useless = [name for name in given if name in unwanted]
        if applies and useless:
            flags = (f"--{'no-' * (given[name] is False)}{name.replace('_', '-')}" for name in useless)
            raise InputError(f"{', '.join(flags)} cannot be used here: {reason}")


def _transforms(given: dict[str, Any]) -> Iterable[Transform]:
    def only(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names if name in given}

    if "crop" not in given:
        yield HandCropper(**only(*CROP))
    if "skeleton" in given:
        yield Skeleton(view=given["skeleton"], size=given.get("size", SIZE))
        return
    padding: int | tuple[int, int, int] | str = 0
    if "remove_background" in given:
        remover = BackgroundRemover(**only(*BACKGROUND, *(DETECTION if "crop" in given else ())))
        padding = 0 if isinstance(remover.background, str) else remover.background
        yield remover
    if "resize" not in given:
        yield ResizePad(given.get("size", SIZE), fill=given.get("fill", padding))
    if "grey" in given:
        yield Greyscale()


def _read(path: Path) -> Pipeline:
    try:
        return Pipeline.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the pipeline {printable(str(path))} cannot be read: {error}") from error
