"""The matting network: an open session that answers with alpha for one window."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep.errors import ModelError
from handprep.models.onnx import LONGEST_INPUT, failures, first_line, open_session, outputs
from handprep.sample import Image

NETWORK = Path(__file__).with_name("hand_matte.onnx")
SHA256 = "5f9631fb8a733e400ed2f04df7f25cbada6e330b22fd4014e0d6829dc4fbe7c9"  # of that file


class Network:
    """A network of examples/train_matte: uint8 window with drawing in, alpha 0 … 1 out.

    Attributes
    ----------
    side
        Width and height of its window in pixels.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            self._session = open_session(path, threads)
        except failures() as error:
            raise ModelError(
                f"ONNX Runtime cannot open the matting network {path}: {first_line(error)}; export it anew"
            ) from error
        self._path = path
        shapes: list[Any] = [node.shape for node in self._session.get_inputs()]
        side = shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 4 else None
        if not isinstance(side, int) or not 0 < side <= LONGEST_INPUT or shapes[0][2:] != [side, 4]:
            raise ModelError(f"{path} is no matting network of train_matte: its inputs have shapes {shapes}")
        self.side: int = side
        self._input: str = self._session.get_inputs()[0].name

    def alpha(self, window: Image, drawing: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(S, S)`` alpha, 0 … 1, of an ``(S, S, 3)`` window."""
        given = np.dstack([window, drawing])[None]
        try:
            found = np.asarray(outputs(self._session, {self._input: given})[0])
        except failures() as error:
            raise ModelError(f"the matting network {self._path} failed: {first_line(error)}") from error
        shape = (1, self.side, self.side)
        if found.shape != shape or found.dtype.kind != "f" or not np.isfinite(found).all():
            raise ModelError(
                f"{self._path} is no matting network of train_matte: it gave {found.dtype} {found.shape}, "
                f"not finite numbers of shape {shape}"
            )
        return np.asarray(found[0], np.float32)


def check_shipped(path: Path) -> None:
    """Raise ModelError unless a file is the network that handprep ships."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ModelError(
            f"{path} is not the network that handprep ships: its sha256 is {found}, not {SHA256}; "
            "install handprep anew"
        )
