"""A folder at a time: photos in, prepared images out, with a manifest, a detection table and resume."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from handprep.errors import InputError, OutputError
from handprep.files import atomic_write, is_temporary
from handprep.pipeline import Pipeline
from handprep.prepared.clips import Choice
from handprep.prepared.ensure import Preparation, Task
from handprep.prepared.listing import ENDINGS, Listing, names_of_outputs, same_name
from handprep.prepared.manifest import STATUSES, Row, to_csv
from handprep.prepared.storage import Storage
from handprep.prepared.table import DetectionTable, detection_table
from handprep.progress import Progress, reporting

MANIFEST, DETECTION_CSV, DETECTION_MARKDOWN = "manifest.csv", "detection.csv", "detection.md"
REPORT = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunResult:
    """What became of many photos.

    Attributes
    ----------
    folder
        The folder of prepared images; text if it is the URI of a store.
    rows
        One for each photo, or each hand if these have images of their own, in the order of their paths.
    resumed
        How many photos were finished by an earlier run and left as they are.
    vanished
        Images of earlier runs whose photos are no longer there. They are left where they are, and the
        manifest does not list them.
    ignored
        How many other files lie among the photos.
    unread
        A message for each folder of photos that could not be read.
    nested
        Folders among the photos that an earlier run wrote prepared images to. They were left out.
    """

    folder: Path | str
    rows: Sequence[Row]
    resumed: int = 0
    vanished: tuple[str, ...] = ()
    ignored: int = 0
    unread: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many photos have each status."""
        counted = Counter(row.status for row in self.rows if row.hand <= 1)  # other hands' photos are counted
        return {status: counted[status] for status in STATUSES}

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows of the photos that failed."""
        return tuple(row for row in self.rows if row.status == "failed")

    @property
    def detection(self) -> DetectionTable:
        """Photos and hands found, by origin and class."""
        return detection_table(self.rows)

    def __repr__(self) -> str:
        return f"RunResult(folder={str(self.folder)!r}, resumed={self.resumed}, counts={self.counts})"


def prepare(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    pipeline: Pipeline,
    *,
    format: str = "png",
    workers: int | None = None,
    progress: bool | Progress = False,
    report: bool = False,
    record: bool = True,
    class_level: int = -1,
    each_hand: bool = False,
    every: int = 1,
    fps: float | None = None,
    different: float = 0.0,
    animations: bool = False,
) -> RunResult:
    """Take every photo of a folder through a pipeline, and write the images to another folder.

    Sub-folders are mirrored. Each image carries a record of its hands, of the way back to its photo, and of
    what it was made of: `handprep.read` gives all of it back. Beside the images, `dst` gets
    ``manifest.csv`` (a row for each photo), ``detection.csv`` and ``detection.md`` (hands found, by origin
    and class), and two hidden files for the next run.

    Run it again to resume, even after it was killed. Photos are prepared again if they, the pipeline, the
    format or a model file changed, if their image is missing or changed, and if they failed. Images that have
    become wrong, as their photo now fails or theirs is another name now, are removed at the end; those of
    photos that are no longer there are left alone.

    Parameters
    ----------
    src
        The folder of photos (`handprep.prepared.listing.listing` says which files these are). Folders in it
        that hold prepared images of an earlier run are left out.
    dst
        The folder of images. It may lie inside of `src`, and then is not read. A file in it that has
        an image's name is replaced.
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
        Whether to write ``report.html``, too: see `handprep.html_report.render`. Without this, a page of an
        earlier call stays as it is.
    record
        Whether the images carry their records, which name the photo from `src` on and nothing of the machine.
        Without them, the next call prepares all photos again, and old images are never removed.
    class_level
        Which of a photo's folders is its class, as `handprep.prepared.listing.origin_and_label` has it. The
        folders above it are the origin.
    each_hand
        Whether each hand of a photo becomes an image of its own, by `Pipeline.each`: ``a-1.png``,
        ``a-2.png``, …, with a row each; ``a-0.png`` where none was found. Frames of clips have one each.
    every, fps
        Which frames of clips are taken, as `handprep.video.frames` has it: each of so many, or so many a
        second. A clip becomes a folder, ``clip.mp4/000120.png``, with a row for each frame; its hands are
        followed by `Pipeline.stream`.
    different
        Leave out frames whose prepared image differs by less from that of the last frame that was kept: 0
        to 1, as `handprep.prepared.clips.difference` measures it.
    animations
        Whether animated GIF, WebP, PNG and AVIF files and TIFFs of several pages are clips, too, those of
        ``a.png`` and ``a.webp`` in the folders ``a.png.frames`` and ``a.webp.frames``; else their first image
        is taken, as of a photo.

    Returns
    -------
    RunResult
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
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    work = Preparation(
        photos=Storage(src),
        outputs=Storage(dst),
        pipeline=pipeline,
        format=format,
        keeps_record=record,
        class_level=class_level,
        each_hand=each_hand,
        choice=Choice(every, fps, different),
    )
    with folder_of(work, animations=animations) as (located, listed, names):
        work = replace(located, index=located.outputs.index(located.photos))
        rows, resumed = _carry_out(work, names, workers, progress)
        current = {row.output for row in rows if row.output}
        result = finish(work, listed, rows, current, resumed=resumed, manifest=(MANIFEST, to_csv(rows)))
        if report:
            from handprep import html_report  # noqa: PLC0415 - a tenth of the time of importing handprep

            given = (rows, Path(src), Path(dst), pipeline, work.fingerprint)
            page = html_report.render(*given, workers=workers, progress=progress is True)
            atomic_write(Path(dst, REPORT), page)
    return result


