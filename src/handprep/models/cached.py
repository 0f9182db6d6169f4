"""The cache of model files: where it is, and whether what lies in it is right."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from handprep.models import table
from handprep.models.table import ModelFile

HOME_VARIABLE = "HANDPREP_HOME"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """Whether a model file lies in the cache.

    Attributes
    ----------
    model
        The model file.
    path
        Where it lies, or would lie, in the cache.
    problem
        None if the right file is there, else what is wrong, such as ``"not there"``.
    """

    model: ModelFile
    path: Path
    problem: str | None

    @property
    def cached(self) -> bool:
        """True if the right file is there."""
        return self.problem is None


def cache_folder() -> Path:
    """Return the folder of the model files: ``$HANDPREP_HOME/models``, else one in the user's cache."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute() / "models"
    # what pooch.os_cache calls, without the 0.1 s of importing pooch
    from platformdirs import user_cache_dir  # noqa: PLC0415

    return Path(user_cache_dir("handprep")) / "models"


def status() -> tuple[ModelStatus, ...]:
    """Return what the cache holds, a `ModelStatus` for each model file that handprep knows.

    Examples
    --------
    >>> [entry.model.name for entry in status()]
    ['palm_detection_full', 'hand_landmark_full', 'hand_landmarker', 'u2net', 'u2netp']
    """
    return tuple(
        ModelStatus(model=model, path=place_of(model), problem=problem_of(place_of(model), model))
        for model in table.MODELS.values()
    )


def place_of(model: ModelFile) -> Path:
    """Return where a model file lies in the cache, or would lie."""
    return cache_folder() / model.file


def parts_of(model: ModelFile) -> dict[str, ModelFile]:
    """Return the model files inside a bundle, by their names there; empty for any other model file."""
    return {part.bundle_member: part for part in table.MODELS.values() if part.bundle == model.name}


# Hashing u2net's 176 MB takes 0.13 s (1 s without SHA instructions), so a process does it once.
_CHECKED: dict[tuple[Path, str], tuple[int, ...]] = {}


def problem_of(path: Path, model: ModelFile) -> str | None:
    """Return why a file is not the given model file, or None if it is."""
    try:
        if not path.is_file():
            return "not a file" if path.exists() else "not there"
        found = path.stat()  # before hashing, so that a change meanwhile shows next time
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if _CHECKED.get((path, model.sha256)) == stamp:
            return None
        problem = _mismatch(path, found.st_size, model)
    except OSError as error:
        return f"cannot be read ({error})"
    if problem is None:
        _CHECKED[path, model.sha256] = stamp
    return problem


def _mismatch(path: Path, size: int, model: ModelFile) -> str | None:
    parts = {member: (part.size, part.sha256) for member, part in parts_of(model).items()}
    if parts:
        from handprep.models import bundle  # noqa: PLC0415 - zipfile and its decompressors: 5 ms of every import

        if bundle.holds_exactly(path, parts):
            return None
    if size != model.size:
        return f"it has {size:,} bytes, not {model.size:,}"
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return None if sha256 == model.sha256 else f"its sha256 is {sha256}, not {model.sha256}"
