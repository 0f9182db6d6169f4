"""What happens on the nodes: an actor that opens its models once and prepares photos batch by batch."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import pyarrow as pa
import ray

import handprep
from handprep import models
from handprep.errors import HandprepError, InputError
from handprep.prepared.ensure import Preparation, Task
from handprep.prepared.manifest import COLUMNS, DIGITS, WHOLE_NUMBERS, Row

READING = 4  # threads beside the one that computes: disks and networks let them wait
TOGETHER, ALONE = 2, 2  # how often a batch, and then each photo of it, may end with its process
ATTEMPTS = ".handprep-attempts-{}.tmp"  # named as what interrupted writes leave behind, and removed with it
DEADLY = HandprepError(
    "each process that prepared it died: out of memory, or a crash. Make it smaller or leave it out; Ray's "
    "logs may say more"
)
_KINDS = dict.fromkeys(DIGITS, pa.float64()) | dict.fromkeys(WHOLE_NUMBERS, pa.int64())
SCHEMA = pa.schema(
    [
        *((name, _KINDS.get(name, pa.string())) for name in COLUMNS),
        *(
            ("number", pa.int64()),
            ("resumed", pa.bool_()),
            ("file", pa.binary()),
            ("image_bytes", pa.int64()),
        ),
        *(("batch", pa.int64()), ("error", pa.binary())),
    ]
)


class Work(NamedTuple):
    """One photo: its number, its name, that of its image, and whether this may be there."""

    number: int
    source: str
    output: str
    is_there: bool


class Preparer:
    """The actor, which is told what to do, what this run is called, and the driver's version.

    Photos that fail become rows; what would fail for all of them stops the job.

    It raises nothing itself, as Ray would show the user its own stack instead of the error: the error
    goes back as a row, pickled.
    """

    def __init__(self, preparation: Preparation, run: str, version: str) -> None:
        self._work, self._run, self._version = preparation, run, version
        self._problem: Exception | None = None
        cv2.setNumThreads(1)
        try:
            self._check_node()
            self._work = replace(self._work, index=self._work.outputs.index(self._work.photos))
            for name in sorted(self._work.pipeline.model_files):
                models.fetch(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver raises it
            self._problem = error

    def _check_node(self) -> None:
        """Make sure that this node sees the folders, and that it would do the same as any other."""
        for storage in (self._work.photos, self._work.outputs):
            if not storage.is_visible():
                raise InputError(
                    f"{storage.name} is not there on every node. Give a folder on a disk that all nodes "
                    "share, or the URI of a store"
                )
        same = replace(self._work).fingerprint == self._work.fingerprint  # made anew here
        if not same or self._version != handprep.__version__:
            raise InputError(
                "handprep's version is not the same on every node. Install the same on all of them"
            )

    def __call__(self, batches: pa.Table) -> pa.Table:
        """Prepare batches; return the rows of their photos, or one with the error."""
        rows: list[dict[str, Any]] = []
        for batch in batches.to_pylist():
            try:
                rows += self._finish(batch["batch"], batch["works"])
            except Exception as error:  # noqa: BLE001 - whatever it is, the driver raises it
                rows.append({"batch": batch["batch"], "error": _pickled(error)})
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def _finish(self, batch: int, pickled: bytes) -> list[dict[str, Any]]:
        if self._problem is not None:
            raise self._problem
        works: list[Work] = pickle.loads(pickled)  # noqa: S301 - the driver's
        rows = [
            row for work, task, resumed in self._tasks(batch, works) for row in _plain(work, task, resumed)
        ]
        self._work.outputs.flush()
        for attempt in (f"{batch}", *(f"{batch}-{work.number}" for work in works)):
            self._work.outputs.remove(self._attempts(attempt))
        return rows

    def _tasks(self, batch: int, works: list[Work]) -> Iterator[tuple[Work, Task, bool]]:
        """Yield each photo, its finished task, and whether that was finished before."""
        left = []
        for work in works:
            task = self._work.found(work.source, work.output) if work.is_there else None
            if task is None:
                left.append(work)
            else:
                yield work, task, True
        together = [left] if not left or self._begin(f"{batch}") <= TOGETHER else [[work] for work in left]
        for group in together:
            if len(together) > 1 and self._begin(f"{batch}-{group[0].number}") > ALONE:
                source = group[0].source
                row = Row.of_fault(DEADLY, source=source, **self._work.described(source))
                yield group[0], Task(source=source, output="", rows=[row]), False
                continue
            tasks = (Task(source=work.source, output=work.output) for work in group)
            made = self._work.carried_out(tasks, reading=READING, workers=0, done=bool)
            yield from ((work, task, False) for work, task in zip(group, made, strict=True))

    def _begin(self, what: str) -> int:
        """Return how often this was begun and not ended, this time included, in whatever process.

        Ray gives a batch to another actor as often as actors die of it. So a photo that crashes its process
        would keep the job from ever ending, if nobody counted.
        """
        name = self._attempts(what)
        count = len(self._work.outputs.read(name) or b"") + 1
        self._work.outputs.write(name, b"." * count)
        return count

    def _attempts(self, what: str) -> str:
        return ATTEMPTS.format(f"{self._run}-{what}")


def _plain(work: Work, task: Task, resumed: bool) -> Iterator[dict[str, Any]]:
    r"""Yield a photo's rows as plain values, with escapes such as ``\udcff`` for bytes that are no UTF-8."""
    sizes = {record.origin.output: len(image) for record, image in task.images}
    for row in task.rows:
        cells = {
            name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
            for name, value in row.cells().items()
        }
        file, size = os.fsencode(row.output), sizes.get(row.output, 0)
        yield {**cells, "number": work.number, "resumed": resumed, "file": file, "image_bytes": size}


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
