"""How well the segmenters find the hand's pixels: a table of scores and time on pictures with known masks.

Rendered hands are always measured: those of the project, and with ``--renders`` those of any folder that
render_hands.py has filled. Folders of hands before a green or a white screen, which do not ship with the
project, are keyed and put before other backgrounds:

    python -m tests.benchmarks.background --green FOLDER --white FOLDER --backgrounds FOLDER

For networks of examples/train_matte, ``python -m train_matte.heldout`` fills folders with what they were not
trained on. Milliseconds are of processor time, one thread. ``--tones`` adds a row for each skin tone;
``--worst``
draws the pictures on which the first method is worst.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from handprep import images
from handprep.detection.litert import LiteRTDetector
from handprep.sample import Hand, Sample
from handprep.segmentation import HandMatte, RembgSegmenter, Segmenter
from handprep.transforms.crop import HandCropper
from tests import rendered
from tests.benchmarks.mask_scores import Array, border_score, gap_iou, iou, tone
from tests.benchmarks.mask_sheet import sheet

METHODS: dict[str, Callable[[], Segmenter]] = {
    "matte": HandMatte,
    "fast": lambda: HandMatte(fast=True),
    "u2net": lambda: RembgSegmenter(model="u2net"),
    "u2netp": lambda: RembgSegmenter(model="u2netp"),
    "u2net, whole mask": lambda: RembgSegmenter(model="u2net", only_hand=False),
    "u2netp, whole mask": lambda: RembgSegmenter(model="u2netp", only_hand=False),
}
SHOWN = 20  # of the worst
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one method made of one picture."""

    alpha: Array
    tone: str
    iou: float
    border: float
    gap: float | None
    seconds: float


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    sets = {"rendered": list(renders(options.renders))}
    for kind, folder in (("green", options.green), ("white", options.white)):
        if folder:
            sets[kind] = list(composites(folder, kind, options.backgrounds, options.count, options.seed))
    print("| set | pictures | method | mean IoU | median | under 0.5 | under 0.7 | border | gaps | ms |")
    print("|---" * 10 + "|")
    for name, truths in sets.items():
        cases = [case(truth, options.margin) for truth in truths]
        for method in options.methods:
            segmenter = METHODS[method]()
            if options.network and isinstance(segmenter, HandMatte):
                segmenter = replace(segmenter, network=options.network)
            scores = measure(segmenter, cases)
            print(row(name, method, scores), flush=True)
            if options.worst and method == options.methods[0]:
                draw_worst(options.worst / f"{name}.png", cases, scores)
            for colour in ("light", "medium", "dark") if options.tones else ():
                if some := [score for score in scores if score.tone == colour]:
                    print(row(f"{name}, {colour}", method, some), flush=True)


def draw_worst(path: Path, cases: list[Sample], scores: list[Score]) -> None:
    """Write a sheet of the pictures with the least overlap."""
    pairs = zip(cases, scores, strict=True)
    worst = sorted(pairs, key=lambda pair: pair[1].iou)[:SHOWN]
    picture = sheet([(sample, score.alpha, score.iou) for sample, score in worst])
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(picture).save(path)


def row(name: str, method: str, scores: list[Score]) -> str:
    """Return a line of the table."""
    overlaps = np.array([score.iou for score in scores])
    gaps = [score.gap for score in scores if score.gap is not None]
    return (
        f"| {name} | {len(scores)} | {method} | {overlaps.mean():.3f} | {np.median(overlaps):.3f} "
        f"| {np.mean(overlaps < 0.5):.1%} | {np.mean(overlaps < 0.7):.1%} "
        f"| {np.mean([score.border for score in scores]):.3f} | {np.mean(gaps) if gaps else np.nan:.3f} "
        f"| {1000 * np.median([score.seconds for score in scores]):.1f} |"
    )


def measure(segmenter: Segmenter, cases: list[Sample]) -> list[Score]:
    """Return the score of each case, after one call that opens the model."""
    segmenter.segment(cases[0].image, cases[0].hands or ())
    scores = []
    for sample in cases:
        truth = sample.alpha
        assert truth is not None
        start = time.process_time()
        alpha = segmenter.segment(sample.image, sample.hands or ())
        seconds = time.process_time() - start
        scores.append(
            Score(
                alpha=alpha,
                tone=tone(sample.image, truth),
                iou=iou(alpha, truth),
                border=border_score(alpha, truth),
                gap=gap_iou(alpha, truth),
                seconds=seconds,
            )
        )
    return scores


def case(truth: Sample, margin: float | None) -> Sample:
    """Return a truth as the segmenters get it: cut out around the hand, its alpha the true one."""
    return truth if margin is None else HandCropper(margin=margin).apply(truth)


def renders(folder: Path | None) -> Iterator[Sample]:
    """Yield rendered hands with their true landmarks; their masks are hand and forearm."""
    folder = folder or rendered.RENDERED
    for line in json.loads((folder / "annotations.json").read_text()):
        hand = Hand(box=tuple(line["box"]), score=1.0, landmarks=np.array(line["landmarks"], np.float32))
        mask = images.read(folder / line["mask"]).image[..., 0]
        yield replace(images.read(folder / line["file"]), hands=(hand,), alpha=np.ascontiguousarray(mask))


