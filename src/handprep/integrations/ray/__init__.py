"""A folder of photos on a Ray cluster: `handprep.prepare`, on many machines, through Ray Data."""

from __future__ import annotations

import io
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from handprep.errors import InputError, OutputError
from handprep.missing import missing_extra
from handprep.pipeline import Pipeline
from handprep.prepared.ensure import Preparation
from handprep.prepared.listing import Listing, check_class_level, no_photo
from handprep.prepared.manifest import COLUMNS, Row
from handprep.prepared.naming import check_apart, folders_of, output_names
from handprep.prepared.run import RunResult, result_of, settle, write_tables
from handprep.prepared.storage import Storage

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import ray.data  # noqa: F401
    from pyarrow.fs import FileSystem

    from handprep.integrations.ray.cluster import Concurrency, carry_out, check_options
    from handprep.integrations.ray.remote import RemoteStorage, storage_at
    from handprep.integrations.ray.worker import SCHEMA, Job, Work
except ImportError as error:
    raise missing_extra("ray", "ray", error) from error

__all__ = ["prepare"]

MANIFEST = "manifest.parquet"
Files: TypeAlias = Mapping[str, tuple[int, int]]  # size and time of files, by their names
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
) -> RunResult:
    """Take every photo of a folder through a pipeline, on all nodes of a Ray cluster.

    Photos, names and bytes of the images, with their records, statuses and messages are those of
    `handprep.prepare`. Beside the images, `write_to` gets ``manifest.parquet`` (the columns of
    ``manifest.csv``, and what tells that files are the same), ``detection.csv`` and ``detection.md``.

    The same call again carries on where the last one ended, whether that was killed or failed, and so does
    `handprep.prepare`. What is finished is left as it is, by the same rules. Nodes may be lost meanwhile:
    their photos are prepared by others.

    Parameters
    ----------
    read_from
        The folder of photos: a local path, which all nodes must see, or a URI such as
        ``s3://bucket/photos``.
    write_to
        The folder of images, likewise.
    pipeline
        What to do with each photo. It travels to the nodes by pickle, with the transforms of your own.
    format, class_level
        As for `handprep.prepare`.
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
    InputError
        If there is no photo, the images would lie among the photos, a parameter is out of its range,
        or a node does not see the folders or has another version of handprep.
    OutputError
        If `write_to` cannot be written, or another run is writing there.
    ModelError, MissingExtraError
        If a node cannot have a model file or a package that the pipeline needs.

    Examples
    --------
    >>> from handprep.pipeline import study_pipeline
    >>> result = prepare("s3://bucket/photos", "s3://bucket/64", study_pipeline(64))  # doctest: +SKIP
    >>> print(result.detection.text())  # doctest: +SKIP
    """
    check_options(concurrency, batch_size)
    check_class_level(class_level)
    photos, outputs = storage_at(read_from, filesystem), storage_at(write_to, filesystem)
    work = Preparation(
        photos=photos, outputs=outputs, pipeline=pipeline, format=format, class_level=class_level
    )
    _check_distinct(photos, outputs)
    listed = photos.photos(without=outputs)
    if not listed.sources:
        raise no_photo(photos.name, listed.ignored)
    names = list(output_names(listed.sources, work.ending).values())
    if photos.is_local and outputs.is_local:
        check_apart(Path(photos.folder), Path(outputs.folder), names)
    work = work.with_index(None, whole=listed.whole)
    with outputs.locked():
        outputs.make_folders(["", *folders_of(names)])
        held, works = _sorted_out(work, listed, names)
        job = Job(preparation=work, run=f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}")
        try:
            made = carry_out(job, works, concurrency, batch_size)
        except BaseException as stopped:  # also Ctrl-C
            stopped.add_note("What is finished stays so. The same call carries on with the other photos.")
            raise
        table = pa.concat_tables([held, made]).sort_by("number")
        if table["number"].to_pylist() != list(range(len(names))):
            raise OutputError(f"{table.num_rows} rows came back for {len(names)} photos. Call again")
        there = zip(names, table["output"].to_pylist(), strict=True)
        vanished = settle(outputs, {name for name, output in there if output}, listed.sources)
        resumed = sum(table["resumed"].to_pylist())
        result = result_of(outputs.name, _Rows(table), resumed, vanished, listed)
        write_tables(outputs, result, MANIFEST, _to_parquet(table, work, listed))
    return result


def _check_distinct(photos: Storage, outputs: Storage) -> None:
    """Raise InputError if the images are to go to the folder of photos."""
    if photos.is_local and outputs.is_local:
        if os.path.realpath(photos.folder) == os.path.realpath(outputs.folder):
            raise InputError(f"{outputs.name} is the folder of photos: give another for the outputs")
    elif isinstance(photos, RemoteStorage) and photos.is_within(outputs):
        raise InputError(
            f"{outputs.name} is, or holds, the folder of photos {photos.name}: give another for the outputs"
        )


def _sorted_out(work: Preparation, listed: Listing, names: Sequence[str]) -> tuple[pa.Table, list[Work]]:
    """Return the rows of photos that the last manifest and a listing show to be finished, and the others."""
    photos, outputs, held = work.photos, work.outputs, SCHEMA.empty_table()
    index = outputs.index(photos) if photos.is_local else None
    if isinstance(photos, RemoteStorage) and isinstance(outputs, RemoteStorage):
        held = _held(work, photos.files(), outputs.files(), dict(zip(listed.sources, names, strict=True)))
    there = set(outputs.names()) if isinstance(outputs, RemoteStorage) else set(names)
    done = set(held["number"].to_pylist())
    return held, [
        Work(
            number=number,
            source=source,
            output=names[number],
            is_there=names[number] in there,
            known=index.last(photos.path(source)) if index else None,
        )
        for number, source in enumerate(listed.sources)
        if number not in done
    ]


def _held(work: Preparation, photos: Files, images: Files, names: Mapping[str, str]) -> pa.Table:
    """Return those rows of the last manifest whose photo and image have the size and time that it says."""
    held, numbers = [], {source: number for number, source in enumerate(names)}
    try:
        last = pq.read_table(io.BytesIO(work.outputs.read(MANIFEST) or b""))
        rows = last.to_pylist() if (last.schema.metadata or {}).get(b"fingerprint") == _key(work) else []
        for row in rows:
            source, output = row["source"], row["output"]
            right = output == names.get(source) if output else row["status"] == "skipped"
            right = right and photos.get(source) == (row["photo_bytes"], row["photo_modified"])
            if right and (not output or images.get(output, (-1, 0))[0] == row["image_bytes"]):
                held.append({**row, "number": numbers.pop(source), "resumed": True})
        return pa.Table.from_pylist(held, schema=SCHEMA)
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError):  # none, or damaged
        return SCHEMA.empty_table()


def _key(work: Preparation) -> bytes:
    return work.fingerprint.encode()


def _to_parquet(table: pa.Table, work: Preparation, listed: Listing) -> bytes:
    """Return the manifest, with what the next call needs to know that files are the same."""
    files = work.photos.files() if isinstance(work.photos, RemoteStorage) else {}
    stamps = [files.get(source, (None, None)) for source in listed.sources]
    table = table.select([*COLUMNS, "image_bytes"])
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
