"""The record of what is finished: Parquet files beside the outputs, one for each batch, one for them all."""

from __future__ import annotations

import io
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from handprep.errors import OutputError
from handprep.folder.journal import Entry, Stamp
from handprep.integrations.ray.place import Place
from handprep.manifest import Row
from handprep.threads import ordered_map

STATE = ".handprep"  # a folder within the folder of outputs
PARTS = f"{STATE}/parts"
BOX = ("x0", "y0", "x1", "y1")
STAMP = {"size": pa.int64(), "modified": pa.int64(), "inode": pa.uint64(), "digest": pa.string()}
SCHEMA = pa.schema(
    [
        # as bytes, since names on disk need not be UTF-8
        *((name, pa.large_binary()) for name in ("source", "output", "message")),
        *((name, pa.string()) for name in ("status", "view", "handedness", "fingerprint")),
        *((name, pa.float64()) for name in (*BOX, "score", "milliseconds")),
        *((f"{of}_{name}", kind) for of in ("photo", "output") for name, kind in STAMP.items()),
    ]
)
ROWS_AT_A_TIME = 1 << 14  # as Python objects, of which ten million would not fit into memory
THREADS = 32  # waiting for disks and networks


def part_name(run: str, batch: int) -> str:
    """Return the name of a batch's file: the same for the same batch, so that a second try replaces it."""
    return f"{run}-{batch:06}.parquet"


def table_of(entries: Iterable[Entry]) -> pa.Table:
    """Return entries as a table."""
    return pa.Table.from_pylist([_flat(entry) for entry in entries], schema=SCHEMA)


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def load(place: Place, names: Sequence[str]) -> pa.Table:
    """Return the entries of several files; a damaged file does not count, so its photos are done again."""
    tables = ordered_map(lambda name: _table(place, f"{PARTS}/{name}"), names, workers=THREADS)
    return pa.concat_tables([SCHEMA.empty_table(), *(table for table in tables if table is not None)])


def entries_of(table: pa.Table) -> Iterator[Entry]:
    """Yield the entries of a table."""
    for batch in table.to_batches(max_chunksize=ROWS_AT_A_TIME):
        yield from map(_entry, batch.to_pylist())


def finished(
    table: pa.Table, outputs: Mapping[str, str], fingerprint: str, *, photos: Place, place: Place
) -> tuple[pa.Table, set[str], list[Entry]]:
    """Sort out which entries still hold.

    Parameters
    ----------
    table
        The entries of earlier runs.
    outputs
        The name that each photo's output has now, by the photo's source.
    fingerprint
        Of the pipeline and format of now.
    photos, place
        Where the photos and the outputs lie.

    Returns
    -------
    held : pa.Table
        The entries that hold, one for each photo that need not be prepared again.
    done : set of str
        The sources of these photos.
    others : list of Entry
        The other entries. They tell which files earlier runs wrote.
    """

    def holds(entry: Entry) -> bool:
        source = entry.row.source
        return source in outputs and entry.holds(
            fingerprint,
            outputs[source],
            photo_is=lambda stamp: photos.holds(source, stamp),
            output_is=lambda stamp: place.holds(outputs[source], stamp),
        )

    mask, done, others = [], set(), []
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in table.to_batches(max_chunksize=ROWS_AT_A_TIME):
            entries = list(map(_entry, batch.to_pylist()))
            for entry, held in zip(entries, pool.map(holds, entries, chunksize=64), strict=True):
                mask.append(held and entry.row.source not in done)
                if held:
                    done.add(entry.row.source)
                else:
                    others.append(entry)
    return table.filter(pa.array(mask, pa.bool_())), done, others


def in_order(table: pa.Table, sources: Sequence[str]) -> pa.Table:
    """Return a table in the order of its photos, having made sure that it has each of them once.

    Raises
    ------
    OutputError
        If it has not: somebody removed files of the record meanwhile.
    """
    table = table.sort_by("source")
    keys = (key for batch in table.to_batches(ROWS_AT_A_TIME) for key in batch["source"].to_pylist())
    if table.num_rows != len(sources) or not all(map(operator.eq, keys, map(to_key, sources))):
        raise OutputError(
            f"the record in {STATE} has {table.num_rows} entries for {len(sources)} photos. Did another "
            "run write to the same folder? Call again: what is missing is then prepared"
        )
    return table


def to_key(name: str) -> bytes:
    """Return a name as bytes, which sort as the names do."""
    return name.encode("utf-8", "surrogatepass")


def from_key(key: bytes) -> str:
    """Return the name that `to_key` encoded."""
    return key.decode("utf-8", "surrogatepass")


def _table(place: Place, name: str) -> pa.Table | None:
    try:
        return pq.read_table(io.BytesIO(place.read(name))).cast(SCHEMA)
    except (pa.ArrowException, OSError, ValueError):
        return None


def _flat(entry: Entry) -> dict[str, Any]:
    row = asdict(entry.row)
    flat = {name: row[name] for name in ("status", "view", "handedness", "score", "milliseconds")}
    flat |= {name: to_key(row[name]) for name in ("source", "output", "message")}
    flat |= dict(zip(BOX, row["box"] or (), strict=False))
    for of, stamp in (("photo", entry.photo), ("output", entry.output)):
        flat |= {f"{of}_{name}": getattr(stamp, name) for name in STAMP if stamp is not None}
    return {**flat, "fingerprint": entry.fingerprint}


def _entry(flat: dict[str, Any]) -> Entry:
    told = {name: flat[name] for name in ("status", "view", "handedness", "score", "milliseconds")}
    told |= {name: from_key(flat[name]) for name in ("source", "output", "message")}
    box = tuple(flat[name] for name in BOX)
    stamps = {}
    for of in ("photo", "output"):
        known = {name: flat[f"{of}_{name}"] for name in STAMP}
        stamps[of] = None if known["size"] is None else Stamp(**known)
    row = Row(box=None if box[0] is None else box, **told)
    return Entry(row=row, fingerprint=flat["fingerprint"], **stamps)
