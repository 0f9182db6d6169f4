"""A folder at a time: photos in, prepared pictures out, with a manifest, a detection table and resume."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from handprep.errors import InputError, OutputError
from handprep.folder import manifest
from handprep.folder.batch import Batch, Progress
from handprep.folder.journal import Journal
from handprep.folder.manifest import STATUSES, Row
from handprep.folder.outputs import output_names, same_name
from handprep.folder.photos import ENDINGS, Found, walk
from handprep.folder.writing import TEMPORARY, make_folder, output_error, remove, write_whole
from handprep.names import printable
from handprep.pipeline import Pipeline
from handprep.report import DetectionTable, detection_table
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.base import Transform

FORMATS = {"png": ".png", "jpg": ".jpg", "jpeg": ".jpg", "webp": ".webp"}
STATE = ".handprep"  # the folder of the journal and the lock, within the folder of outputs
MANIFEST, DETECTION_CSV, DETECTION_MARKDOWN = "manifest.csv", "detection.csv", "detection.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderResult:
    """What became of a folder of photos.

    Attributes
    ----------
    folder
        The folder of outputs. It holds ``manifest.csv``, ``detection.csv`` and ``detection.md``.
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
) -> FolderResult:
    """Take every photo of a folder through a pipeline, and write the results to another folder.

    Sub-folders are mirrored. The folder that a photo lies in is its class, the folders above are its
    origin. Beside the outputs, `dst` gets ``manifest.csv`` (a row for each photo), ``detection.csv`` and
    ``detection.md`` (hands found, by origin and class), and a hidden folder ``.handprep``.

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
    _check(src, dst, pipeline, format, workers)
    found = _photos_in(src, dst)
    ending = FORMATS[format.lower()]
    outputs = output_names((photo.source for photo in found.photos), ending)
    _check_apart(src, dst, outputs)
    fingerprint = f"{pipeline.fingerprint()} {ending}"
    with _sole_run(dst) as journal:
        _make_folders(dst, outputs)
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
    return result


def _check(src: Path, dst: Path, pipeline: Pipeline, format: str, workers: int | None) -> None:
    if not isinstance(pipeline, Pipeline):
        raise InputError(f"pipeline must be a Pipeline, not {pipeline!r:.200}")
    if format.lower() not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, not {format!r:.100}")
    if FORMATS[format.lower()] == ".jpg" and any(map(_is_transparent, pipeline.transforms)):
        raise InputError("JPEG cannot be transparent: use PNG or WebP, or another background")
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    if dst.exists() and not dst.is_dir():
        raise InputError(f"{printable(str(dst))} is a file: give a folder for the outputs")
    if os.path.realpath(src) == os.path.realpath(dst):
        raise InputError(f"{printable(str(dst))} is the folder of photos: give another for the outputs")


def _is_transparent(transform: Transform) -> bool:
    return isinstance(transform, BackgroundRemover) and transform.background == "transparent"


def _photos_in(src: Path, dst: Path) -> Found:
    found = walk(src, without=dst)
    if not found.photos:
        raise InputError(
            f"no photo in {printable(str(src))}: looked there and in its sub-folders for files that end in "
            f"{', '.join(ENDINGS)}, and saw {found.ignored} others"
        )
    return found


def _check_apart(src: Path, dst: Path, outputs: Mapping[str, str]) -> None:
    """Refuse to write into the folder of photos where that lies inside of the folder of outputs."""
    photos, whole = (Path(same_name(os.path.realpath(folder))) for folder in (src, dst))
    if not photos.is_relative_to(whole):
        return
    for name in outputs.values():
        if (whole / same_name(name)).is_relative_to(photos):
            raise InputError(
                f"the output {printable(name)} would lie among the photos, as {printable(str(dst))} holds "
                f"{printable(str(src))}: give another folder for the outputs"
            )


@contextmanager
def _sole_run(folder: Path) -> Iterator[Journal]:
    """Make the folder of outputs, keep other runs out of it, and open its journal."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - not needed to import handprep

    state = make_folder(folder, STATE)
    lock = FileLock(state / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"another run is writing to {printable(str(folder))}: wait for its end, or give another folder"
        ) from error
    except OSError as error:
        raise output_error(state / "lock", error) from error
    try:
        with closing(Journal(state / "journal.jsonl")) as journal:
            yield journal
    finally:
        lock.release()


def _make_folders(folder: Path, outputs: Mapping[str, str]) -> None:
    """Make the folders of all outputs, and remove what interrupted writes left in them."""
    relatives = {"", STATE, *(name.rpartition("/")[0] for name in outputs.values())}
    for made in [make_folder(folder, relative) for relative in sorted(relatives)]:
        for left_behind in made.glob(TEMPORARY):
            remove(left_behind)


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
