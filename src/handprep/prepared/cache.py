"""A cache of prepared images: each photo goes through its pipeline once, and is only read from then on."""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Literal

from handprep import models
from handprep.configurable import check_choice
from handprep.errors import HandprepError, InputError, OutputError
from handprep.files import atomic_write, locked, make_folder, sweep
from handprep.pipeline import Pipeline
from handprep.prepared.container import DamagedError
from handprep.prepared.ensure import Preparation, Task
from handprep.prepared.index import Index
from handprep.prepared.manifest import Row
from handprep.prepared.record import Record
from handprep.prepared.run import RunResult
from handprep.prepared.storage import Storage
from handprep.progress import Progress, reporting
from handprep.sample import Sample
from handprep.text import printable
from handprep.threads import ordered_map

_log = logging.getLogger(__name__)

ON_ERROR = ("raise", "skip")
PHOTOS = "photos"  # the folder of the indexes, of which each folder of photos has one
PIPELINE = "pipeline.json"
# https://bford.info/cachedir/: backups leave such folders out
TAG = (
    "CACHEDIR.TAG",
    (
        b"Signature: 8a477f597d28d172789f06886806bc55\n"
        b"# Images that handprep prepared. They can be deleted at any time and are then prepared again.\n"
    ),
)
WAIT = 60.0  # seconds; longer than preparing a photo takes, models that have to be fetched aside
ABANDONED = 3600.0  # seconds after which a half-written file is nobody's any more


def cache_folder() -> Path:
    """Return the default folder: ``$HANDPREP_HOME/prepared``, else one in the user's cache."""
    return models.cache_folder().parent / "prepared"


