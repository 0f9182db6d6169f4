"""What every hand detector is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from handprep.detection.region import Region
from handprep.sample import Hand, Image


@runtime_checkable
class HandDetector(Protocol):
    """Anything that finds hands in an RGB picture.

    A detector is an immutable value that pickles as its parameters; what it opens, it opens once a
    process and thread (`handprep.opened.per_thread`).
    """

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands in a uint8 ``(H, W, 3)`` RGB picture, the most certain first."""
        ...


@runtime_checkable
class LandmarkDetector(HandDetector, Protocol):
    """A detector whose landmark network can be pointed at a place of one's own choice."""

    @property
    def least_presence(self) -> float:
        """The presence from which this detector takes what it sees for a hand, 0 to 1."""
        ...

    def look(self, image: Image, region: Region) -> Hand:
        """Return the hand seen in a region, its fingers up, however little present it is."""
        ...
