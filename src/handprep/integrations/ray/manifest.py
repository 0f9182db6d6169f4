"""The manifest as Parquet, with the columns of ``manifest.csv``, and what the detection table counts."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from handprep.folder.photos import origin_and_label
from handprep.integrations.ray.record import ROWS_AT_A_TIME, from_key
from handprep.manifest import COLUMNS

Counts: TypeAlias = Counter[tuple[str, str, str, bool]]  # by origin, class, status, and if a hand was found

NUMBERS = {"x0", "y0", "x1", "y1", "score", "milliseconds"}
SCHEMA = pa.schema([(name, pa.float64() if name in NUMBERS else pa.string()) for name in COLUMNS])
NAMES = ("source", "output", "message")  # bytes in the record


def to_parquet(table: pa.Table, whole: str) -> tuple[bytes, Counts]:
    """Return the manifest as a Parquet file, and how many photos there are of each kind.

    Parameters
    ----------
    table
        The record's entries, in the order of their sources.
    whole
        The name of the folder of photos.
    """
    counts: Counts = Counter()
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        for batch in table.to_batches(max_chunksize=ROWS_AT_A_TIME):
            rows = _rows(batch, whole)
            found = rows["x0"].is_valid().to_pylist()
            kinds = (rows[name].to_pylist() for name in ("origin", "class", "status"))
            counts.update(zip(*kinds, found, strict=True))
            writer.write_batch(rows)
    return sink.getvalue().to_pybytes(), counts


def _rows(batch: pa.RecordBatch, whole: str) -> pa.RecordBatch:
    texts = {name: list(map(from_key, batch[name].to_pylist())) for name in NAMES}
    texts["origin"], texts["class"] = map(
        list, zip(*(origin_and_label(source, whole) for source in texts["source"]), strict=True)
    )
    texts = {name: pa.array(map(_as_utf8, values), pa.string()) for name, values in texts.items()}
    columns = [texts[name] if name in texts else batch[name] for name in COLUMNS]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _as_utf8(name: str) -> str:
    r"""Return a name with escapes such as ``\udcff`` for bytes that are no UTF-8, as in the CSV."""
    return name.encode("utf-8", "backslashreplace").decode()