def composites(folder: Path, kind: str, backgrounds: Path | None, count: int, seed: int) -> Iterator[Sample]:
    """Yield hands of a folder before other backgrounds, with the landmarks that are found there.

    Where nothing is found before the new background, the landmarks found before the screen serve.
    """
    chance = random.Random(seed)
    noise = np.random.default_rng(seed)
    photos, scenes = _files(folder, chance), _files(backgrounds, chance) if backgrounds else []
    detector = LiteRTDetector(confidence=0.1)
    done = 0
    for number, path in enumerate(photos):
        if done == count:
            return
        original = images.read(path).image
        mask = keyed(original, kind)
        height, width = mask.shape
        if scenes:
            scene = _piece(images.read(scenes[number % len(scenes)]).image, width, height, noise)
        else:
            scene = procedural(width, height, noise)
        picture, alpha = put_before(original, mask, scene)
        hand = _hand_within(mask, (*detector.detect(picture), *detector.detect(original)))
        if hand is not None:
            done += 1
            yield Sample(image=picture, hands=(hand,), alpha=alpha, source=str(path))


def _hand_within(mask: Array, hands: tuple[Hand, ...]) -> Hand | None:
    height, width = mask.shape
    for hand in hands:
        x, y = np.clip(hand.landmarks.T, 0, [[width - 1], [height - 1]]).astype(int)
        if np.mean(mask[y, x] > 0) >= 0.8:  # else it is a hand of the new background
            return hand
    return None


def keyed(image: Array, kind: str) -> Array:
    """Return the mask, 0 or 255, of the largest thing before a green or a white screen."""
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    if kind == "green":
        hue, saturation, _ = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
        screen = (hue >= 35) & (hue <= 90) & (saturation > 70) | (green - np.maximum(red, blue) > 20)
    else:
        least, most = image.min(2).astype(int), image.max(2).astype(int)
        screen = (least > 232) | ((least > 180) & (most - least < 10))  # the latter is shadow
    _, labels, numbers, _ = cv2.connectedComponentsWithStats((~screen).astype(np.uint8), connectivity=4)
    largest = 1 + numbers[1:, cv2.CC_STAT_AREA].argmax()
    return np.where(labels == largest, 255, 0).astype(np.uint8)


def put_before(image: Array, mask: Array, scene: Array) -> tuple[Array, Array]:
    """Put the masked part of a picture before a scene, and return the result with its true alpha.

    The outermost pixels hold light of the old screen: one is taken off all around, the colours of the
    next ones come from further inside, and the new edge is as soft as a camera's.
    """
    inner = cv2.erode(mask, np.ones((5, 5), np.uint8))
    weight = (inner > 0).astype(np.float32)
    spread = cv2.GaussianBlur(image * weight[..., None], (0, 0), 2)
    spread /= np.maximum(cv2.GaussianBlur(weight, (0, 0), 2), 1e-3)[..., None]
    hand = np.where((inner > 0)[..., None], image, spread)
    alpha = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3), np.uint8)), (0, 0), 0.8)
    share = alpha[..., None] / 255
    return np.clip(hand * share + scene * (1 - share), 0, 255).astype(np.uint8), alpha


def procedural(width: int, height: int, noise: np.random.Generator) -> Array:
    """Return a background of two colours, mixed by noise of one random size, with a light from one side."""
    grain = float(np.exp(noise.uniform(np.log(1), np.log(60))))
    field = cv2.GaussianBlur(noise.normal(size=(height, width)), (0, 0), grain)
    field = np.clip(0.5 + 0.4 * (field - field.mean()) / max(field.std(), 1e-9), 0, 1)[..., None]
    colours = noise.uniform(0, 255, (2, 3))
    if noise.random() < 0.3:
        colours[0] = np.array([190, 140, 110]) * noise.uniform(0.5, 1.25)  # wood, cardboard: much like skin
    light = np.linspace(*noise.uniform(0.6, 1.2, 2), width)[None, :, None]
    return np.clip((colours[0] * field + colours[1] * (1 - field)) * light, 0, 255).astype(np.uint8)


def _piece(scene: Array, width: int, height: int, noise: np.random.Generator) -> Array:
    factor = max(width / scene.shape[1], height / scene.shape[0]) * noise.uniform(1.0, 1.8)
    size = max(width, round(scene.shape[1] * factor)), max(height, round(scene.shape[0] * factor))
    scene = cv2.resize(scene, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    left, top = noise.integers(size[0] - width + 1), noise.integers(size[1] - height + 1)
    piece = scene[top : top + height, left : left + width]
    return cv2.GaussianBlur(piece, (0, 0), noise.uniform(0.3, 2.0))  # as a hand in focus has it behind


def _files(folder: Path, chance: random.Random) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    chance.shuffle(found)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--renders", type=Path, help="folder that render_hands.py filled; else the project's")
    parser.add_argument("--green", type=Path, help="folder of hands before a green screen")
    parser.add_argument("--white", type=Path, help="folder of hands before a white screen")
    parser.add_argument(
        "--backgrounds", type=Path, help="folder of pictures without hands; else procedural ones"
    )
    parser.add_argument("--count", type=int, default=30, help="pictures of each folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--margin", type=float, default=0.2, help="of the crop around the landmarks")
    parser.add_argument(
        "--whole", dest="margin", action="store_const", const=None, help="no crop: whole pictures"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["matte", "fast", "u2netp", "u2net"])
    parser.add_argument("--network", type=Path, help="for matte and fast, an ONNX file other than handprep's")
    parser.add_argument("--worst", type=Path, help="folder for a sheet of the worst pictures of each set")
    parser.add_argument("--tones", action="store_true", help="also a row for each skin tone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
