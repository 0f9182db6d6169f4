"""How often the right hand is found in photos whose hands are marked by boxes, and what it costs.

    python -m tests.benchmarks.boxes FOLDER [--detectors single search] [--every N]

FOLDER holds photos and ``truth.json``: photo -> ``boxes`` ``[[x0, y0, x1, y1], ...]`` in pixels of every
visible hand (none in a hand-free photo) and ``group``. A reported hand is right if the box of its landmarks,
cut at the image's border, has an IoU of 0.4 with a true box, or if each centre lies in the other box and the
areas differ by less than 3 (true larger) to 4 times: landmarks end inside of finger tips, labels at the skin.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import thread_time

import numpy as np

from handprep import images
from handprep.detection.base import HandDetector, are_same
from handprep.detection.litert import LiteRTDetector
from handprep.detection.search import SearchingDetector
from handprep.geometry import Box, iou
from handprep.sample import Hand
from handprep.threads import ordered_map

SINGLE = LiteRTDetector(max_hands=2)
DETECTORS: dict[str, tuple[HandDetector, HandDetector]] = {  # for one hand, for all hands
    "single": (SINGLE, LiteRTDetector(max_hands=20)),
    "search": (SearchingDetector(SINGLE), SearchingDetector(LiteRTDetector(max_hands=20))),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a detector made of one photo; `cost` is its processor time over that of the single look."""

    group: str
    hands: int
    reported: bool
    right: bool
    found: int
    false: int
    twice: int
    cost: float


def fits(box: Box, truth: Box) -> bool:
    """Tell whether a reported box is that of a true hand."""
    if iou(box, truth) >= 0.4:
        return True
    ratio = _area(box) / max(_area(truth), 1e-9)
    return _holds(truth, box) and _holds(box, truth) and 1 / 4 < ratio < 3


def within(hand: Hand, size: tuple[int, int]) -> Box:
    """Return a hand's box, cut at the border of an image of a width and height."""
    x0, y0, x1, y1 = hand.box
    return max(0.0, x0), max(0.0, y0), min(float(size[0]), x1), min(float(size[1]), y1)


def _holds(box: Box, other: Box) -> bool:
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def look(folder: Path, name: str, truth: dict[str, object], detectors: tuple[HandDetector, ...]) -> Outcome:
    """Return what a pair of detectors makes of a photo."""
    image = images.read(folder / name).image
    size, boxes = (image.shape[1], image.shape[0]), [tuple(box) for box in truth["boxes"]]  # type: ignore[attr-defined]
    start = thread_time()
    SINGLE.detect(image)
    single, start = thread_time() - start, thread_time()
    hands = detectors[0].detect(image)
    cost = (thread_time() - start) / single
    every = detectors[1].detect(image)
    best = max(hands, key=lambda hand: hand.score, default=None)
    matched = [any(fits(within(hand, size), box) for box in boxes) for hand in every]
    return Outcome(
        group=str(truth["group"]),
        hands=len(boxes),
        reported=bool(hands),
        right=best is not None and any(fits(within(best, size), box) for box in boxes),
        found=sum(any(fits(within(hand, size), box) for hand in every) for box in boxes),
        false=len(matched) - sum(matched),
        twice=sum(are_same(a, b) for i, a in enumerate(every) for b in every[:i]),
        cost=cost,
    )


def table(outcomes: Sequence[Outcome]) -> None:
    """Print a row for each group."""
    print(f"{'group':18}{'photos':>7}{'right %':>9}{'hands':>7}{'all %':>7}", end="")
    print(f"{'false':>7}{'twice':>7}{'cost median':>13}{'mean':>7}")
    groups = sorted({(not o.hands, o.group) for o in outcomes})  # hand-free ones last
    rows = [(group, [o for o in outcomes if o.group == group]) for _, group in groups]
    for group, few in [*rows, ("all with hands", [o for o in outcomes if o.hands])]:
        hands = sum(o.hands for o in few)
        right = f"{100 * np.mean([o.right for o in few]):.1f}"
        right = right if hands else f"({sum(o.reported for o in few)})"
        found = f"{100 * sum(o.found for o in few) / hands:.1f}" if hands else ""
        costs = [o.cost for o in few]
        print(f"{group:18}{len(few):7}{right:>9}{hands:7}{found:>7}{sum(o.false for o in few):7}", end="")
        print(f"{sum(o.twice for o in few):7}{np.median(costs):13.2f}{np.mean(costs):7.2f}")
    print("(in parentheses: hand-free photos in which a hand was reported)")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=list(DETECTORS))
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    truth = sorted(json.loads((options.folder / "truth.json").read_text()).items())[:: options.every]
    for name in options.detectors:
        print(f"\n{name}")
        pair = DETECTORS[name]
        table(list(ordered_map(lambda item: look(options.folder, *item, pair), truth)))  # noqa: B023


if __name__ == "__main__":
    main()
