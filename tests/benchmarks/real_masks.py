"""How well segmenters find hands in real photos with true masks: fair scores for each source.

    python -m tests.benchmarks.real_masks FOLDER [--methods matte u2netp] [--by light] [--worst FOLDER]

FOLDER/truth.json maps each image to its ``mask`` (255 = hand) and its ``convention``, what the truth means:
``"hand"``, cut at the wrist, or anything that names a forearm. Such truths differ in where an arm ends, so
what they cannot say is left out of the *fair* scores, and so are hands that no detector found.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from handprep import images
from handprep.landmarks import FINGERS, PALM, HandLandmark
from handprep.sample import Hand, Sample
from handprep.segmentation import Segmenter, prior
from handprep.segmentation.framing import wrist_line
from handprep.transforms.crop import HandCropper
from tests.benchmarks.background import METHODS
from tests.benchmarks.mask_scores import Array, border_distances, has_holes, tone
from tests.benchmarks.mask_sheet import sheet

MARGIN = 0.25  # of the crop
WRIST_ABOVE, WRIST_BELOW = 0.2, 0.45  # palm lengths: a strip around the wrist in which truths differ
ARM = 1.0  # palm lengths below the wrist to which truths with forearms are believed
OUTLINE = 0.03  # palm lengths to either side of the true outline, in which masks drawn by hand are vague
BORDER = 2.0  # pixels that an outline may be off
BLOWN_OUT = 0.1  # share of the hand's pixels that are clipped
POOR = 0.75  # fair IoU


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A photo as segmenters get it, with what counts of its true mask.

    Attributes
    ----------
    sample
        The crop; its alpha is the true mask.
    counts
        bool ``(H, W)``: pixels on which the truth has a say.
    arms
        bool ``(H, W)``: arms of a truth that has hands alone, where nothing found counts as wrong.
    source
        Name of the data set.
    """

    sample: Sample
    counts: Array
    arms: Array
    source: str

    @property
    def light(self) -> str:
        """``"clipped"`` where much of the hand has no colour any more, else ``"normal"``."""
        skin = self.sample.image[(self.sample.alpha > 127) & self.counts]
        return "clipped" if len(skin) and np.mean((skin >= 252).any(1)) > BLOWN_OUT else "normal"

    @property
    def tone(self) -> str:
        """The skin's tone, as it looks in the photo."""
        return tone(self.sample.image, self.sample.alpha)

    @property
    def size(self) -> str:
        """How long the palm is in pixels."""
        length = prior.palm_length(self.sample.hand)
        return "palm under 40 px" if length < 40 else "palm under 100 px" if length < 100 else "larger palm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one segmenter made of one case.

    Attributes
    ----------
    alpha
        uint8 ``(H, W)``.
    iou, core
        Fair intersection over union, and the same without the pixels around the true outline.
    border
        F-score of the outline within 2 pixels.
    bones_outside
        Share of the bones' pixels, in the crop, that the mask leaves out.
    holes
        Whether it has holes where the truth has none.
    seconds
        Processor time.
    """

    alpha: Array
    iou: float
    core: float
    border: float
    bones_outside: float
    holes: bool
    seconds: float


def cases(folder: Path) -> Iterator[Case]:
    """Yield the photos of a folder in which a hand is found that the truth has, too."""
    crop = HandCropper(margin=MARGIN)
    for name, truth in json.loads((folder / "truth.json").read_text()).items():
        sample = crop.run(folder / name)
        if sample.hands:
            mask = _seen(images.read(folder / truth["mask"]).rgb[..., 0], sample)
            case = _case(sample, mask, truth["convention"], name.split("/")[0])
            if (case.sample.alpha[case.counts] > 127).any():
                yield case


def _seen(mask: Array, sample: Sample) -> Array:
    """Return the part of the photo's mask that the crop shows."""
    matrix = sample.to_source.copy()
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV counts pixel centres
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(np.ascontiguousarray(mask), matrix, sample.size, flags=flags)


def _case(sample: Sample, mask: Array, convention: str, source: str) -> Case:
    hands = [hand for hand in sample.hands if hand.landmarks is not None]
    bones = [prior.bones(mask.shape, hand) > 0 for hand in hands]
    _, parts = cv2.connectedComponents((mask > 127).astype(np.uint8))
    met = np.unique(np.concatenate([parts[drawn] for drawn in bones]))
    counts = (parts == 0) | np.isin(parts, met)
    below = below_the_wrist(mask.shape, hands)
    counts &= (below < -WRIST_ABOVE) | (below > WRIST_BELOW)
    arms = np.zeros(mask.shape, bool)
    if convention == "hand":
        arms = below > 0
    else:
        counts &= below < ARM
    return Case(sample=replace(sample, alpha=mask), counts=counts, arms=arms, source=source)


