"""MediaPipe Hands' own two networks on LiteRT."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handprep import models
from handprep.detection.graph import UNIT, MediaPipeHands
from handprep.detection.region import Cutter, Region
from handprep.runtime import per_thread, without_line
from handprep.sample import Image

XNNPACK_LINE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"  # of a process's first


@cache
def _content(path: Path) -> bytes:
    """Return a network's file, which all threads share."""
    return path.read_bytes()


class _Network:
    """A LiteRT network that looks at square regions of images; one serves one thread."""

    def __init__(self, path: Path, cutter: Cutter, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - heavy

        self._cut = cutter
        # From memory: on Windows it cannot open a path with letters beyond ASCII.
        with without_line(XNNPACK_LINE):
            self._interpreter = Interpreter(model_content=_content(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        (self._input,) = [tensor["index"] for tensor in self._interpreter.get_input_details()]
        self._outputs = [tensor["index"] for tensor in self._interpreter.get_output_details()]

    def __call__(self, image: Image, region: Region) -> list[NDArray[np.float32]]:
        """Return the outputs, without their batch axis, for a region of a uint8 RGB image."""
        tensor = self._interpreter.tensor(self._input)()
        np.copyto(tensor[0], self._cut(image, region))
        np.multiply(tensor, UNIT, out=tensor)
        del tensor  # the interpreter refuses to run while a view of its memory is held
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteRTDetector(MediaPipeHands):
    """MediaPipe Hands' palm and landmark networks on LiteRT, joined as MediaPipe's classic API joins them.

    On 72 reference images the landmarks are those of ``mediapipe.solutions.hands`` (0.10.21) to a
    median of 0.004 px. Unlike MediaPipe's own package it needs no graphics libraries and lives well in
    threads and forked workers.

    Parameters
    ----------
    confidence
        Least palm score, 0 to 1.
    presence
        Least presence of a hand in the landmark network's view, 0 to 1; None means `confidence`.
    max_hands
        At most so many palms are looked at.
    threads
        Threads within a network. One is best for many images: use several callers instead.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    References
    ----------
    Zhang et al., "MediaPipe Hands: On-device Real-time Hand Tracking", arXiv:2006.10214.
    Model card "MediaPipe Hands (Lite/Full)", Google, 2021; Apache-2.0.

    Examples
    --------
    >>> import numpy as np
    >>> LiteRTDetector().detect(np.zeros((90, 120, 3), np.uint8))
    ()
    """

    def _open(self, name: str, size: int, border: int) -> _Network:
        return per_thread(
            (name, self.threads),
            lambda: _Network(models.fetch(name), Cutter(size, border), self.threads),
        )
