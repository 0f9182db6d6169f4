"""Rendered hands as segmenters get them, and how well a mask fits."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest

from handprep import images
from handprep.sample import Hand, Sample
from handprep.transforms.crop import HandCropper
from tests.rendered import Rendered, photos

needs_rembg_that_trusts_its_files = pytest.mark.skipif(
    tuple(map(int, version("rembg").split(".")[:3])) < (2, 0, 80),
    reason="this rembg fetches a damaged file of its own anew; from 2.0.80 on it does not",
)


def whole(photo: Rendered) -> Sample:
    """Return a rendered photo with its true hand and, as alpha, its true mask of hand and forearm."""
    hand = Hand(box=photo.box, score=1.0, landmarks=photo.landmarks.astype(np.float32))
    mask = images.read(photo.mask).image[..., 0]
    return replace(images.read(photo.path), hands=(hand,), alpha=np.ascontiguousarray(mask))


def cropped(photo: Rendered) -> Sample:
    """Return the same, cropped to the hand."""
    return HandCropper().apply(whole(photo))


def one(label: str, number: int = 0) -> Sample:
    """Return a whole rendered photo of a class."""
    return whole([photo for photo in photos() if photo.label == label][number])


def iou(alpha: np.ndarray, truth: np.ndarray) -> float:
    """Return the intersection over union of two alphas, each cut at one half."""
    found, wanted = alpha > 127, truth > 127
    return float((found & wanted).sum() / (found | wanted).sum())
