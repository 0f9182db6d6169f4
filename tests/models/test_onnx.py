"""ONNX Runtime keeps to itself."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handprep import YoloDetector
from handprep.errors import ModelError
from handprep.models import fetch, onnx
from handprep.segmentation.matte import NETWORK

# Two networks of a float32 "images" (1, 3, side, side), in base 85: a Loop without end on 64 pixels, and an
# Identity of 60,000.
ENDLESS = (
    r"2nagJ0Sb!&3IGZLbP5J(ZDD6+a}oh>A_PotZ*VGe3It+rWO*`Z3K0qcV-f;mG9m~`WMyu2X>@rC5efl#5(0QKA_z%j"
    r"Wo~q7ba@g1Vp<Cd0cjEj3IqrT5&&8Y3ISsh1_}fS2@(KW2?_yt5(EkY2mxXY3Iby?5(Wwc2niAZVhRcZcrp?M3IYfL"
    r"paBIE0cR=*5D7v7bV>mMS|ADrX>DO=Wpff13KR$d5)cXk2muNL2m=ZN2tWz~2tZ;93IT5t1PTHO0YU@{01y!"
)
HUGE = (
    r"2nae$3Ka?lX>DO=Wpfe%Zz2duWMyu2X>@rK0cTny3I=IyVP|D?5*i8^2mull3IYfL3IYfN3Iqt?)B_3x2;kHMVhIWX"
    r"ZxRFw0tf*@1PTBU5d"
)

OURS = "from handprep.models.onnx import open_session; open_session(Path(sys.argv[1]), 1)"
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


def test_an_endless_network_fails_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "MOST_SECONDS", 1.0)
    path = tmp_path / "endless.onnx"
    path.write_bytes(base64.b85decode(ENDLESS))
    with pytest.raises(ModelError, match=r"endless\.onnx cannot be used: .*terminate flag"):
        YoloDetector(path).detect(np.zeros((48, 64, 3), np.uint8))


def test_a_network_that_wants_a_huge_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    path.write_bytes(base64.b85decode(HUGE))
    with pytest.raises(ModelError, match="its input is 60000 x 60000, and 4096 is the most"):
        YoloDetector(path).detect(np.zeros((48, 64, 3), np.uint8))


def test_rembg_runs_without_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from handprep import RembgSegmenter\nimport numpy as np\n"
        "RembgSegmenter(model='u2netp').segment(np.zeros((64, 64, 3), np.uint8), ())"
    )
    monkeypatch.setenv("HANDPREP_HOME", str(fetch("u2netp").parents[1]))
    assert not [path for path in files_written(code, tmp_path) if "Microsoft" in path]
