"""The command line of render_hands.py."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from handprep.errors import HandprepError
from rendering import assets
from rendering.body import Body
from rendering.folder import Order, render


def main(arguments: Sequence[str] | None = None) -> int:
    """Render the images that the arguments ask for and return the exit status."""
    options = _parser().parse_args(arguments)
    orders = [Order(seed=options.seed, number=number, size=options.size) for number in range(options.count)]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            body = Body(assets.find(options.assets or Path(scratch)))
            for _ in tqdm(render(options.out, orders, body), total=len(orders), unit="image"):
                pass
    except HandprepError as error:
        print(f"render_hands: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="render_hands.py",
        description="Render images of hands that show rock, paper or scissors, with exact ground truth. "
        "Run it again to resume.",
    )
    parser.add_argument("out", type=Path, help="folder for photos, masks and annotations.json")
    parser.add_argument("--count", type=_count, default=36, help="number of images (36)")
    parser.add_argument("--seed", type=_seed, default=0, help="0 or more; another seed, other images (0)")
    parser.add_argument("--size", type=_size, default=(480, 360), help="WIDTHxHEIGHT in pixels (480x360)")
    parser.add_argument(
        "--assets",
        type=Path,
        help=f"folder to keep the body model in (data of {assets.PACKAGE}), to download it only once",
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {number}")
    return number


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 32):
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT of 32 pixels or more each, not {text!r}")
    return int(width), int(height)
