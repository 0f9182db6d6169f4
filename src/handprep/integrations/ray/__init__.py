"""A folder of photos on a Ray cluster: `handprep.prepare`, on many machines, through Ray Data."""

import io
import math
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeAlias

import handprep
from handprep.configurable import is_whole
from handprep.errors import InputError, OutputError
from handprep.optional import missing_extra
from handprep.pipeline import Pipeline
from handprep.prepared.clips import Choice
from handprep.prepared.ensure import Preparation
from handprep.prepared.listing import Listing
from handprep.prepared.manifest import COLUMNS, Row
from handprep.prepared.run import RunResult, finish, folder_of

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import ray
    import ray.data
    from pyarrow.fs import FileSystem
    from ray.data import ActorPoolStrategy

    from handprep.integrations.ray.remote import RemoteStorage, storage_at
    from handprep.integrations.ray.worker import SCHEMA, Attempts, Preparer, Work
except ImportError as error:
    raise missing_extra("ray", "ray", error) from error

__all__ = ["prepare"]

MANIFEST = "manifest.parquet"
Concurrency: TypeAlias = int | tuple[int, int] | None
SMALLEST, LARGEST = 8, 256  # photos in a batch: fewer cost too much around them, more are too much to lose
BATCHES_EACH = 8  # at least, for every actor, so that all of them end at about the same time
AT_A_TIME = 1 << 14  # rows as Python objects, of which ten million would not fit into memory


def prepare(
    read_from: str | os.PathLike[str],
    write_to: str | os.PathLike[str],
    pipeline: Pipeline,
    *,
    format: str = "png",
    concurrency: Concurrency = None,
    batch_size: int | None = None,
    filesystem: FileSystem | None = None,
    class_level: int = -1,
    each_hand: bool = False,
    every: int = 1,
    fps: float | None = None,
    different: float = 0.0,
    animations: bool = False,
) -> RunResult:
    """Take every photo of a folder through a pipeline, on all nodes of a Ray cluster.

    Photos, names and bytes of the images, with their records, statuses and messages are those of
    `handprep.prepare`. Beside the images, `write_to` gets ``manifest.parquet`` (the columns of
    ``manifest.csv``, and what tells that files are the same), ``detection.csv`` and ``detection.md``.

    Run it again to resume, or resume with `handprep.prepare`. Nodes may be lost meanwhile: their photos are
    prepared by others.

    Parameters
    ----------
    read_from
        The folder of photos: a local path, which all nodes must see, or a URI such as
        ``s3://bucket/photos``.
    write_to
        The folder of images, likewise.
    pipeline
        What to do with each photo. It travels to the nodes by pickle, with the transforms of your own.
    format, class_level, each_hand, every, fps, different, animations
        As for `handprep.prepare`. Clips are prepared if both folders are local, each on one worker.
    concurrency
        How many actors, or the least and the most of them; None for one a core of the cluster. Each
        uses one core.
    batch_size
        Photos that an actor is given at a time; None for 8 to 256, depending on how many there are.
    filesystem
        The file system that both paths are on, for settings that a URI has no room for.

    Returns
    -------
    RunResult
        Photos that fail do not stop the others: they have a row with the reason. Rows are made when they are
        asked for. In them, bytes of file names that are not UTF-8 are escapes, as in the manifest.

    Raises
    ------
    InputError, OutputError, ModelError, MissingExtraError
        As `handprep.prepare`; also if a node does not see the folders or has another version of handprep.

    Examples
    --------
    >>> from handprep.pipeline import study_pipeline
    >>> result = prepare("s3://bucket/photos", "s3://bucket/64", study_pipeline(64))  # doctest: +SKIP
    >>> print(result.detection.text())  # doctest: +SKIP
    """
    _check_options(concurrency, batch_size)
    work = Preparation(
        photos=storage_at(read_from, filesystem),
        outputs=storage_at(write_to, filesystem),
        pipeline=pipeline,
        format=format,
        class_level=class_level,
        each_hand=each_hand,
        choice=Choice(every, fps, different),
    )
    with folder_of(work, animations=animations) as (work, listed, names):
        held, works = _sorted_out(work, names)
        try:
            table = pa.concat_tables([held, _on_cluster(work, works, concurrency, batch_size)])
        except BaseException as stopped:  # also Ctrl-C
            stopped.add_note("What is finished stays so. Run it again to resume.")
            raise
        table = table.sort_by([(name, "ascending") for name in ("number", "frame", "hand")])
        if len(table["number"].unique()) != len(names):
            raise OutputError(f"rows of {len(table['number'].unique())} photos came back, not {len(names)}")
        files = {os.fsdecode(file) for file in table["file"].to_pylist() if file}
        resumed = len(table.filter(table["resumed"])["number"].unique())
        manifest = (MANIFEST, _to_parquet(table, work, listed))
        return finish(work, listed, _Rows(table), files, resumed=resumed, manifest=manifest)


def _check_options(concurrency: Concurrency, batch_size: int | None) -> None:
    bounds = concurrency if isinstance(concurrency, tuple) else (concurrency or 1, concurrency or 1)
    counts = all(is_whole(bound) and bound >= 1 for bound in bounds) and len(bounds) == 2
    if concurrency == 0 or not counts or bounds[0] > bounds[1]:
        raise InputError(
            f"concurrency must be a number of actors, 1 or more, or the least and the most of them, not "
            f"{concurrency!r}"
        )
    if batch_size is not None and not (is_whole(batch_size) and batch_size >= 1):
        raise InputError(f"batch_size must be a number of photos, 1 or more, not {batch_size!r}")


