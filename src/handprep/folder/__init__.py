"""A folder at a time: photos in, prepared pictures out, with a manifest, a detection table and resume."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from handprep import html_report, manifest
from handprep.errors import InputError, OutputError
from handprep.folder.batch import Batch, Progress
from handprep.folder.formats import ending_for
from handprep.folder.journal import Journal
from handprep.folder.outputs import check_apart, folders_of, output_names
from handprep.folder.photos import no_photo, walk
from handprep.folder.sole import sole_run
from handprep.manifest import STATUSES, Row
from handprep.names import printable
from handprep.pipeline import Pipeline
from handprep.report import DetectionTable, detection_table
from handprep.writing import make_folders, write_whole

JOURNAL = ".handprep.jsonl"  # a file and no folder, which torchvision's ImageFolder would take for a class
MANIFEST, DETECTION_CSV, DETECTION_MARKDOWN = "manifest.csv", "detection.csv", "detection.md"
REPORT = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderResult:
    """What became of a folder of photos.

    Attributes
    ----------
    folder
        The folder of outputs. It holds ``manifest.csv``, ``detection.csv``, ``detection.md`` and, if it
        was asked for, ``report.html``.
    rows
        One for each photo, in the order of their paths.
    resumed
        How many photos were finished by an earlier run and left as they are.
    vanished
        Outputs of earlier runs whose photos are no longer there. They are left where they are, and
        the manifest does not list them.
    ignored
        How many other files lie among the photos.
    unread
        A message for each folder of photos that could not be read.
    """

    folder: Path
    rows: tuple[Row, ...]
    resumed: int
    vanished: tuple[str, ...]
    ignored: int
    unread: tuple[str, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many photos have each status."""
        counted = Counter(row.status for row in self.rows)
        return {status: counted[status] for status in STATUSES}

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows of the photos that failed."""
        return tuple(row for row in self.rows if row.status == "failed")

    @property
    def detection(self) -> DetectionTable:
        """Photos and hands found, by origin and class."""
        return detection_table(self.rows)


def prepare(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    pipeline: Pipeline,
    *,
    format: str = "png",
    workers: int | None = None,
    progress: bool | Progress = False,
    report: bool = False,
) -> FolderResult:
    """Take every photo of a folder through a pipeline, and write the results to another folder.

    Sub-folders are mirrored. The folder that a photo lies in is its class, the folders above are its
    origin. Beside the outputs, `dst` gets ``manifest.csv`` (a row for each photo), ``detection.csv`` and
    ``detection.md`` (hands found, by origin and class), and two hidden files for the next run.

    The same call again carries on where the last one ended, even if that was killed. Photos are
    prepared again if they changed, if the pipeline, the format, handprep or a model file changed, if
    their output is missing or changed, and if they failed. What is finished is left as it is. Outputs
    of earlier runs that have become wrong, as their photo now fails or theirs is another name now, are
    removed at the end; those of photos that are no longer there are left alone.

    Parameters
    ----------
    src
        The folder of photos (`handprep.folder.photos.walk` says which files these are).
    dst
        The folder of outputs. It may lie inside of `src`, and then is not read. A file in it that has
        an output's name is replaced.
    pipeline
        What to do with each photo.
    format
        ``"png"``, ``"jpg"`` or ``"webp"``.
    workers
        Threads; None for one a core.
    progress
        Whether to draw a progress bar on standard error; or a function that is called with the number of
        photos done and the number of all, from the calling thread, after each photo.
    report
        Whether to write ``report.html``, too: a page with the detection table, contact sheets, every photo
        in which nothing was found or that failed, and scores. It needs no other file and no network, and
        is at most 30 MB with 10,000 photos. Without this, a page of an earlier call stays as it is.

    Returns
    -------
    FolderResult
        Photos that fail do not stop the others: they have a row with the reason.

    Raises
    ------
    InputError
        If `src` is no folder or holds no photo, `dst` is a file, the same folder or would overwrite
        photos, or a parameter is out of its range.
    OutputError
        If `dst` cannot be written, the disk is full, or another run is writing there.
    ModelError, MissingExtraError
        If a model file or a package that the pipeline needs cannot be had.

    Examples
    --------
    >>> from handprep.pipeline import study_pipeline
    >>> result = prepare("photos", "prepared", study_pipeline())  # doctest: +SKIP
    >>> print(result.detection.text())  # doctest: +SKIP
    """
    src, dst = Path(src), Path(dst)
    ending = ending_for(format, pipeline)
    _check(src, dst, workers)
    found = walk(src, without=dst)
    if not found.photos:
        raise no_photo(printable(str(src)), found.ignored)
    outputs = output_names((photo.source for photo in found.photos), ending)
    check_apart(src, dst, outputs)
    fingerprint = f"{pipeline.fingerprint()} {ending}"
    with sole_run(dst), closing(Journal(dst / JOURNAL)) as journal:
        make_folders(dst, ["", *folders_of(outputs.values())])
        batch = Batch(
            found.photos,
            outputs,
            dst,
            pipeline=pipeline,
            format=ending[1:],
            fingerprint=fingerprint,
            journal=journal,
        )
        vanished = _carry_out(batch, dst, workers, progress)
        result = FolderResult(
            folder=dst,
            rows=batch.rows(),
            resumed=batch.total - len(batch.left),
            vanished=vanished,
            ignored=found.ignored,
            unread=found.unread,
        )
        _write_reports(result)
        if report:
            drawn = progress is True
            page = html_report.render(
                result.rows, src, dst, pipeline, fingerprint, workers=workers, progress=drawn
            )
            write_whole(dst / REPORT, page)
    return result


def _check(src: Path, dst: Path, workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    if dst.exists() and not dst.is_dir():
        raise InputError(f"{printable(str(dst))} is a file: give a folder for the outputs")
    if os.path.realpath(src) == os.path.realpath(dst):
        raise InputError(f"{printable(str(dst))} is the folder of photos: give another for the outputs")


def _carry_out(batch: Batch, folder: Path, workers: int | None, progress: bool | Progress) -> tuple[str, ...]:
    """Prepare what is left and tidy up; if that is cut short, leave a manifest of what is done."""
    try:
        batch.prepare(workers=workers, progress=progress)
        return batch.settle()
    except BaseException as stopped:  # also Ctrl-C
        rows = batch.rows()
        stopped.add_note(
            f"{len(rows)} of {batch.total} photos are done. The same call carries on with the others."
        )
        try:
            write_whole(folder / MANIFEST, manifest.to_csv(rows))
        except OutputError as error:  # the disk may be full: that must not hide why it was cut short
            stopped.add_note(str(error))
        raise


def _write_reports(result: FolderResult) -> None:
    table = result.detection
    write_whole(result.folder / DETECTION_CSV, table.csv())
    write_whole(result.folder / DETECTION_MARKDOWN, table.markdown().encode())
    write_whole(result.folder / MANIFEST, manifest.to_csv(result.rows))
