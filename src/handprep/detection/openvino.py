"""MediaPipe Hands' own two networks on OpenVINO, an optional and faster runtime."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from handprep import models
from handprep.configurable import check_choice
from handprep.detection.graph import Array, MediaPipeHands, Network, Opening, Outputs
from handprep.errors import ModelError
from handprep.optional import missing_extra

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
    confidence, presence, max_hands, threads
        As for `LiteRTDetector`.
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

    @property
    def _runtime(self) -> Opening:
        return open_network, self.precision, self.threads


def open_network(name: str, precision: str, threads: int) -> Network:
    """Open a network on OpenVINO."""
    compiled = _compiled(name, precision, threads)
    with _our_errors(name):
        opened = _core(precision).import_model(compiled, DEVICE, _options(precision, threads))
        request = opened.create_infer_request()

    def run(pixels: Array) -> Outputs:
        with _our_errors(name):
            outputs = request.infer(pixels, share_inputs=True, share_outputs=True).to_tuple()
        return [output[0].copy() for output in outputs]

    return run


@cache
def _compiled(name: str, precision: str, threads: int) -> bytes:
    """Return a network, compiled: in 0.6 s. All threads and forked processes then open that in 0.1 s."""
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
    """Return a new ``openvino.Core`` for one network, which goes with it.

    One that stays keeps threads, and a forked child, where these are not, then waits for them forever.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it cannot be imported then
    try:
        import openvino  # noqa: PLC0415 - heavy, and optional
    except ImportError as error:
        raise missing_extra("openvino", "openvino", error) from error
    core = openvino.Core()
    check_native(precision, core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))
    return core


def check_native(precision: str, capabilities: Iterable[str]) -> None:
    """Raise ModelError if the processor would imitate bf16, in twice the time of LiteRT, or not have it."""
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