def below_the_wrist(shape: tuple[int, int], hands: list[Hand]) -> Array:
    """Return how far each pixel lies down the arm of its nearest hand, in palm lengths from the wrist."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    nearest, found = np.full(shape, np.inf), np.full(shape, -np.inf)
    for hand in hands:
        length = prior.palm_length(hand)
        down, offset = wrist_line(hand.landmarks, length, 0.0)
        along = (x * down[0] + y * down[1] - offset) / length
        drawn = np.ones(shape, np.uint8)
        elbow = hand.landmarks[HandLandmark.WRIST] + 2 * length * down
        points = np.round([*hand.landmarks, elbow]).astype(np.int32)
        lines = [*(points[finger] for finger in FINGERS), points[PALM], points[[HandLandmark.WRIST, -1]]]
        cv2.polylines(drawn, lines, False, 0)
        distance = cv2.distanceTransform(drawn, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / length
        found = np.where(distance < nearest, along, found)
        nearest = np.minimum(nearest, distance)
    return found


def score(case: Case, segmenter: Segmenter) -> Score:
    """Return the fair scores of one segmenter."""
    sample = case.sample
    start = time.process_time()
    alpha = segmenter.segment(sample.image, sample.hands)
    seconds = time.process_time() - start
    wanted, found = sample.alpha > 127, (alpha > 127) & ~case.arms
    length = prior.palm_length(sample.hand)
    off, missed = border_distances(wanted, found, case.counts)
    near = cv2.dilate(wanted.astype(np.uint8), _disc(OUTLINE * length)) > cv2.erode(
        wanted.astype(np.uint8), _disc(OUTLINE * length)
    )
    bones = np.maximum.reduce([prior.bones(alpha.shape, hand) for hand in sample.hands]) > 0
    return Score(
        alpha=alpha,
        iou=_overlap(found, wanted, case.counts),
        core=_overlap(found, wanted, case.counts & ~near),
        border=_f_score(off, missed),
        bones_outside=float(np.mean(alpha[bones] <= 127)) if bones.any() else 0.0,
        holes=has_holes(alpha > 127, wanted),
        seconds=seconds,
    )


def _overlap(found: Array, wanted: Array, counts: Array) -> float:
    return float((found & wanted & counts).sum() / max(1, ((found | wanted) & counts).sum()))


def _disc(radius: float) -> Array:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _f_score(off: Array, missed: Array) -> float:
    if not len(off) or not len(missed):
        return float(len(off) == len(missed))
    precision, recall = float(np.mean(off <= BORDER)), float(np.mean(missed <= BORDER))
    return 2 * precision * recall / max(1e-9, precision + recall)


def row(name: str, method: str, scores: list[Score]) -> str:
    """Return a line of the table."""
    ious = np.array([score.iou for score in scores])
    return (
        f"| {name} | {len(scores)} | {method} | {ious.mean():.3f} | {np.mean([s.core for s in scores]):.3f} "
        f"| {np.mean([s.border for s in scores]):.3f} | {(ious < POOR).sum()} "
        f"| {sum(s.bones_outside > 0.05 for s in scores)} | {sum(s.holes for s in scores)} "
        f"| {1000 * np.mean([s.seconds for s in scores]):.1f} |"
    )


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    measured = list(cases(options.folder))
    print(f"| {options.by} | photos | method | IoU | core | border | poor | bones outside | holes | ms |")
    print("|---" * 10 + "|")
    for method in options.methods:
        segmenter = METHODS[method]()
        segmenter.segment(measured[0].sample.image, measured[0].sample.hands)  # opens the model
        pairs = [(getattr(case, options.by), case, score(case, segmenter)) for case in measured]
        pairs.sort(key=lambda pair: pair[0])
        for name, members in groupby(pairs, key=lambda pair: pair[0]):
            print(row(name, method, [score for _, _, score in members]))
        print(row("all", method, [score for _, _, score in pairs]), flush=True)
        if options.worst:
            worst = sorted(pairs, key=lambda pair: pair[2].iou)[:20]
            picture = sheet([(case.sample, score.alpha, score.iou) for _, case, score in worst])
            options.worst.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(picture).save(options.worst / f"{method}.png")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with a truth.json")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["matte", "fast"])
    parser.add_argument("--by", choices=("source", "light", "tone", "size"), default="source")
    parser.add_argument("--worst", type=Path, help="folder for a sheet of each method's worst photos")
    return parser.parse_args()


if __name__ == "__main__":
    main()
