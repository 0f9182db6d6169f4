"""A model file that is not what it should be is refused before any network library sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handprep import models
from handprep.errors import ModelError
from handprep.segmentation import matte
from handprep.segmentation.matte import HandMatte

# In a program of its own: this one has opened and checked the files before, and has imported the libraries.
PROGRAM = """
import sys
import numpy as np
from handprep.errors import ModelError
{imports}
try:
    {use}
except ModelError as error:
    loaded = [name for name in ("ai_edge_litert", "onnxruntime", "mediapipe") if name in sys.modules]
    print(loaded, error)
else:
    print("used it")
"""
LITERT = (
    "from handprep.detection.litert import LiteRTDetector",
    "LiteRTDetector().{call}",
)
DETECT = "detect(np.zeros((90, 120, 3), np.uint8))"
NOWHERE = "http://127.0.0.1:1"


def said(home: Path, imports: str, use: str) -> str:
    """Run the program where handprep has only its cache to take model files from."""
    cut_off = {f"{kind}_proxy": NOWHERE for kind in ("http", "https", "all")}
    environment = {**os.environ, **cut_off, **{name.upper(): url for name, url in cut_off.items()}}
    environment |= {"PIP_INDEX_URL": NOWHERE, "PIP_NO_INDEX": "1", "NO_PROXY": "", "no_proxy": ""}
    program = PROGRAM.format(imports=imports, use=use)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, models.HOME_VARIABLE: str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def home_with(tmp_path: Path, *names: str) -> Path:
    """Return a home of handprep's own with copies of model files."""
    (tmp_path / "home" / "models").mkdir(parents=True)
    for name in names:
        shutil.copy(models.fetch(name), tmp_path / "home" / "models" / models.MODELS[name].file)
    return tmp_path / "home"


def flip(path: Path, place: float) -> None:
    """Flip one bit somewhere in a file."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


HANDS = ("palm_detection_full", "hand_landmark_full")


def test_the_files_as_they_should_be_are_used(tmp_path: Path) -> None:
    home = home_with(tmp_path, *HANDS)
    assert said(home, LITERT[0], LITERT[1].format(call=DETECT)) == "used it\n"


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_tflite_file_with_one_bit_flipped_never_reaches_litert(place: float, tmp_path: Path) -> None:
    home = home_with(tmp_path, *HANDS)
    flip(home / "models" / "palm_detection_full.tflite", place)

    told = said(home, LITERT[0], LITERT[1].format(call=DETECT))

    assert told.startswith("[] no source gave the model file palm_detection_full.tflite")
    assert "its sha256 is" in told


def test_a_tflite_file_of_another_size_never_reaches_litert(tmp_path: Path) -> None:
    home = home_with(tmp_path, *HANDS)
    with (home / "models" / "hand_landmark_full.tflite").open("ab") as file:
        file.write(b"surplus")
    imports = f"{LITERT[0]}\nfrom handprep.detection.region import Region"
    whole = "np.zeros((90, 120, 3), np.uint8)"

    told = said(home, imports, f"LiteRTDetector().look({whole}, Region.around({whole}))")

    assert told.startswith("[] no source gave the model file hand_landmark_full.tflite")
    assert "it has 5,478,924 bytes, not 5,478,917" in told


def test_an_onnx_file_of_rembgs_with_one_bit_flipped_is_refused(tmp_path: Path) -> None:
    home = home_with(tmp_path, "u2netp")
    flip(home / "models" / "u2netp.onnx", 0.5)

    told = said(
        home,
        "from handprep.segmentation.rembg import RembgSegmenter",
        "RembgSegmenter(model='u2netp').segment(np.zeros((9, 9, 3), np.uint8), ())",
    )

    assert "no source gave the model file u2netp.onnx" in told
    assert "its sha256 is" in told


def test_the_shipped_network_with_one_bit_flipped_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copy(matte.NETWORK, tmp_path))
    flip(copy, 0.5)
    monkeypatch.setattr(matte, "NETWORK", copy)

    with pytest.raises(ModelError, match="is not the network that handprep ships: its sha256 is"):
        HandMatte()._open()
