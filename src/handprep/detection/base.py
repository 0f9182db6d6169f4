"""What every hand detector is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from handprep.detection.region import Region
from handprep.sample import Hand, Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A place in an image where there may be a hand."""

    score: float  # of the palm, 0 to 1
    palm: tuple[float, float]  # x, y of its centre in pixels
    region: Region  # the square in which the hand would lie, its fingers up


@runtime_checkable
class HandDetector(Protocol):
    """Anything that finds hands in an RGB image.

    A detector is an immutable value that pickles as its parameters; what it opens, it opens once a
    process and thread (`handprep.runtime.per_thread`).
    """

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands in a uint8 ``(H, W, 3)`` RGB image, the most certain first."""
        ...


@runtime_checkable
class LandmarkDetector(HandDetector, Protocol):
    """A detector in two steps, proposals and landmarks, whose second step can look anywhere."""

    @property
    def least_presence(self) -> float:
        """The presence from which this detector takes what it sees for a hand, 0 to 1."""
        ...

    def propose(self, image: Image, confidence: float | None = None) -> tuple[Proposal, ...]:
        """Return where hands may be, best first, from a score of `confidence` on, by default its own.

        The best proposal is among them however low its score, as that tells how hopeless a search is.
        """
        ...

    def hands_at(self, image: Image, proposals: Iterable[Proposal]) -> tuple[Hand, ...]:
        """Return the hands that `detect` finds at the proposals whose score its confidence allows."""
        ...

    def look(self, image: Image, region: Region) -> Hand:
        """Return the hand seen in a region, its fingers up, however little present it is."""
        ...
