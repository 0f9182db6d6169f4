"""Doing to other images what was done to a first, by the hands that were found there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from handprep import images
from handprep.sample import Hand, Sample
from handprep.transforms.base import Transform


def hands_in_photo(sample: Sample) -> tuple[Hand, ...] | None:
    """Return a finished sample's hands as they lie in its photo; None where nothing has looked for any."""
    return (
        None if sample.hands is None else tuple(hand.transformed(sample.to_source) for hand in sample.hands)
    )


def apply_with(transform: Transform, picture: Any, hands: tuple[Hand, ...] | None) -> Sample:
    """Run a transform on an image whose hands are known."""
    return transform.apply(replace(images.read(picture), hands=hands))
