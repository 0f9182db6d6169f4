"""What stands between a pipeline and the limit, the networks alone; all in one run, as ratios.

    python -m tests.benchmarks.speed [PHOTO]

Rounds alternate between the contestants, so that a busy machine slows all of them; medians are compared.
MediaPipe's own package takes part where it is installed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import cv2
import numpy as np
import PIL.Image

from handprep import images
from handprep.detection.litert import LANDMARK_SIZE, LiteRTDetector
from handprep.detection.palm import SIZE as PALM_SIZE
from handprep.errors import MissingExtraError
from handprep.pipeline import Pipeline, study_pipeline
from handprep.threads import ordered_map
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.rendered import photos

ROUNDS = 150
PHOTOS = 240
Key = TypeVar("Key")


def medians(contestants: dict[Key, Callable[[], object]], rounds: int = ROUNDS) -> dict[Key, float]:
    """Return the median milliseconds of each contestant, called in turn."""
    times: dict[Key, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            start = perf_counter()
            call()
            times[name].append(perf_counter() - start)
    return {name: 1000 * statistics.median(seconds) for name, seconds in times.items()}


def show(title: str, figures: dict[str, float], reference: str) -> None:
    """Print milliseconds and ratios to one of the contestants."""
    print(f"\n{title}")
    for name, ms in figures.items():
        print(f"  {name:52}{ms:9.2f} ms{ms / figures[reference]:8.3f} ×")


def networks_alone() -> Callable[[], object]:
    """Return a call that runs palm and landmark network once, on whatever lies in their input."""
    detector = LiteRTDetector()
    palm = detector._open("palm_detection_full", PALM_SIZE, cv2.BORDER_CONSTANT)
    landmark = detector._open("hand_landmark_full", LANDMARK_SIZE, cv2.BORDER_REPLICATE)
    return lambda: (palm._interpreter.invoke(), landmark._interpreter.invoke())


def one_thread(photo: Path) -> None:
    """Detect + crop + resize + grey of a decoded 300×200 photo, beside its networks and MediaPipe's Tasks."""
    image = cv2.resize(images.read(photo).image, (300, 200), interpolation=cv2.INTER_AREA)
    pipeline = study_pipeline()
    hands = LiteRTDetector().detect(image)
    assert len(hands) == 1, f"the speed of one hand needs a photo of one hand, not {len(hands)}"
    contestants: dict[str, Callable[[], object]] = {
        "networks alone": networks_alone(),
        "LiteRTDetector.detect": lambda: LiteRTDetector().detect(image),
        "detect + crop + resize + grey": lambda: pipeline(image),
    }
    try:
        from handprep.detection.mediapipe import MediaPipeDetector

        MediaPipeDetector().detect(image)
        contestants["MediaPipe Tasks, call alone"] = lambda: MediaPipeDetector().detect(image)
    except MissingExtraError:
        print("(MediaPipe's package is not installed: pip install 'handprep[mediapipe]')")
    show("one thread, decoded 300×200 photo", medians(contestants), "networks alone")


def two_threads(photo: Path) -> None:
    """Photos a second of two threads over one, for the pipeline and for its networks alone."""
    image = cv2.resize(images.read(photo).image, (300, 200), interpolation=cv2.INTER_AREA)
    pipeline = study_pipeline()
    calls = {"networks alone": lambda _: networks_alone()(), "detect + crop + resize + grey": pipeline.run}
    print(f"\none and two threads, {PHOTOS} photos a round (a new thread opens networks of its own)")
    for name, call in calls.items():
        one, two = medians(
            {n: lambda n=n, call=call: list(ordered_map(call, [image] * PHOTOS, workers=n)) for n in (1, 2)},
            rounds=3,
        ).values()
        rates = f"{1000 * PHOTOS / one:.1f} and {1000 * PHOTOS / two:.1f} photos/s"
        print(f"  {name:52}{rates}: {one / two:.2f} ×")


def twelve_megapixels(photo: Path) -> None:
    """A 12-megapixel JPEG to 300×300: reduced decoding beside full decoding."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        with PIL.Image.open(photo) as picture:
            large = np.asarray(picture.resize((4000, 3000), PIL.Image.Resampling.BICUBIC)).astype(np.int16)
        grain = np.random.default_rng(0).normal(
            0, 4, large.shape
        )  # a sensor's, without which a JPEG is too easy
        PIL.Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8)).save(path, quality=90)
        pipeline = Pipeline([HandCropper(), ResizePad(300), Greyscale()])
        content = path.read_bytes()
        print(f"\n12-megapixel JPEG of {len(content) / 1e6:.1f} MB")
        figures = medians(
            {
                "reduced decode, whole pipeline": lambda: pipeline.run(path),
                "full decode, whole pipeline": lambda: pipeline.apply(images.read(path)),
                "reduced decode alone": lambda: images.read(path, at_least=900),
                "full decode alone": lambda: images.read(path),
            },
            rounds=9,
        )
        show("12 megapixels to 300×300", figures, "reduced decode, whole pipeline")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", type=Path, nargs="?", default=photos()[1].path)
    photo = parser.parse_args().photo
    cv2.setNumThreads(1)
    print(f"OpenCV {cv2.__version__}, numpy {np.__version__}, {photo.name}")
    one_thread(photo)
    two_threads(photo)
    twelve_megapixels(photo)


if __name__ == "__main__":
    main()
