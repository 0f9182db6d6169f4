"""A program that PyInstaller has frozen finds handprep's data, by the hook that handprep brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rendered import photos

pytest.importorskip("PyInstaller", reason="needs pyinstaller")

PROGRAM = """
import sys
import numpy as np
import PIL.Image
from handprep import BackgroundRemover, HandCropper, Pipeline, ResizePad

photo = np.asarray(PIL.Image.open(sys.argv[1]).convert("RGB"))
sample = Pipeline([HandCropper(on_missing="raise"), BackgroundRemover(), ResizePad(64)]).run(photo)
print(len(sample.hands), sample.image.shape, sample.alpha.any())
"""
# of what else is in this environment: without it, a minute and half a gigabyte less
LEFT_OUT = ["torch", "torchvision", "albumentations", "datasets", "matplotlib", "rembg", "scipy", "numba"]


@pytest.mark.slow
def test_a_frozen_program_finds_hands_and_takes_their_background_away(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    excluded = [f"--exclude-module={name}" for name in LEFT_OUT]
    freeze = [sys.executable, "-m", "PyInstaller", "--log-level=ERROR", *excluded, "program.py"]
    subprocess.run(freeze, cwd=tmp_path, check=True)
    frozen = tmp_path / "dist" / "program" / "program"
    done = subprocess.run([frozen, photos()[0].path], capture_output=True, text=True, check=True)
    assert done.stdout == "1 (64, 64, 3) True\n"
