"""How well hands are found and cut out, by skin tone, on rendered hands whose truth is known.

    python -m tests.benchmarks.tones FOLDER... [--by tone class] [--light 1] [--blur 0]

FOLDER is what examples/render_hands.py fills. The tone is that of the skin before light falls on it. Hands
that are ``--paired`` are the same scenes in four tones, and are rendered first, where they are missing:

    python -m tests.benchmarks.tones --paired FOLDER --scenes 36 [--assets DIR]

``--light 0.05`` leaves that share of the light, with the noise of a small sensor, and ``--blur 9`` moves the
camera by 9 pixels. One look is `LiteRTDetector`, search what `HandCropper` does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from handprep import images
from handprep.detection.graph import overlaps
from handprep.detection.litert import LiteRTDetector
from handprep.detection.search import SearchingDetector
from handprep.sample import Hand, Sample
from handprep.segmentation import HandMatte
from handprep.transforms.crop import HandCropper
from tests.benchmarks.mask_scores import Array, iou, tone_of

Row: TypeAlias = dict[str, Any]  # one picture in annotations.json

ONCE = LiteRTDetector(confidence=0.1)
DETECTORS = {"one look": ONCE, "search": SearchingDetector(ONCE)}
TONES = {"light": 41.0, "medium": 10.0, "brown": -30.0, "dark": -90.0}  # least typology angle, degrees
LEVELS = {"light": 1, "medium": 3, "brown": 5, "dark": 7}  # of these tones in examples/rendering/skin.py
THERE = 0.5  # overlap of boxes, IoU, from which what was found is the hand
GAMMA = 2.2
FULL_WELL = 2000  # electrons that a pixel holds in full light, and
READ_NOISE = 4  # those that reading it adds: a small sensor of a phone or webcam


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one detector made of one picture.

    Attributes
    ----------
    found
        Whether it reported a hand.
    there
        Whether that is where the hand is.
    error
        Mean distance of the landmarks to the true ones, as a share of the hand's length; None elsewhere.
    side
        Whether it says rightly if it is a left or a right hand; None elsewhere.
    overlap
        IoU of `HandMatte`'s mask with the true one, in the crop; None elsewhere.
    """

    found: bool
    there: bool
    error: float | None = None
    side: bool | None = None
    overlap: float | None = None


def main() -> None:
    """Command line."""
    options = _options()
    cv2.setNumThreads(1)
    folders = options.folders
    if options.paired:
        render_pairs(options.paired, options.scenes, options.assets)
        folders = [*folders, *(options.paired / name for name in LEVELS)]
    cases = [(folder, row) for folder in folders for row in annotations(folder)]
    with ThreadPoolExecutor(options.threads) as threads:
        scored = list(threads.map(lambda case: look(*case, options.light, options.blur), cases))
    print("| group | looks | pictures | found | there | error | wrong side | IoU |")
    print("|---" * 8 + "|")
    for by in options.by:
        pairs = sorted(zip(map(GROUPS[by], cases), scored, strict=True), key=lambda pair: pair[0])
        for name, members in groupby(pairs, key=lambda pair: pair[0]):
            print_rows(name, [scores for _, scores in members])
    print_rows("all", scored)


def annotations(folder: Path) -> list[Row]:
    """Return the rows of a rendered folder."""
    return list(json.loads((folder / "annotations.json").read_text(encoding="utf-8")))


def look(folder: Path, row: Row, light: float = 1, blur: int = 0) -> dict[str, Score]:
    """Return each detector's score for one picture."""
    sample = with_truth(folder, row)
    noise = np.random.default_rng(sample.image.size + len(row["file"]))
    image = darkened(blurred(sample.image, blur), light, noise)
    sample = replace(sample, image=image, alpha=blurred(sample.alpha, blur))
    return {name: score(sample, detector.detect(image), row) for name, detector in DETECTORS.items()}


def with_truth(folder: Path, row: Row) -> Sample:
    """Return a picture with its true mask as alpha."""
    mask = np.ascontiguousarray(images.read(folder / row["mask"]).image[..., 0])
    return replace(images.read(folder / row["file"]), alpha=mask)