class PreparedCache:
    """Prepared images on disk, by the content of their photo and the fingerprint of the pipeline.

    A photo that changed, another pipeline or model file: all these lead to other images, so what is out of
    date is never returned. Any number of threads and processes may use one cache at once; one of them
    prepares a photo and the others wait for it. An image that is damaged is prepared again. Nothing is
    ever deleted; you may delete the folder at any time.

    ``CACHE/FINGERPRINT/AB/ABCD….png`` is the image of the photo whose content has that digest.

    Parameters
    ----------
    pipeline
        What to do with each photo.
    photos
        The folder of the photos. Those elsewhere are prepared as well, but every program reads them once
        to know their content.
    folder
        The folder of the cache, which is made when it is first needed; None for `cache_folder`.
    class_level
        As for `handprep.prepare`, for the rows of `prepare`.

    Raises
    ------
    InputError
        If a parameter is of the wrong kind.

    Examples
    --------
    >>> from handprep.pipeline import study_pipeline
    >>> cache = PreparedCache(study_pipeline(64), "photos", "cache")
    >>> cache.get("photos/rock/1.jpg").size  # doctest: +SKIP
    (64, 64)
    """

    def __init__(
        self,
        pipeline: Pipeline,
        photos: str | os.PathLike[str],
        folder: str | os.PathLike[str] | None = None,
        *,
        class_level: int = -1,
    ) -> None:
        self.folder = (cache_folder() if folder is None else Path(folder).expanduser()).absolute()
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{printable(str(self.folder))} is a file: give a folder for the cache")
        if not isinstance(pipeline, Pipeline):
            raise InputError(f"pipeline must be a Pipeline, not {pipeline!r:.200}")
        root = os.path.abspath(photos)  # noqa: PTH100 - strings, as photos' paths are
        name = hashlib.blake2b(os.fsencode(root), digest_size=8).hexdigest()
        self._prefix, self._name = os.path.join(photos, ""), pipeline.fingerprint()[:16]  # noqa: PTH118
        self._index = Index(self.folder / PHOTOS / f"{name}.jsonl", os.fspath(photos))
        self._work = Preparation(
            photos=Storage(""),  # by the paths that they are given by
            outputs=Storage(self.folder / self._name, durable=False),  # what is damaged is made again
            pipeline=pipeline,
            index=self._index,
            whole=os.path.basename(root),  # noqa: PTH119
            class_level=class_level,
        )
        self._locks = True

    @property
    def pipeline(self) -> Pipeline:
        """What is done with each photo, once."""
        return self._work.pipeline

    def get(self, photo: str | os.PathLike[str]) -> Sample:
        """Return a photo's prepared image, from the cache or by preparing the photo.

        Parameters
        ----------
        photo
            The photo's path.

        Raises
        ------
        ImageError
            If the photo cannot be read.
        HandNotFoundError
            If the pipeline finds no hand and gives no image then (``on_missing="raise"`` or ``"skip"``).
        OutputError
            If the prepared image cannot be written.
        ModelError, MissingExtraError
            If a model file or a package that the pipeline needs cannot be had.
        """
        record, content, was_there = self._load(os.fspath(photo))
        try:
            return record.sample(content)
        except DamagedError:  # sealed, but not by us
            if not was_there:
                raise
        self._work.outputs.remove(_place(record.origin.digest))
        return self.get(photo)

    def _load(self, photo: str) -> tuple[Record, bytes, bool]:
        """Return a photo's record and prepared image, and whether these were there."""
        for refresh in (False, True):
            if refresh:
                self._index.refresh()  # another process may have read the photo since
            known = self._index.now(photo)
            if known is not None:
                if held := self._held(known.digest):
                    return *held, True
                if (fault := known.fault_of(self._work.fingerprint)) is not None:
                    raise fault
        task = self._work.read(Task(source=photo, output="", name=self._name_of(photo)))
        if task.fault is not None:
            raise task.fault
        task.output = _place(digest := task.known.digest)
        # the image of another photo with this content, or one that another process made meanwhile
        if (held := self._held(digest)) is None:
            with self._alone(digest):
                if (held := self._held(digest)) is None:
                    self._work.write(self._work.compute(task))
                    if task.fault is not None:
                        raise task.fault
                    return *task.images[0], False
        self._work.remember(task)
        return *held, True

    def _held(self, digest: str) -> tuple[Record, bytes] | None:
        return self._work.held(_place(digest), digest=digest)

    def holds(self, photo: str | os.PathLike[str]) -> bool:
        """Tell whether a photo's prepared image is known to be there, without reading either of them."""
        known = self._index.now(os.fspath(photo))
        return known is not None and os.path.exists(  # noqa: PTH110 - a string, for speed
            self._work.outputs.path(_place(known.digest))
        )

    def prepare(
        self,
        photos: Sequence[str | os.PathLike[str]],
        *,
        workers: int | None = None,
        progress: bool | Progress = False,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> RunResult:
        """Prepare ahead, in threads, those photos that are not in the cache; run it again to resume.

        Parameters
        ----------
        photos
            Paths of photos.
        workers, progress
            As for `handprep.prepare`.
        on_error
            ``"raise"`` the error of the first photo that cannot be prepared, as `get` does, or ``"skip"``
            such photos; their rows have the reason. Errors that concern all photos are always raised.

        Returns
        -------
        RunResult
            A row for each photo; `Row.source` is its path, as given.
        """
        check_choice("on_error", on_error, ON_ERROR)
        self._index.refresh()
        paths = [os.fspath(photo) for photo in photos]
        if not all(map(self.holds, paths)):
            for shard in (self.folder / self._name).glob("*/"):
                sweep(shard, age=ABANDONED)
            self._work.fetch_models(progress=progress is True)
        rows: list[Row] = []
        resumed, total = 0, len(paths)
        outcomes = ordered_map(self._outcome, paths, workers=workers)
        with reporting(progress, 0, total) as report, closing(outcomes):
            for row, was_there, error in outcomes:
                if error is not None and on_error == "raise":
                    raise error
                rows.append(row)
                resumed += was_there
                report(len(rows), total)
        return RunResult(folder=self.folder, rows=tuple(rows), resumed=resumed)

    def _outcome(self, photo: str) -> tuple[Row, bool, HandprepError | None]:
        """Return a photo's row, whether it was in the cache, and an error that concerns no other photo."""
        given = {"source": photo, **self._work.described(self._name_of(photo))}
        try:
            record, _, was_there = self._load(photo)
        except HandprepError as error:
            return Row.of_fault(error, **given), False, error
        return Row.of_record(record, **given), was_there, None

    def _name_of(self, photo: str) -> str:
        """Return a photo's path from the folder of photos, and from elsewhere nothing but its name."""
        below = photo.removeprefix(self._prefix)
        return (below if below != photo else os.path.basename(photo)).replace(os.sep, "/")  # noqa: PTH119

    @contextmanager
    def _alone(self, digest: str) -> Iterator[None]:
        """Keep other threads and processes from preparing the same photo, and name the cache in errors.

        The lock only spares work: two that prepared one photo would write the same file. So where a disk
        has no locks, or another process holds one for too long, things go on without.
        """
        home, lock = self.folder / self._name, self._work.outputs.path(f"{digest[:2]}/.lock")
        with ExitStack() as stack:
            try:
                make_folder(self.folder, f"{self._name}/{digest[:2]}")
                for name, content in (TAG, (PIPELINE, self.pipeline.to_json().encode())):
                    if not (home / name).exists():
                        atomic_write(home / name, content)
                try:
                    if self._locks:
                        busy = f"another process has held {lock} for {WAIT:.0f} s: not waited for"
                        stack.enter_context(locked(Path(lock), busy=busy, wait=WAIT))
                except OutputError as error:
                    self._locks = False
                    _log.warning("%s", error)
                yield
            except OutputError as error:  # without the folder, no photo can be prepared
                cache = printable(str(self.folder))
                raised = OutputError(f"{error}. It belongs to the cache of prepared images, {cache}")
                raised.concerns_all = True
                raise raised from error.__cause__


def _place(digest: str) -> str:
    return f"{digest[:2]}/{digest}.png"
