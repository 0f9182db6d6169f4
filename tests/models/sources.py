"""Real sources for tests of the model files: a web server on this machine, and wheels in a folder."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from handprep.models import ModelFile

DATA = bytes(range(256)) * 1600  # 409,600 bytes: several pieces of a download


class ModelServer(http.server.ThreadingHTTPServer):
    """Serves DATA well at /good and badly elsewhere, and counts what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: Counter[str] = Counter()
        self.files: dict[str, bytes] = {"/good": DATA, "/wrong": DATA[::-1]}
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[ModelServer]:
        """Run a server in a thread of its own."""
        with cls() as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield server
            finally:
                server.closing.set()
                server.shutdown()
                thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a client hung up: some of these tests do that on purpose."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ModelServer

    def do_GET(self) -> None:
        path = "/" + self.path.split("://")[-1].split("/", 1)[-1]  # a proxy is asked for whole URLs
        self.server.asked[path] += 1
        if path in self.server.files:
            self._answer(self.server.files[path])
        elif path == "/slow":
            time.sleep(0.5)
            self._answer(DATA)
        elif path == "/truncated":
            self._answer(DATA[: len(DATA) // 2], announced=len(DATA))
        elif path == "/endless":
            self._answer(DATA * 100)
        elif path == "/stalls":
            self._answer(DATA[: len(DATA) // 2], announced=len(DATA))
            self.server.closing.wait(60)
        elif path == "/silent":
            self.server.closing.wait(60)
        else:
            self.send_error(404)

    def _answer(self, body: bytes, announced: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(announced or len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # the client may hang up: see handle_error
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, *args: Any) -> None:
        """Keep the test's output clean."""


def make_model(name: str, data: bytes = DATA, **more: Any) -> ModelFile:
    """Describe a small model file."""
    described = {
        "file": f"{name}.bin",
        "licence": "MIT",
        "description": "a test's",
        "url": "http://127.0.0.1:1/x",
    }
    sha256 = hashlib.sha256(data).hexdigest()
    return ModelFile(**{"name": name, "size": len(data), "sha256": sha256, **described, **more})


def make_wheel(folder: Path, name: str, members: Mapping[str, bytes]) -> str:
    """Write a wheel of version 1.0 into a folder and return its requirement."""
    info = f"{name}-1.0.dist-info"
    about = {
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Python: <3\n".encode()
        ),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, data in {**members, **about}.items():
            wheel.writestr(member, data)
    return f"{name}==1.0"


def only_wheels_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip know no package index but one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return as soon as a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