def score(sample: Sample, hands: tuple[Hand, ...], row: Row) -> Score:
    """Return the score of the hand that `HandCropper` would choose."""
    if not hands:
        return Score(found=False, there=False)
    hand = max(hands, key=lambda hand: hand.score)
    truth = np.array(row["landmarks"])
    true_box = np.array([[truth.min(0), truth.max(0)]])
    if overlaps(np.reshape(hand.box, (2, 2)), true_box)[0] < THERE or hand.landmarks is None:
        return Score(found=True, there=False)
    length = np.linalg.norm(truth[:, None] - truth, axis=2).max()
    cropped = HandCropper().apply(replace(sample, hands=(hand,)))
    alpha = HandMatte().segment(cropped.image, cropped.hands or ())
    return Score(
        found=True,
        there=True,
        error=float(np.linalg.norm(hand.landmarks - truth, axis=1).mean() / length),
        side=hand.handedness == row["handedness"],
        overlap=iou(alpha, cropped.alpha),
    )


def darkened(image: Array, light: float, noise: np.random.Generator) -> Array:
    """Return a picture with a share of its light, as a small sensor without gain would take it."""
    if light == 1:
        return image
    electrons = (image / 255.0) ** GAMMA * light * FULL_WELL
    electrons = noise.poisson(electrons) + noise.normal(0, READ_NOISE, image.shape)
    return ((electrons / FULL_WELL).clip(0, 1) ** (1 / GAMMA) * 255).round().astype(np.uint8)


def blurred(image: Array, pixels: int) -> Array:
    """Return a picture during which the camera moved sideways."""
    return cv2.blur(image, (pixels, 1)) if pixels > 1 else image


def print_rows(name: str, scored: list[dict[str, Score]]) -> None:
    """Print a line for each detector."""
    for detector in DETECTORS:
        scores = [scores[detector] for scores in scored]
        there = [score for score in scores if score.there]
        error, wrong, overlap = (
            _mean(value for score in there if (value := get(score)) is not None)
            for get in (lambda s: s.error, lambda s: s.side is False, lambda s: s.overlap)
        )
        print(
            f"| {name} | {detector} | {len(scores)} | {_mean(s.found for s in scores):.1%} "
            f"| {_mean(s.there for s in scores):.1%} | {error:.3f} | {wrong:.1%} | {overlap:.3f} |",
            flush=True,
        )


def render_pairs(folder: Path, scenes: int, assets: Path | None) -> None:
    """Render the same scenes in each tone: what is random does not depend on it."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
    from rendering import assets as body_assets
    from rendering import skin
    from rendering.body import Body
    from rendering.folder import Order, render

    body = Body(body_assets.find(assets or folder / "assets"))
    between = skin.tone
    for name, level in LEVELS.items():
        skin.tone = lambda _, level=level: between(level)
        for _ in render(
            folder / name, [Order(seed=3, number=n, size=(320, 240)) for n in range(scenes)], body
        ):
            pass
    skin.tone = between


def _size(case: tuple[Path, Row]) -> str:
    x0, y0, x1, y1 = case[1]["box"]
    share = max(x1 - x0, y1 - y0) / max(case[1]["size"])
    return "under a quarter" if share < 0.25 else "a quarter to a half" if share < 0.5 else "over a half"


GROUPS: dict[str, Callable[[tuple[Path, Row]], str]] = {
    "tone": lambda case: tone_of(case[1]["skin_albedo"], TONES),
    "folder": lambda case: case[0].name,
    "size": _size,
    **{key: lambda case, key=key: str(case[1][key]) for key in ("class", "side", "background", "handedness")},
}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else float("nan")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--by", nargs="+", choices=GROUPS, default=["tone"])
    parser.add_argument("--light", type=float, default=1, help="share of the light, up to 1")
    parser.add_argument("--blur", type=int, default=0, help="pixels that the camera moves")
    parser.add_argument("--paired", type=Path)
    parser.add_argument("--scenes", type=int, default=36)
    parser.add_argument("--assets", type=Path, help="of render_hands.py")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
