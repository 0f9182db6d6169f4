"""One run over many photos: what is left to do, doing it, and writing down each as it is finished."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from tqdm import tqdm

from handprep import models
from handprep.errors import HandprepError, MissingExtraError, ModelError, OutputError, SampleSkipped
from handprep.folder.journal import Entry, Journal, Stamp
from handprep.folder.outputs import same_name
from handprep.folder.photos import Photo
from handprep.images.encoding import encode
from handprep.manifest import Row, told_of
from handprep.pipeline import Pipeline
from handprep.threads import ordered_map
from handprep.writing import below, is_hopeless, remove, write_whole

Progress: TypeAlias = Callable[[int, int], object]  # takes how many photos are done, and how many there are

FAULTS = (HandprepError, OSError, MemoryError)  # what may be wrong with one photo alone


def told_of_fault(error: Exception) -> dict[str, Any]:
    """Return what a `Row` says of a photo that was not prepared.

    Parameters
    ----------
    error
        One of `FAULTS`. Where no other photo would fare better, it is raised again: a model file or a
        package that cannot be had, a disk that is full.
    """
    if isinstance(error, ModelError | MissingExtraError):
        raise error
    if isinstance(error, OutputError) and is_hopeless(error):
        raise error
    if isinstance(error, SampleSkipped):
        return {"status": "skipped", "message": str(error)}
    return {"status": "failed", "message": str(error) or type(error).__name__}


class Batch:
    """Photos on their way through a pipeline into a folder.

    Parameters
    ----------
    photos
        All of them.
    outputs
        The name of each photo's output, by the photo's source.
    folder
        Where outputs go; the folders of all outputs exist.
    pipeline, format
        What to do with each photo, and as what to write it.
    fingerprint
        Of both: what was prepared with the same one need not be prepared again.
    journal
        What is finished.

    Attributes
    ----------
    total
        How many photos there are.
    left
        The photos that were yet to be prepared when the batch was made.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        outputs: Mapping[str, str],
        folder: Path,
        *,
        pipeline: Pipeline,
        format: str,
        fingerprint: str,
        journal: Journal,
    ) -> None:
        self._photos, self._outputs, self._folder = photos, outputs, folder
        self._pipeline, self._format, self._fingerprint = pipeline, format, fingerprint
        self._journal = journal
        self.total = len(photos)
        self.left = [photo for photo in photos if not self._is_finished(photo)]

    def _is_finished(self, photo: Photo) -> bool:
        entry = self._journal.entries.get(photo.source)
        output = self._outputs[photo.source]
        return entry is not None and entry.is_finished(self._fingerprint, photo.path, output, self._folder)

    def prepare(self, *, workers: int | None = None, progress: bool | Progress = False) -> None:
        """Prepare the photos that are left; what becomes of each goes to the journal.

        Raises
        ------
        OutputError
            If no further output could be written.
        ModelError, MissingExtraError
            If a model file or a package that the pipeline needs cannot be had.
        """
        if self.left:  # here, so that what is missing is one error, not one for each photo
            for name in sorted(self._pipeline.model_files):
                models.fetch(name, progress=progress is True)
        resumed = self.total - len(self.left)
        prepared = ordered_map(self._prepare_one, self.left, workers=workers)
        with reporting(progress, resumed, self.total) as report, closing(prepared) as results:
            for done, _ in enumerate(results, start=resumed + 1):
                report(done, self.total)

    def rows(self) -> tuple[Row, ...]:
        """Return the rows of the photos that are done so far, failed ones among them."""
        left = {photo.source for photo in self.left} - self._journal.appended
        done = [photo for photo in self._photos if photo.source not in left]
        entries = self._journal.entries
        return tuple(
            replace(entries[photo.source].row, origin=photo.origin, label=photo.label) for photo in done
        )

    def settle(self) -> tuple[str, ...]:
        """Remove outputs that have become wrong, once all photos are done, and tidy the journal.

        Returns
        -------
        tuple[str, ...]
            The names of outputs whose photos are no longer there. They stay.
        """
        sources = {photo.source for photo in self._photos}
        entries = self._journal.entries.values()
        kept = [entry for entry in entries if entry.row.source in sources]
        names = {same_name(entry.row.output): entry.row.output for entry in kept}
        vanished = [
            entry
            for entry in entries
            if entry.row.source not in sources
            and same_name(entry.row.output) not in names
            and self._still_there(entry.row.output, entry.output)
        ]
        names |= {same_name(entry.row.output): entry.row.output for entry in vanished}
        for name, stamp in self._journal.written.items():
            other = names.get(same_name(name))
            path = None if other == name else self._still_there(name, stamp)
            if path and not (other and self._is_same_file(path, other)):
                remove(path)
        self._journal.compact([*kept, *vanished])
        return tuple(sorted(entry.row.output for entry in vanished))

    def _still_there(self, name: str, stamp: Stamp | None) -> Path | None:
        """Return the path of an output if it is there as it was written."""
        path = below(self._folder, name)
        return path if path and stamp and stamp.still_of(path) else None

    def _is_same_file(self, path: Path, name: str) -> bool:
        """Tell whether A.png and a.png are one file, as some file systems have it."""
        other = self._folder / name
        return other.exists() and path.samefile(other)

    def _prepare_one(self, photo: Photo) -> None:
        """Prepare one photo, in any thread; what is wrong with this photo alone becomes its row."""
        start, stamp = time.perf_counter(), Stamp.of(photo.path)

        def note(written: Stamp | None = None, **told: Any) -> None:
            milliseconds = round(1000 * (time.perf_counter() - start), 1)
            row = Row(source=photo.source, milliseconds=milliseconds, **told)
            self._journal.append(Entry(row=row, fingerprint=self._fingerprint, photo=stamp, output=written))

        try:
            self._write(photo, note)
        except FAULTS as error:
            note(**told_of_fault(error))

    def _write(self, photo: Photo, note: Callable[..., None]) -> None:
        sample = self._pipeline.run(photo.path)
        content = encode(sample, self._format)
        name = self._outputs[photo.source]
        told = told_of(sample)
        write_whole(
            self._folder / name,
            content,
            announce=lambda found: note(Stamp.of_content(content, found), output=name, **told),
        )


@contextmanager
def reporting(progress: bool | Progress, done: int, total: int) -> Iterator[Progress]:
    """Give a function to call after each photo, which moves a progress bar if one is wanted."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda *_: None
    else:
        seconds = 0.1 if sys.stderr.isatty() else 30  # a log file gets a line now and then
        with tqdm(
            total=total, initial=done, unit="photo", mininterval=seconds, maxinterval=seconds + 10
        ) as bar:
            yield lambda *_: bar.update()
