"""MediaPipe Hands' own two networks on LiteRT."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from handprep import models
from handprep.detection.graph import Array, MediaPipeHands, Network, Opening, Outputs
from handprep.runtime import without_line

XNNPACK_LINE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"  # of a process's first


@cache
def _content(path: Path) -> bytes:
    """Return a network's file, which all threads share."""
    return path.read_bytes()


def open_network(name: str, threads: int) -> Network:
    """Open a network on LiteRT."""
    content = _content(models.fetch(name))  # as Windows LiteRT opens no path with letters beyond ASCII
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - heavy

    with without_line(XNNPACK_LINE):
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    (given,) = [tensor["index"] for tensor in interpreter.get_input_details()]
    answers = [tensor["index"] for tensor in interpreter.get_output_details()]

    def run(pixels: Array) -> Outputs:
        interpreter.set_tensor(given, pixels)
        interpreter.invoke()
        return [interpreter.get_tensor(index)[0] for index in answers]

    return run


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

    @property
    def _runtime(self) -> Opening:
        return open_network, self.threads