def _sorted_out(work: Preparation, names: Mapping[str, str]) -> tuple[pa.Table, list[Work]]:
    """Return the rows of photos that the last manifest and a listing show to be finished, and the others."""
    numbers, outputs = {source: number for number, source in enumerate(names)}, work.outputs
    held = _held(work, names, numbers)
    done = set(held["number"].to_pylist())
    # to ask a store for each image takes a round trip of the net
    there = set(outputs.names()) if isinstance(outputs, RemoteStorage) and not work.each_hand else None
    return held, [
        (number, source, names[source], there is None or names[source] in there)
        for source, number in numbers.items()
        if number not in done
    ]


def _held(work: Preparation, names: Mapping[str, str], numbers: Mapping[str, int]) -> pa.Table:
    """Return the rows of the last manifest of photos that, like their images, have not changed since."""
    if not (isinstance(work.photos, RemoteStorage) and isinstance(work.outputs, RemoteStorage)):
        return SCHEMA.empty_table()  # the index tells
    photos, images = work.photos.files(), work.outputs.files()
    _, written = images.get(MANIFEST, (0, 0))

    def is_same(row: Mapping[str, Any]) -> bool:
        source = row["source"]
        if source not in names or photos[source] != (row["photo_bytes"], row["photo_modified"]):
            return False
        name = work.output_of(names[source], row["hand"] or 0)
        _, modified = images.get(name, (0, math.inf))
        is_there = row["output"] == name and modified <= written
        return is_there or row["status"] == "skipped"

    try:
        last = pq.read_table(io.BytesIO(work.outputs.read(MANIFEST) or b""))
        key = (last.schema.metadata or {}).get(b"fingerprint", b"").decode()
        rows = last.to_pylist() if key == work.fingerprint else []
        changed = {row["source"] for row in rows if not is_same(row)}
        held = [
            {**row, "number": numbers[row["source"]], "resumed": True, "file": row["output"].encode()}
            for row in rows
            if row["source"] not in changed
        ]
        return pa.Table.from_pylist(held, schema=SCHEMA)
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError):  # none, or damaged
        return SCHEMA.empty_table()


def _on_cluster(
    work: Preparation, works: Sequence[Work], concurrency: Concurrency, batch_size: int | None
) -> pa.Table:
    """Prepare photos on the cluster, and return their rows, with the columns of `SCHEMA`.

    Where an actor or its node is lost, Ray starts the actor again, on another node if need be, and gives
    it its batch again: these are Ray Data's defaults.
    """
    if not works:
        return SCHEMA.empty_table()
    if not ray.is_initialized():
        ray.init()  # or the cluster that RAY_ADDRESS names; Ray Data would do the same
    each_core = concurrency or max(1, int(ray.cluster_resources().get("CPU", 1)))
    least, most = each_core if isinstance(each_core, tuple) else (each_core, each_core)
    size = batch_size or min(LARGEST, max(SMALLEST, math.ceil(len(works) / (BATCHES_EACH * most))))
    items = [
        {"batch": number, "works": pickle.dumps(works[start : start + size])}
        for number, start in enumerate(range(0, len(works), size))
    ]
    attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Attempts).remote()
    dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        Preparer,
        fn_constructor_args=(work, attempts, handprep.__version__),
        batch_size=None,  # a block, which is one of the items
        batch_format="pyarrow",
        num_cpus=1,
        compute=ActorPoolStrategy(min_size=min(least, len(items)), max_size=min(most, len(items))),
    )
    tables: list[pa.Table] = []
    with closing(iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow"))) as arriving:
        for table in arriving:  # closing it ends the actors, also after an error
            for error in table["error"].drop_null().to_pylist():
                raise ray.cloudpickle.loads(error)
            tables.append(table.cast(SCHEMA))
    return pa.concat_tables(tables)


def _to_parquet(table: pa.Table, work: Preparation, listed: Listing) -> bytes:
    """Return the manifest, with what the next call needs to know that files are the same."""
    files = work.photos.files() if isinstance(work.photos, RemoteStorage) else {}
    stamps = [files.get(listed.sources[number], (None, None)) for number in table["number"].to_pylist()]
    table = table.select(list(COLUMNS))
    for at, name in enumerate(("photo_bytes", "photo_modified")):
        table = table.append_column(name, pa.array([stamp[at] for stamp in stamps], pa.int64()))
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata({"fingerprint": work.fingerprint})
    pq.write_table(table, sink, compression="zstd", row_group_size=AT_A_TIME)
    content: bytes = sink.getvalue().to_pybytes()
    return content


class _Rows(Sequence[Row]):
    """The rows of a table, made as they are asked for: ten million of them would not fit into memory."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.select(list(COLUMNS))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return _Rows(self._table.take(range(len(self))[at]))
        return Row.from_cells(self._table.slice(range(len(self))[at], 1).to_pylist()[0])

    def __iter__(self) -> Iterator[Row]:
        for batch in self._table.to_batches(max_chunksize=AT_A_TIME):
            yield from map(Row.from_cells, batch.to_pylist())
