"""How fast handprep is, beside the limit and its peers, in one run; printed as Markdown tables.

    python -m tests.benchmarks [--photos FOLDER] [--classic PYTHON] [--quick]

Contestants take turns picture by picture, so that a busy machine slows all of them; medians are compared.
Processor time counts all threads of a process; OpenCV, torch and the networks get one each. Peers that are
not installed are skipped, with the reason. MediaPipe's classic API cannot live beside handprep's packages:
``--classic`` takes the Python of an environment that has mediapipe 0.10.21, and times it there, in the same
rounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2

from handprep.prepared.listing import listing
from tests.benchmarks import machine, removing, resizing, speed, stages
from tests.rendered import RENDERED

QUICK = 5  # times fewer rounds
SEGMENTED = 3  # pictures: u2net takes more than a second for each


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--photos", type=Path, default=RENDERED / "photos", help="a folder of photos of hands"
    )
    parser.add_argument("--count", type=int, default=12, help="photos of it that take part")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} times fewer rounds")
    parser.add_argument(
        "--classic", type=Path, metavar="PYTHON", help="an interpreter that has mediapipe 0.10.21"
    )
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    if options.quick:
        options.rounds = max(1, options.rounds // QUICK)
    cv2.setNumThreads(1)
    print(f"{machine.description()}\n\n{options.rounds} rounds, photos of {options.photos.name}")
    for name in options.tables:
        title, make = TABLES[name]
        print(f"\n## {title}\n\n{make(options)}", flush=True)


def _photos(options: argparse.Namespace) -> list[Path]:
    return [options.photos / source for source in listing(options.photos).sources]


def _hands(options: argparse.Namespace) -> str:
    pictures = speed.one_hand_pictures(_photos(options), options.count)
    return speed.hands(pictures, rounds=options.rounds, python=options.classic)


def _stages(options: argparse.Namespace) -> str:
    pictures = speed.one_hand_pictures(_photos(options), options.count)
    return stages.shares(speed.PIPELINE, pictures, rounds=options.rounds)


def _resize(options: argparse.Namespace) -> str:
    (picture, *_) = speed.one_hand_pictures(_photos(options), 1)
    return resizing.compare(picture, rounds=3 * options.rounds)


def _background(options: argparse.Namespace) -> str:
    pictures = speed.one_hand_pictures(_photos(options), min(options.count, SEGMENTED))
    return removing.compare(pictures, rounds=max(1, options.rounds // 5))


def _threads(options: argparse.Namespace) -> str:
    (picture, *_) = speed.one_hand_pictures(_photos(options), 1)
    return speed.two_threads(picture, photos=5 * options.rounds, rounds=3)


def _large(options: argparse.Namespace) -> str:
    return speed.twelve_megapixels(_photos(options)[0], rounds=max(1, options.rounds // 2))


TABLES: dict[str, tuple[str, Callable[[argparse.Namespace], str]]] = {
    "hands": ("Decoded 300×200 photos of one hand", _hands),
    "stages": ("Where the time of detect + crop + resize to 64 + grey goes", _stages),
    "resize": ("Resize + pad + grey, processor ms (ratio to handprep on the same kind of picture)", _resize),
    "background": ("The hand's pixels in its crop", _background),
    "threads": ("Two threads", _threads),
    "large": ("A 12-megapixel JPEG to 300×300", _large),
}

if __name__ == "__main__":
    main()
