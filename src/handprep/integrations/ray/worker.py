"""What happens on the nodes: an actor that opens its models once and prepares photos batch by batch."""

import os
import pickle
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import pyarrow as pa
import ray

import handprep
from handprep.errors import HandprepError, InputError
from handprep.prepared.ensure import READING, Preparation, Task
from handprep.prepared.manifest import COLUMNS, Row
from handprep.text import as_utf8

TOGETHER, ALONE = 2, 2  # how often a batch, and then each photo of it, may end with its process
DEADLY = HandprepError(
    "each process that prepared it died: out of memory, or a crash. Make it smaller or leave it out; Ray's "
    "logs may say more"
)
KINDS: dict[type | int, pa.DataType] = {str: pa.string(), int: pa.int64()}
CELLS = {name: KINDS.get(kind, pa.float64()) for name, kind in COLUMNS.items()}
EXTRAS = {"number": pa.int64(), "resumed": pa.bool_(), "file": pa.binary(), "error": pa.binary()}
SCHEMA = pa.schema({**CELLS, **EXTRAS})
Work: TypeAlias = tuple[int, str, str, bool]  # number, photo and image, and whether this may be there


class Attempts:
    """Counts, in an actor of its own, what was begun.

    Ray gives a batch to another actor as often as actors die of it. So a photo that crashes its process would
    keep the job from ever ending, if nobody counted.
    """

    def __init__(self) -> None:
        self._begun = Counter[int | str]()

    def begin(self, what: int | str) -> int:
        """Return how often this was begun, this time included."""
        self._begun[what] += 1
        return self._begun[what]


class Preparer:
    """The actor, which is told what to do, the actor of `Attempts`, and the driver's version.

    Photos that fail become rows; what would fail for all of them stops the job.

    It raises nothing itself, as Ray would show the user its own stack instead of the error: the error
    goes back as a row, pickled.
    """

    def __init__(self, preparation: Preparation, attempts: Any, version: str) -> None:
        self._work, self._attempts, self._version = preparation, attempts, version
        self._problem: Exception | None = None
        cv2.setNumThreads(1)
        try:
            self._check_node()
            self._work = replace(self._work, index=self._work.outputs.index(self._work.photos))
            self._work.fetch_models()
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver raises it
            self._problem = error

    def _check_node(self) -> None:
        """Make sure that this node sees the folders, and that it would do the same as any other."""
        for storage in (self._work.photos, self._work.outputs):
            if storage.is_local and not Path(storage.folder).is_dir():
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
        """Prepare a batch; return the rows of its photos, or one with the error."""
        (batch,) = batches.to_pylist()
        try:
            if self._problem is not None:
                raise self._problem
            rows = list(self._rows(batch["batch"], pickle.loads(batch["works"])))  # noqa: S301 - the driver's
            self._work.outputs.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver raises it
            rows = [{"error": _pickled(error)}]
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def _rows(self, batch: int, works: list[Work]) -> Iterator[dict[str, Any]]:
        """Prepare photos, and yield their rows as plain values."""
        numbers = {source: number for number, source, _, _ in works}
        new, old = (
            [Task(source=source, output=output) for _, source, output, is_there in works if is_there == which]
            for which in (False, True)
        )

        def plain(tasks: Iterable[Task], *, resumed: bool) -> Iterator[dict[str, Any]]:
            for task in tasks:
                for row in task.rows:
                    told = {"number": numbers[task.source], "resumed": resumed}
                    cells = {k: as_utf8(v) if isinstance(v, str) else v for k, v in row.cells().items()}
                    yield {**cells, **told, "file": os.fsencode(row.output)}

        finished, left = self._work.sorted_out(old, READING)
        yield from plain(finished, resumed=True)
        new += left
        if new and self._begun(batch) <= TOGETHER:
            yield from plain(self._work.carried_out(new, workers=0, done=bool), resumed=False)
            return
        finished, new = self._work.sorted_out(new, READING)  # also on a store: by the attempts that died
        yield from plain(finished, resumed=False)
        for task in new:
            if self._begun(task.source) <= ALONE:
                yield from plain(self._work.carried_out([task], workers=0, done=bool), resumed=False)
            else:
                described = self._work.described(task.source)
                task.rows = [Row.of_fault(DEADLY, source=task.source, **described)]
                yield from plain([task], resumed=False)

    def _begun(self, what: int | str) -> int:
        return int(ray.get(self._attempts.begin.remote(what)))


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