@contextmanager
def folder_of(
    work: Preparation, *, animations: bool
) -> Iterator[tuple[Preparation, Listing, Mapping[str, str]]]:
    """Give what is done, the photos and the names of their images, and hold the folder of these meanwhile."""
    outputs, listed = work.outputs, work.photos.photos(without=work.outputs, animations=animations)
    if not listed.sources:
        raise InputError(
            f"no photo in {work.photos.name}: looked there and in its sub-folders for files that end in "
            f"{', '.join(ENDINGS)}, and saw {listed.ignored} others"
        )
    names = names_of_outputs(listed.sources, listed.clips, work.ending)
    outputs.check_apart(work.photos, names.values())
    with outputs.locked():
        outputs.make_folders({"", *(name.rpartition("/")[0] for name in names.values())})
        clips = listed.clips if outputs.is_local else frozenset()
        yield replace(work, whole=listed.whole, clips=clips), listed, names


def _carry_out(
    work: Preparation, names: Mapping[str, str], workers: int | None, progress: bool | Progress
) -> tuple[tuple[Row, ...], int]:
    """Prepare what is left, and return all rows and how many photos were there before."""
    tasks = [Task(source=source, output=output) for source, output in names.items()]
    finished, left = work.sorted_out(tasks, workers)
    rows, resumed = {task.source: task.rows for task in finished}, len(finished)

    def keep(task: Task) -> None:
        rows[task.source] = task.rows

    try:
        if left:  # here, so that what is missing is one error, not one for each photo
            work.fetch_models(progress=progress is True)
        prepared = work.carried_out(left, workers=workers, done=keep)
        with reporting(progress, resumed, len(tasks)) as report, closing(prepared):
            for done, _ in enumerate(prepared, start=resumed + 1):
                report(done, len(tasks))
    except BaseException as stopped:  # also Ctrl-C
        counts = f"{len(rows)} of {len(tasks)} photos are done"
        stopped.add_note(f"{counts}. Run it again to resume.")
        try:
            work.outputs.write(MANIFEST, to_csv(chain.from_iterable(rows.values())))
        except OutputError as error:  # the disk may be full: that must not hide why it was cut short
            stopped.add_note(str(error))
        raise
    return tuple(row for source in names for row in rows[source]), resumed


def finish(
    work: Preparation,
    listed: Listing,
    rows: Sequence[Row],
    current: set[str],
    *,
    resumed: int,
    manifest: tuple[str, bytes],
) -> RunResult:
    """Remove what has become wrong or is half written, write manifest and detection table, return the result.

    Only an image that is not `current`, and whose own record says that handprep wrote it under this very
    name, is ever removed; those whose photos are gone stay. The tables are written when all images are safe
    on the disk.
    """
    outputs = work.outputs
    spelled, there = {same_name(name): name for name in current}, set(outputs.names())
    photos, vanished = set(listed.sources), []
    for name in there - current:
        if is_temporary(name):  # half written, by a process that died
            outputs.remove(name)
        held = outputs.record(name) if name.endswith((".png", ".jpg", ".webp")) else None
        if held is None:
            continue
        origin = held[0].origin
        is_ours = origin.output == name and origin.fingerprint
        if is_ours and (origin.clip or origin.source) not in photos:
            vanished.append(name)
        # else A.png and a.png are one file, as on some disks
        elif is_ours and spelled.get(same_name(name), name) in there:
            outputs.remove(name)
    result = RunResult(
        folder=outputs.place,
        rows=rows,
        resumed=resumed,
        vanished=tuple(sorted(vanished)),
        ignored=listed.ignored,
        unread=listed.unread,
        nested=listed.nested,
    )
    outputs.flush()
    outputs.write(DETECTION_CSV, result.detection.csv())
    outputs.write(DETECTION_MARKDOWN, result.detection.markdown().encode())
    outputs.write(*manifest)
    outputs.flush()
    return result
