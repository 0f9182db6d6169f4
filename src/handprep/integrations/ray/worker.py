"""What happens on the nodes: an actor that opens its models once and prepares photos batch by batch."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import pyarrow as pa
import ray

from handprep import models
from handprep.errors import HandprepError, InputError, OutputError
from handprep.folder.batch import FAULTS, told_of_fault
from handprep.folder.journal import Entry, Stamp
from handprep.images import encode
from handprep.integrations.ray import record
from handprep.integrations.ray.attempts import Attempts
from handprep.integrations.ray.place import Place
from handprep.manifest import Row, told_of
from handprep.pipeline import Pipeline
from handprep.threads import ordered_map

READING, WRITING = 4, 4  # threads beside the one that computes: disks and networks let them wait
TOGETHER, ALONE = 2, 2  # how often a batch, and then each photo of it, may end with its process
DEADLY = (
    "each process that prepared it died: out of memory, or a crash. Make it smaller or leave it out; Ray's "
    "logs may say more"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One photo to prepare: its source, the name of its output, and its stamp where that is known."""

    source: str
    output: str
    stamp: Stamp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every actor must know.

    Attributes
    ----------
    photos, place
        Where photos and outputs lie.
    pipeline, ending
        What to do with each photo, and what the names of outputs end in.
    run
        What the files of this run's record are named by.
    """

    photos: Place
    place: Place
    pipeline: Pipeline
    ending: str
    run: str

    def fingerprint(self) -> str:
        """Return what results depend on, as far as this machine knows."""
        return f"{self.pipeline.fingerprint()} {self.ending}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A photo on its way: what is known of it so far, and the seconds spent on it."""

    work: Work
    stamp: Stamp | None
    told: dict[str, Any]
    seconds: float
    picture: Any = None
    content: bytes | None = None


class Preparer:
    """The actor. Photos that fail become entries; what would fail for all of them stops the job.

    It raises nothing itself, as Ray would show the user its own stack instead of the error: the error
    goes back as a row, pickled.

    Parameters
    ----------
    job
        What to do.
    fingerprint
        Of the job, as the driver has it.
    """

    def __init__(self, job: Job, fingerprint: str) -> None:
        self._job, self._fingerprint = job, fingerprint
        self._attempts = Attempts(job.place, job.run)
        self._problem: Exception | None = None
        cv2.setNumThreads(1)
        try:
            _check_node(job, fingerprint)
            for name in sorted(job.pipeline.model_files):
                models.fetch(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver raises it
            self._problem = error

    def __call__(self, batches: pa.Table) -> pa.Table:
        """Prepare batches and write each one's record; return a row for each photo, or one with the error.

        Parameters
        ----------
        batches
            Columns ``batch`` (its number) and ``works`` (a pickled list of `Work`).
        """
        rows: list[dict[str, Any]] = []
        for batch in batches.to_pylist():
            try:
                entries = self._finish(batch["batch"], batch["works"])
                rows += [{"batch": batch["batch"], "status": entry.row.status} for entry in entries]
            except Exception as error:  # noqa: BLE001 - whatever it is, the driver raises it
                rows.append({"batch": batch["batch"], "error": _pickled(error)})
        schema = pa.schema([("batch", pa.int64()), ("status", pa.string()), ("error", pa.binary())])
        return pa.Table.from_pylist(rows, schema=schema)

    def _finish(self, number: int, pickled: bytes) -> list[Entry]:
        """Prepare a batch and write its record."""
        if self._problem is not None:
            raise self._problem
        works: list[Work] = pickle.loads(pickled)  # noqa: S301 - the driver's
        if self._attempts.begin(f"{number}") <= TOGETHER:
            entries = self._prepare(works)
        else:
            entries = [self._prepare_alone(work, f"{number}-{index}") for index, work in enumerate(works)]
        name = f"{record.PARTS}/{record.part_name(self._job.run, number)}"
        self._job.place.write(name, record.to_bytes(record.table_of(entries)))
        self._attempts.end(f"{number}")
        return entries

    def _prepare_alone(self, work: Work, attempt: str) -> Entry:
        """Prepare a photo of a batch that processes died of, unless they died of this one."""
        if self._attempts.begin(attempt) > ALONE:
            row = Row(source=work.source, status="failed", message=DEADLY)
            return Entry(row=row, fingerprint=self._fingerprint, photo=work.stamp, output=None)
        (entry,) = self._prepare([work])
        self._attempts.end(attempt)
        return entry

    def _prepare(self, works: Iterable[Work]) -> list[Entry]:
        """Read ahead in threads, compute in this one, which has the models, and write behind in threads."""
        read = ordered_map(self._read, works, workers=READING)
        return list(ordered_map(self._write, map(self._compute, read), workers=WRITING))

    def _read(self, work: Work) -> _Step:
        start, told, picture, stamp = time.perf_counter(), {}, None, None
        try:
            stamp, picture = self._job.photos.read_photo(work.source)
        except FAULTS as error:
            told = told_of_fault(error)
        seconds = time.perf_counter() - start
        return _Step(work=work, stamp=stamp or work.stamp, told=told, seconds=seconds, picture=picture)

    def _compute(self, step: _Step) -> _Step:
        if step.told:
            return step
        start, content = time.perf_counter(), None
        try:
            name = f"{self._job.photos.name}/{step.work.source}"
            sample = self._job.pipeline.run(step.picture, name=name)
            content, told = encode(sample, self._job.ending[1:]), told_of(sample)
        except FAULTS as error:
            told = told_of_fault(error)
        seconds = step.seconds + time.perf_counter() - start
        return replace(step, told=told, seconds=seconds, picture=None, content=content)

    def _write(self, step: _Step) -> Entry:
        start, told, written = time.perf_counter(), step.told, None
        if step.content is not None:
            try:
                written = self._job.place.write(step.work.output, step.content)
                told = {**told, "output": step.work.output}
            except OutputError as error:
                told = told_of_fault(error)
        milliseconds = round(1000 * (step.seconds + time.perf_counter() - start), 1)
        row = Row(source=step.work.source, milliseconds=milliseconds, **told)
        return Entry(row=row, fingerprint=self._fingerprint, photo=step.stamp, output=written)


def _check_node(job: Job, fingerprint: str) -> None:
    """Make sure that this node sees the folders, and that it would do the same as any other."""
    for place in (job.photos, job.place):
        if not place.is_visible():
            raise InputError(
                f"{place.name} is not there on every node. Give a folder on a disk that all nodes share, or "
                "the URI of a store"
            )
    if job.fingerprint() != fingerprint:
        raise InputError("handprep's version is not the same on every node. Install the same on all of them")


def _pickled(error: Exception) -> bytes:
    """Return an error with notes of where it came from, as bytes."""
    if not isinstance(error, HandprepError):  # a bug: who looks for it needs the place
        error.add_note("".join(traceback.format_exception(error)))
    error.add_note(f"This was on the node {ray.util.get_node_ip_address()}.")
    try:
        content: bytes = ray.cloudpickle.dumps(error)
    except Exception:  # noqa: BLE001 - an error of others, which may hold anything
        content = ray.cloudpickle.dumps(RuntimeError("".join(traceback.format_exception(error))))
    return content
