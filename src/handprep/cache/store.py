"""Where the pictures of one pipeline lie in the cache: reading them, and writing each whole or not at all."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from handprep.cache.entries import DamagedError, Prepared, from_png, to_png
from handprep.errors import HandNotFoundError, OutputError, SampleSkipped
from handprep.names import printable
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.writing import TEMPORARY, make_folder, write_whole

_log = logging.getLogger(__name__)

# https://bford.info/cachedir/: backups leave such folders out
TAG = (
    "CACHEDIR.TAG",
    (
        b"Signature: 8a477f597d28d172789f06886806bc55\n"
        b"# Pictures that handprep prepared. They can be deleted at any time and are then prepared again.\n"
    ),
)
PIPELINE = "pipeline.json"
WAIT = 60.0  # seconds; longer than preparing a photo takes, models that have to be fetched aside
ABANDONED = 3600.0  # seconds after which a half-written file is nobody's any more
_VERDICTS = {error.__name__: error for error in (HandNotFoundError, SampleSkipped)}


class Store:
    """Prepared pictures of one pipeline, by the digests of their photos' content.

    ``CACHE/FINGERPRINT/AB/ABCD….png`` holds a picture and its hands. A ``.json`` of that name says that
    the pipeline found no hand and gives no picture. Everything is written atomically, so that readers need
    no lock and a writer may be killed at any moment.

    Parameters
    ----------
    cache
        The folder of the cache. Nothing is written before the first `keep`.
    pipeline
        The pipeline that prepares; its fingerprint keeps its pictures apart from others'.
    """

    def __init__(self, cache: Path, pipeline: Pipeline) -> None:
        self._cache, self._pipeline = cache, pipeline
        self._name = pipeline.fingerprint()[:16]
        self._prefix = os.path.join(cache, self._name, "")  # noqa: PTH118 - a string, for speed
        self._locks = True

    @property
    def folder(self) -> Path:
        """The folder of this pipeline's pictures."""
        return self._cache / self._name

    def _path(self, digest: str, ending: str) -> str:
        return f"{self._prefix}{digest[:2]}/{digest}{ending}"

    def holds(self, digest: str) -> bool:
        """Tell whether there is a picture, without reading it."""
        return os.path.exists(self._path(digest, ".png"))  # noqa: PTH110 - a string, for speed

    def read(self, digest: str, photo: str, *, with_hands: bool) -> Prepared | None:
        """Return a prepared picture, or None if there is none that can be used.

        Parameters
        ----------
        digest
            Of the photo's content.
        photo
            The photo's path, for messages.
        with_hands
            Whether to read the hands, too.

        Raises
        ------
        HandNotFoundError
            If the pipeline is known to find no hand in the photo, and to give no picture then.
        """
        path = self._path(digest, ".png")
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - at every reading of every picture
                content = file.read()
            return from_png(content, with_hands=with_hands)
        except FileNotFoundError:
            self._raise_verdict(digest, photo)
        except (OSError, DamagedError) as error:
            _log.info("%s, prepared of %s, cannot be used: %s", printable(path), printable(photo), error)
        return None

    def _raise_verdict(self, digest: str, photo: str) -> None:
        try:
            with open(self._path(digest, ".json"), "rb") as file:  # noqa: PTH123 - as above
                verdict = _VERDICTS[json.load(file)["error"]]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return  # none, or damaged: the pipeline looks again
        raise verdict(f"no hand found in {printable(photo)} when it was first prepared") from None

    def keep(self, digest: str, sample: Sample) -> bytes:
        """Write a prepared picture, and return the content of its file.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        content = to_png(sample)
        self._write(digest, ".png", content)
        return content

    def keep_verdict(self, digest: str, error: HandNotFoundError) -> None:
        """Write down that the pipeline finds no hand in a photo: searching takes long.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if type(error).__name__ in _VERDICTS:
            verdict = {"error": type(error).__name__, "message": str(error)}
            self._write(digest, ".json", json.dumps(verdict).encode() + b"\n")

    def _write(self, digest: str, ending: str, content: bytes) -> None:
        self._ready(digest)
        with self._as_cache():
            write_whole(Path(self._path(digest, ending)), content)

    def _ready(self, digest: str) -> None:
        """Make the folder of a picture, and have the folder of the pipeline describe itself."""
        with self._as_cache():
            make_folder(self._cache, f"{self._name}/{digest[:2]}")
            for name, content in (TAG, (PIPELINE, self._pipeline.to_json().encode())):
                if not (self.folder / name).exists():
                    write_whole(self.folder / name, content)

    @contextmanager
    def _as_cache(self) -> Iterator[None]:
        """Say in errors what the folder that cannot be written is for."""
        try:
            yield
        except OutputError as error:
            cache = printable(str(self._cache))
            raise OutputError(f"{error}. It belongs to the cache of prepared pictures, {cache}") from (
                error.__cause__
            )

    @contextmanager
    def alone(self, digest: str) -> Iterator[None]:
        """Keep other threads and processes from preparing the same photo at the same time.

        This only spares work: two that did would write the same file. So where a disk has no locks, or
        another process holds one for too long, things go on without.

        Raises
        ------
        OutputError
            If the cache cannot be written, before time is spent on preparing.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - not needed to read

        self._ready(digest)
        lock = FileLock(self.folder / digest[:2] / ".lock", timeout=WAIT, thread_local=False)
        try:
            if self._locks:
                lock.acquire(poll_interval=0.005)
        except Timeout:
            self._locks = False
            _log.warning("another process has held %s for %.0f s: not waited for", lock.lock_file, WAIT)
        except (OSError, NotImplementedError) as error:
            self._locks = False
            _log.info("%s cannot be locked (%s): done without", lock.lock_file, error)
        try:
            yield
        finally:
            lock.release()

    def sweep(self) -> None:
        """Remove what writers left behind that were killed."""
        for path in self.folder.glob(f"*/{TEMPORARY}"):
            with suppress(OSError):  # another process may be sweeping, too; litter does no harm
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()
