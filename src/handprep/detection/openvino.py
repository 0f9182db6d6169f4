"""MediaPipe Hands' own two networks on OpenVINO, an optional and faster runtime."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handprep import models
from handprep.configurable import check_choice
from handprep.detection.graph import UNIT, MediaPipeHands
from handprep.detection.region import Cutter, Region
from handprep.errors import ModelError
from handprep.optional import missing_extra
from handprep.runtime import per_thread
from handprep.sample import Image

DEVICE = "CPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVINODetector(MediaPipeHands):
    """What `LiteRTDetector` is, on Intel's OpenVINO, for the extra ``handprep[openvino]``.

    In ``"f32"`` the landmarks are those of `LiteRTDetector` to a median of 0.002 px, for some 5 % less time.
    In ``"bf16"``, on processors that have it, it takes a third less time, and landmarks move by a median of
    0.5 px (tests/benchmarks/runtimes.py). Opening the networks takes 0.8 s more than with LiteRT. handprep
    imports OpenVINO without its telemetry.

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
    precision
        What the networks compute in: ``"f32"``, or ``"bf16"``, bfloat16, which needs a processor with
        instructions for it (AVX512-BF16 or AMX) and raises `ModelError` on others when it first looks.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> OpenVINODetector().detect(np.zeros((90, 120, 3), np.uint8))  # doctest: +SKIP
    ()
    """

    precision: Literal["f32", "bf16"] = "f32"

    def __post_init__(self) -> None:
        MediaPipeHands.__post_init__(self)
        check_choice("precision", self.precision, ("f32", "bf16"))

    def _open(self, name: str, size: int, border: int) -> _Network:
        return per_thread(
            ("openvino", name, self.precision, self.threads),
            lambda: _Network(name, Cutter(size, border), self.precision, self.threads),
        )


class _Network:
    """A network on OpenVINO that looks at square regions of images; one serves one thread."""

    def __init__(self, name: str, cutter: Cutter, precision: str, threads: int) -> None:
        self._name, self._cut = name, cutter
        compiled, options = _compiled(name, precision, threads), _options(precision, threads)
        with _our_errors(name):
            opened = _core(precision).import_model(compiled, DEVICE, options)
            self._request: Any = opened.create_infer_request()
            self._input: NDArray[np.float32] = self._request.get_input_tensor().data

    def __call__(self, image: Image, region: Region) -> list[NDArray[np.float32]]:
        """Return the outputs, without their batch axis, for a region of a uint8 RGB image."""
        np.copyto(self._input[0], self._cut(image, region))
        np.multiply(self._input, UNIT, out=self._input)
        with _our_errors(self._name):
            outputs = self._request.infer(share_outputs=True).to_tuple()
        return [output[0].copy() for output in outputs]


@cache
def _compiled(name: str, precision: str, threads: int) -> bytes:
    """Return a network as OpenVINO keeps it when compiled.

    Compiling takes 0.6 s, opening what was compiled 0.1 s, also in other threads and in forked processes.
    """
    path = models.fetch(name)
    with _our_errors(name):
        core = _core(precision)
        compiled = core.compile_model(core.read_model(path), DEVICE, _options(precision, threads))
        used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        content: bytes = compiled.export_model().getvalue()
    if used != precision:
        raise ModelError(f"OpenVINO runs {name} in {used} here, not in {precision}")
    return content


def _options(precision: str, threads: int) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # the callers' threads stay where the system puts them
    }


def _core(precision: str) -> Any:
    """Return a new ``openvino.Core`` that has the precision.

    Each network has one of its own, which goes with it. A core that stays keeps threads, and a forked
    child, where these threads are not, then waits for them forever.
    """
    core = _imported().Core()
    check_native(precision, core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))
    return core


def check_native(precision: str, capabilities: Iterable[str]) -> None:
    """Raise ModelError if the processor, of what OpenVINO says are its capabilities, would imitate bf16.

    That takes twice the time of LiteRT; without AVX-512, OpenVINO quietly computes in f32.
    """
    if precision == "bf16" and "BF16" not in capabilities:
        raise ModelError(
            "precision='bf16' needs a processor with instructions for bfloat16 (AVX512-BF16 or AMX), which "
            "this one has not; use precision='f32', or LiteRTDetector"
        )


@contextmanager
def _our_errors(name: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # all of OpenVINO's are plain ones, places in its source first
        said = [line for line in str(error).splitlines() if line and not line.startswith("Exception from")]
        raise ModelError(f"OpenVINO failed on the network {name}: {' '.join(said)[:300]}") from error


def _imported() -> Any:
    """Import OpenVINO without its telemetry, which tells Google Analytics and marks the home folder."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # then it cannot be imported
    try:
        import openvino  # noqa: PLC0415 - heavy, and optional
    except ImportError as error:
        raise missing_extra("openvino", "openvino", error) from error
    return openvino
