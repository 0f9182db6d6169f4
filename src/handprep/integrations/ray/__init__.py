"""A folder of photos on a Ray cluster: `handprep.folder.prepare`, on many machines, through Ray Data."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from handprep.folder import DETECTION_CSV, DETECTION_MARKDOWN
from handprep.folder.formats import ending_for
from handprep.folder.journal import Entry
from handprep.folder.outputs import folders_of, output_names, same_name
from handprep.folder.photos import no_photo
from handprep.manifest import STATUSES
from handprep.missing import missing_extra
from handprep.pipeline import Pipeline
from handprep.report import DetectionTable, table_of_counts

try:
    import pyarrow as pa
    import ray.data  # noqa: F401
    from pyarrow.fs import FileSystem

    from handprep.integrations.ray import record
    from handprep.integrations.ray.addresses import check_distinct, check_outputs, place_at
    from handprep.integrations.ray.attempts import ATTEMPTS
    from handprep.integrations.ray.cluster import Concurrency, carry_out, check_options
    from handprep.integrations.ray.manifest import Counts, to_parquet
    from handprep.integrations.ray.place import Place
    from handprep.integrations.ray.worker import Job, Work
except ImportError as error:
    raise missing_extra("ray", "ray", error) from error

__all__ = ["RayResult", "prepare"]

MANIFEST = "manifest.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class RayResult:
    """What became of the photos.

    Attributes
    ----------
    manifest
        Path or URI of the manifest, which has a row for each photo.
    counts
        How many photos have each status.
    resumed
        How many photos were finished by an earlier call and left as they are.
    detection
        Photos and hands found, by origin and class.
    vanished
        Outputs of earlier calls whose photos are no longer there. They are left where they are, and
        the manifest does not list them.
    ignored
        How many other files lie among the photos.
    unread
        A message for each folder of photos that could not be read.
    """

    manifest: str
    counts: Mapping[str, int]
    resumed: int
    detection: DetectionTable
    vanished: tuple[str, ...]
    ignored: int
    unread: tuple[str, ...]


def prepare(
    read_from: str | os.PathLike[str],
    write_to: str | os.PathLike[str],
    pipeline: Pipeline,
    *,
    format: str = "png",
    concurrency: Concurrency = None,
    batch_size: int | None = None,
    filesystem: FileSystem | None = None,
) -> RayResult:
    """Take every photo of a folder through a pipeline, on all nodes of a Ray cluster.

    Photos, names and bytes of the outputs, statuses and messages are those of `handprep.folder.prepare`.
    Beside the outputs, `write_to` gets ``manifest.parquet`` (the columns of ``manifest.csv``),
    ``detection.csv`` and ``detection.md``, and a hidden folder ``.handprep``.

    The same call again carries on where the last one ended, whether that was killed or failed. What is
    finished is left as it is, by the same rules. Nodes may be lost meanwhile: their photos are prepared
    by others.

    Parameters
    ----------
    read_from
        The folder of photos: a local path, which all nodes must see, or a URI such as
        ``s3://bucket/photos``.
    write_to
        The folder of outputs, likewise.
    pipeline
        What to do with each photo. It travels to the nodes by pickle, with the transforms of your own.
    format
        ``"png"``, ``"jpg"`` or ``"webp"``.
    concurrency
        How many actors, or the least and the most of them; None for one a core of the cluster. Each
        uses one core.
    batch_size
        Photos that an actor is given at a time, and at most loses when it is killed; None for 8 to 256,
        depending on how many there are.
    filesystem
        The file system that both paths are on, for settings that a URI has no room for.

    Returns
    -------
    RayResult
        Photos that fail do not stop the others: they have a row with the reason.

    Raises
    ------
    InputError
        If there is no photo, the outputs would lie among the photos, a parameter is out of its range,
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
    ending = ending_for(format, pipeline)
    check_options(concurrency, batch_size)
    photos, place = place_at(read_from, filesystem), place_at(write_to, filesystem)
    check_distinct(photos, place)
    listed = photos.photos(without=place)
    if not listed.sources:
        raise no_photo(photos.name, listed.ignored)
    outputs = output_names(listed.sources, ending)
    check_outputs(photos, place, outputs)
    run = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    job = Job(photos=photos, place=place, pipeline=pipeline, ending=ending, run=run)
    with place.sole_run():
        place.make_folders(["", record.STATE, record.PARTS, ATTEMPTS, *folders_of(outputs.values())])
        earlier = place.names_in(record.PARTS)
        known = record.load(place, earlier)
        held, done, others = record.finished(known, outputs, job.fingerprint(), photos=photos, place=place)
        left = [source for source in listed.sources if source not in done]
        works = [Work(source=source, output=outputs[source], stamp=photos.stamp(source)) for source in left]
        new = _carry_out(job, works, concurrency, batch_size)
        entries = record.in_order(pa.concat_tables([held, record.load(place, new)]), listed.sources)
        vanished = _settle(place, entries, others, set(listed.sources))
        if new or others or len(earlier) > 1:
            _compact(job, entries, vanished, [*earlier, *new])
        counts = _report(place, entries, listed.whole)
    return RayResult(
        manifest=f"{place.name}/{MANIFEST}",
        counts={status: sum(n for kind, n in counts.items() if kind[2] == status) for status in STATUSES},
        resumed=len(done),
        detection=table_of_counts(counts),
        vanished=tuple(sorted(entry.row.output for entry in vanished)),
        ignored=listed.ignored,
        unread=listed.unread,
    )


def _carry_out(job: Job, works: list[Work], concurrency: Concurrency, batch_size: int | None) -> list[str]:
    """Prepare what is left, if anything is, and return the names of the record's new files."""
    if not works:
        return []
    try:
        return carry_out(job, works, concurrency=concurrency, batch_size=batch_size)
    except BaseException as stopped:  # also Ctrl-C
        stopped.add_note("What is finished stays so. The same call carries on with the other photos.")
        raise


def _settle(place: Place, entries: pa.Table, others: list[Entry], sources: set[str]) -> list[Entry]:
    """Remove outputs of earlier runs that have become wrong; return the entries of those without photos."""
    written = {entry.row.output: entry for entry in others if entry.output is not None}
    if not written:
        return []
    keys = (key for batch in entries.to_batches() for key in batch["output"].to_pylist())
    names = {same_name(record.from_key(key)) for key in keys}
    vanished = []
    for name, entry in written.items():
        if same_name(name) in names or entry.output is None or not place.holds(name, entry.output):
            continue
        if entry.row.source in sources:
            place.remove(name)
        else:
            vanished.append(entry)
    return vanished


def _compact(job: Job, entries: pa.Table, vanished: list[Entry], files: list[str]) -> None:
    """Put the record into one file, and then remove the others."""
    name = f"{job.run}-all.parquet"
    table = pa.concat_tables([entries, record.table_of(vanished)])
    job.place.write(f"{record.PARTS}/{name}", record.to_bytes(table))
    for file in files:
        job.place.remove(f"{record.PARTS}/{file}")
    for file in job.place.names_in(ATTEMPTS):  # of photos that were given up, and of jobs that were killed
        job.place.remove(f"{ATTEMPTS}/{file}")


def _report(place: Place, entries: pa.Table, whole: str) -> Counts:
    """Write the manifest and the detection table, and return how many photos there are of each kind."""
    content, counts = to_parquet(entries, whole)
    table = table_of_counts(counts)
    place.write(DETECTION_CSV, table.csv())
    place.write(DETECTION_MARKDOWN, table.markdown().encode())
    place.write(MANIFEST, content)
    return counts
