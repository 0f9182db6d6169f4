"""The cache of model files: where it is, and whether its files are the right ones."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from handprep.models import registry
from handprep.models.registry import ModelFile

HOME_VARIABLE = "HANDPREP_HOME"

_DIGESTS: dict[Path, tuple[tuple[int, ...], str]] = {}  # what each file was like when it was hashed


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """Whether a model file is in the cache.

    Attributes
    ----------
    model
        The model file.
    path
        Its place in the cache.
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
    """Return a `ModelStatus` for each model file that handprep knows.

    Examples
    --------
    >>> [entry.model.name for entry in status()]
    ['palm_detection_full', 'hand_landmark_full', 'hand_landmarker', 'u2net', 'u2netp']
    """
    places = [(model, cache_folder() / model.file) for model in registry.MODELS.values()]
    return tuple(
        ModelStatus(model=model, path=path, problem=problem_of(path, model)) for model, path in places
    )


def problem_of(path: Path, model: ModelFile) -> str | None:
    """Return why a file is not the given model file, or None if it is."""
    try:
        if not path.is_file():
            return "not a file" if path.exists() else "not there"
        size = path.stat().st_size
        if size not in {model.size, *(model.rebuilt or ())[:1]}:
            return f"it has {size:,} bytes, not {model.size:,}"
        sha256 = sha256_of(path)
    except OSError as error:
        return f"cannot be read ({error})"
    if sha256 == model.sha256 or (size, sha256) == model.rebuilt:
        return None
    return f"its sha256 is {sha256}, not {model.sha256}"


def sha256_of(path: Path) -> str:
    """Return a file's sha256; it is hashed again only if it was touched (u2net's 176 MB take 0.13 s)."""
    path = path.absolute()
    found = path.stat()  # before hashing, so that a change meanwhile shows next time
    stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    known = _DIGESTS.get(path)
    if known is None or known[0] != stamp:
        with path.open("rb") as file:
            known = stamp, hashlib.file_digest(file, "sha256").hexdigest()
        _DIGESTS[path] = known
    return known[1]
