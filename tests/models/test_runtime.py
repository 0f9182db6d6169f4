"""ONNX Runtime keeps to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handprep.models import fetch
from handprep.segmentation.matte import NETWORK

OURS = "from handprep.models.runtime import opened; opened(Path(sys.argv[1]), 1)"
THEIRS = "import onnxruntime; onnxruntime.InferenceSession(sys.argv[1])"


def files_written(code: str, home: Path) -> list[str]:
    """Run code as on a user's machine, and return what it has left in the home folder."""
    for_tests = ("CI", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY")  # which silence it, too
    surroundings = {name: value for name, value in os.environ.items() if name not in for_tests}
    surroundings |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    code = f"import sys, time\nfrom pathlib import Path\n{code}\ntime.sleep(2)"
    subprocess.run([sys.executable, "-c", code, str(NETWORK)], env=surroundings, check=True)
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


def test_onnx_runtimes_telemetry_is_off(tmp_path: Path) -> None:
    assert files_written(OURS, tmp_path) == []


def test_where_it_is_not_switched_off_it_shows(tmp_path: Path) -> None:
    written = files_written(THEIRS, tmp_path)
    if not written:
        pytest.skip("this version of ONNX Runtime has no telemetry")
    assert any("Microsoft" in path for path in written)


def test_rembg_runs_without_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from handprep import RembgSegmenter\nimport numpy as np\n"
        "RembgSegmenter(model='u2netp').segment(np.zeros((64, 64, 3), np.uint8), ())"
    )
    monkeypatch.setenv("HANDPREP_HOME", str(fetch("u2netp").parents[1]))
    assert not [path for path in files_written(code, tmp_path) if "Microsoft" in path]
