"""Importing torchvision, also where it was built for another torch than the one installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

_kept: list[object] = []  # operators vanish with the library object that defined them


def require_torchvision() -> None:
    """Make sure that torchvision can be imported, or skip the test.

    PyPI's torchvision is built for CUDA; beside a CPU build of torch its import fails for want of two
    operators that no test here needs, so they are declared first.
    """
    torch = pytest.importorskip("torch", reason="needs torch, which is optional")
    if find_spec("torchvision") is None:
        pytest.skip("needs torchvision, which is optional", allow_module_level=True)
    if "torchvision" in sys.modules or _kept:
        return
    if subprocess.run(
        [sys.executable, "-c", "import torchvision"], capture_output=True, check=False
    ).returncode:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
