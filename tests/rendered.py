"""The rendered hands of examples/rendered-hands, with their exact ground truth, for tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep.geometry import Box

RENDERED = Path(__file__).parents[1] / "examples" / "rendered-hands"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendered:
    """One rendered picture of one hand.

    Attributes
    ----------
    path
        The picture: an RGB JPEG of 480x360 pixels.
    mask
        Its mask of hand and forearm: a grey PNG of 0 and 255, of the picture's size.
    label
        ``"paper"``, ``"rock"`` or ``"scissors"``.
    handedness
        ``"Left"`` or ``"Right"``: the hand that is shown, as in `handprep.Hand`.
    side
        ``"palm"`` or ``"back"``: which side of the hand the camera sees.
    box
        ``(x0, y0, x1, y1)`` in pixels around the hand without its forearm.
    landmarks
        ``(21, 2)`` float64 pixels in MediaPipe's order; hidden ones too. Read-only.
    size
        Width and height in pixels.
    """

    path: Path
    mask: Path
    label: str
    handedness: str
    side: str
    box: Box
    landmarks: NDArray[np.float64]
    size: tuple[int, int]


def photos() -> list[Rendered]:
    """Return the 36 rendered hands, 12 of each class, in the order of their numbers."""
    return [_rendered(row) for row in json.loads((RENDERED / "annotations.json").read_text())]


def _rendered(row: dict[str, Any]) -> Rendered:
    landmarks = np.array(row["landmarks"], dtype=np.float64)
    landmarks.flags.writeable = False
    return Rendered(
        path=RENDERED / row["file"],
        mask=RENDERED / row["mask"],
        label=row["class"],
        handedness=row["handedness"],
        side=row["side"],
        box=tuple(row["box"]),
        landmarks=landmarks,
        size=tuple(row["size"]),
    )
