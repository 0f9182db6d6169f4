"""ONNX Runtime: opening a network, and what goes wrong, whose errors have no base of their own."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

MOST_SECONDS = 60.0  # for one image; the largest YOLO networks take about 2 on one core
LONGEST_INPUT = 4096  # pixels a side, which no network for pictures has
FATAL_ONLY = 4
ERRORS_ONLY = 3  # of what it prints; its warnings are about graphs that handprep did not make


def imported() -> Any:
    """Import ONNX Runtime with its telemetry off, which writes to the cache and asks for Microsoft's host."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for what it does before it can be told
    import onnxruntime  # noqa: PLC0415 - heavy

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def open_session(path: Path, threads: int) -> Any:
    """Return an ``onnxruntime.InferenceSession`` on the processor; it raises one of `failures`."""
    onnxruntime = imported()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def outputs(session: Any, inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
    """Return what a network answers, unless it takes longer than `MOST_SECONDS`, as a hostile one may."""
    options = imported().RunOptions()
    options.log_severity_level = FATAL_ONLY  # its errors are raised as well
    clock = threading.Timer(MOST_SECONDS, setattr, (options, "terminate", True))
    clock.daemon = True
    clock.start()
    try:
        answers: list[Any] = session.run(None, inputs, options)
    finally:
        clock.cancel()
    return answers


def failures() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises over a network: its own errors, and text that is no UTF-8."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - heavy

    own = (e for e in vars(state).values() if isinstance(e, type) and issubclass(e, Exception))
    return (*own, UnicodeDecodeError)


def first_line(error: Exception) -> str:
    """Return what an error says, without the addresses and stacks below."""
    return str(error).strip().partition("\n")[0][:300]
