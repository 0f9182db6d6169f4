"""What an arm costs: the processor time of an image, beside that of its detector alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from experiment.arms import Arm
from experiment.files import read_json, write_json
from handprep import BackgroundRemover, HandCropper, Skeleton, images
from handprep.detection import HandDetector

SAMPLED = 40  # photos, evenly from all
READ_AT_LEAST = 640  # pixels, as a pipeline decodes photos


def cost_of(arm: Arm, photos: Sequence[Path], file: Path) -> dict[str, Any]:
    """Return the milliseconds of one thread that an arm takes for an image, and its detector alone.

    Processor time of this thread is measured, which other programs do not change much, detector and
    pipeline in turns on the same photos. The result is kept in a file.

    Returns
    -------
    dict
        ``photos``, ``milliseconds``, and, for arms that look for hands, ``detector_milliseconds`` and
        ``ratio`` of the two.
    """
    known = read_json(file)
    fingerprint = arm.pipeline.fingerprint()
    if known and known["fingerprint"] == fingerprint:
        return dict(known["cost"])
    detector = _detector(arm)
    chosen = [
        photos[index] for index in np.linspace(0, len(photos) - 1, min(SAMPLED, len(photos))).astype(int)
    ]
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        arm.pipeline.run(chosen[0])  # opens the models
        whole, alone = 0.0, 0.0
        for path in chosen:
            whole += _seconds(partial(arm.pipeline.run, path))
            if detector:
                picture = images.read(path, at_least=READ_AT_LEAST).rgb
                alone += _seconds(partial(detector.detect, picture))
    finally:
        cv2.setNumThreads(threads)
    cost: dict[str, Any] = {"photos": len(chosen), "milliseconds": 1000 * whole / len(chosen)}
    if detector:
        cost |= {"detector_milliseconds": 1000 * alone / len(chosen), "ratio": whole / alone}
    write_json(file, {"fingerprint": fingerprint, "cost": cost})
    return cost


def _detector(arm: Arm) -> HandDetector | None:
    """Return the detector that an arm looks with."""
    for transform in arm.pipeline.transforms:
        if isinstance(transform, HandCropper | BackgroundRemover | Skeleton):
            return transform.finder()
    return None


def _seconds(action: Callable[[], object]) -> float:
    start = time.thread_time()
    action()
    return time.thread_time() - start
