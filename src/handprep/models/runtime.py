"""What goes wrong in ONNX Runtime, whose errors have no base of their own."""

from __future__ import annotations


def failures() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises over a network: its own errors, and text that is no UTF-8."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - heavy

    own = (e for e in vars(state).values() if isinstance(e, type) and issubclass(e, Exception))
    return (*own, UnicodeDecodeError)


def first_line(error: Exception) -> str:
    """Return what an error says, without the addresses and stacks below."""
    return str(error).strip().partition("\n")[0][:300]
