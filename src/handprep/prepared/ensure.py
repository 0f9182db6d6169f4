"""From a photo to its prepared images: read them if their records fit, else make them."""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, compress
from operator import not_
from typing import Any

from handprep import models
from handprep.errors import HandprepError, InputError, SampleSkipped
from handprep.images.encoding import FORMATS, encode
from handprep.pipeline import Pipeline
from handprep.prepared.clips import Choice, chosen_frames
from handprep.prepared.index import FAULTS as VERDICTS
from handprep.prepared.index import Index, Known
from handprep.prepared.listing import FIRST, check_class_level, has_more_images, origin_and_label
from handprep.prepared.manifest import FAULTS, Row
from handprep.prepared.origin import Origin, photo_size
from handprep.prepared.record import Record
from handprep.prepared.storage import Storage
from handprep.sample import Sample
from handprep.text import printable
from handprep.threads import ordered_map

FIRST_FRAME = "an animation, or a file of several images: the first one was taken"
AT_ONCE = 32  # photos that a thread looks for: handing one over takes as long as looking for it
UNKNOWN, NEVER = Known(0, 0, 0, ""), threading.Event()
READING = WRITING = 4  # threads beside those that compute: disks and networks let them wait


@dataclass(slots=True, kw_only=True)
class Task:
    """A photo or clip on its way to its images."""

    source: str
    output: str
    name: str = ""  # of the source in the record, where that is another
    content: bytes = b""
    known: Known = UNKNOWN
    images: list[tuple[Record, bytes]] = field(default_factory=list)
    fault: Exception | None = None
    milliseconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    stop: threading.Event = NEVER  # set when nobody waits for it any more


def _attempt(part: "Callable[[Preparation, Task], None]") -> "Callable[[Preparation, Task], Task]":
    """Do a part of a task, unless it failed; add its time, and keep an error of this photo alone."""

    def attempted(self: "Preparation", task: Task) -> Task:
        start = time.perf_counter()
        try:
            if task.fault is None:
                part(self, task)
        except FAULTS as error:
            if getattr(error, "concerns_all", False):
                raise
            task.fault, task.images = error, []
        task.milliseconds += 1000 * (time.perf_counter() - start)
        return task

    return attempted


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What is done with each photo of a folder. It can be pickled, and used from any thread."""

    photos: Storage
    outputs: Storage
    pipeline: Pipeline
    format: str = "png"  # a key of `handprep.images.encoding.FORMATS`, in any case
    keeps_record: bool = True  # whether images carry their records
    index: Index | None = None  # what is known of the photos, if that is kept
    whole: str = ""  # the name of the folder of photos, as `origin_and_label` wants it
    class_level: int = -1
    each_hand: bool = False  # whether each hand of a photo has an image of its own
    clips: frozenset[str] = frozenset()  # which sources are clips
    choice: Choice = field(default_factory=Choice)  # of their frames
    ending: str = field(init=False, default="")
    fingerprint: str = field(init=False, default="")  # of the pipeline and the ending

    def __post_init__(self) -> None:
        if not isinstance(self.pipeline, Pipeline):
            raise InputError(f"pipeline must be a Pipeline, not {self.pipeline!r:.200}")
        check_class_level(self.class_level)
        kind = FORMATS.get(str(self.format).lower())
        if kind is None:
            raise InputError(f"format must be one of {', '.join(FORMATS)}, not {self.format!r:.100}")
        backgrounds = [getattr(part, "background", "") for part in self.pipeline.parts]
        if kind == "JPEG" and "transparent" in backgrounds:
            raise InputError("JPEG cannot be transparent: use PNG or WebP, or another background")
        if self.each_hand:
            self.pipeline.first_cropper()  # refuses what has none, before any photo is read
        ending = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}[kind]
        object.__setattr__(self, "ending", ending)
        how = f"-each{ending}" if self.each_hand else ending
        object.__setattr__(self, "fingerprint", self.pipeline.fingerprint() + how)

    def fetch_models(self, *, progress: bool = False) -> None:
        """Fetch what is needed before any photo, so that what is missing is one error."""
        for name in sorted(self.pipeline.model_files):
            models.fetch(name, progress=progress)

    def fingerprint_of(self, source: str) -> str:
        """Return the fingerprint of a photo's or clip's images."""
        return self.fingerprint + (self.choice.suffix if source in self.clips else "")

    def output_of(self, output: str, hand: int) -> str:
        """Return the name of the image of one of a photo's hands, counted from 1; 0 where none was found."""
        stem, dot, ending = output.rpartition(".")
        return f"{stem}-{hand}{dot}{ending}" if self.each_hand else output

    def described(self, source: str) -> dict[str, Any]:
        """Return what a photo's name alone says: its origin and class."""
        origin, label = origin_and_label(source, self.whole, self.class_level)
        return {"origin": sys.intern(origin), "label": sys.intern(label)}  # one string for many rows

    def held(self, output: str, **told: object) -> tuple[Record, bytes] | None:
        """Return record and content of an image of this very pipeline, if its origin says what is `told`."""
        found = self.outputs.record(output)
        told.setdefault("fingerprint", self.fingerprint)
        return found if found and all(getattr(found[0].origin, k) == told[k] for k in told) else None

    def sorted_out(self, tasks: Sequence[Task], workers: int | None) -> tuple[list[Task], list[Task]]:
        """Return the tasks of photos that are prepared and have not changed, with rows; and the others."""
        parts = [tasks[start : start + AT_ONCE] for start in range(0, len(tasks), AT_ONCE)]
        with closing(ordered_map(lambda part: [*map(self._is_done, part)], parts, workers=workers)) as looked:
            are_done = list(chain.from_iterable(looked))
        return list(compress(tasks, are_done)), list(compress(tasks, map(not_, are_done)))

    def _is_done(self, task: Task) -> bool:
        """Finish the task of a photo that is prepared and has not changed, read only if its stamp has."""
        path, records = self.photos.path(task.source), self._all_held(task) if self.keeps_record else []
        known, last = (self.index.now(path), self.index.last(path)) if self.index else (None, None)
        if known is None:
            if not records and not (last and last.fault):
                return False
            try:
                _, known = self._read(task.source)
            except FAULTS:
                return False  # it fails again, with its reason, when it is to be prepared
            if self.index is not None:
                self.index.add(path, known)
        fault = known.fault_of(self.fingerprint_of(task.source))
        if fault is None and (not records or any(record.origin.digest != known.digest for record in records)):
            return False
        task.fault, task.milliseconds = fault, known.milliseconds
        self._add_rows(task, [] if fault else records)
        return True

    def _all_held(self, task: Task) -> list[Record]:
        """Return the records of all images of a photo or clip if none is missing; else none."""

        def records_of(*names: str, **told: object) -> list[Record]:
            return [held[0] for name in names if (held := self.held(name, **told))]

        source, of_hand = task.source, partial(self.output_of, task.output)
        if source in self.clips:
            names = self.outputs.inside(task.output.rpartition("/")[0])
            records = records_of(*names, clip=source, fingerprint=self.fingerprint_of(source))
            count = sum(record.origin.images for record in records)
        else:
            records = records_of(of_hand(1), source=source) or records_of(of_hand(0), source=source)
            count = records[0].origin.hands if records else 0
            records += records_of(*map(of_hand, range(2, count + 1)), source=source)
        return records if len(records) == count else []

    def _read(self, source: str) -> tuple[bytes, Known]:
        """Return a photo's content, none of a clip, which may be large; and what is known of it."""
        content, known = self.photos.read_photo(source, is_clip=source in self.clips)
        last = self.index.last(self.photos.path(source)) if self.index else None
        return content, Known(*known[:4], *last[4:]) if last and last.digest == known.digest else known

    def carried_out(
        self, tasks: Iterable[Task], *, workers: int | None, done: Callable[[Task], object]
    ) -> Generator[Task]:
        """Prepare photos, and yield each task, in order, with its rows; photos that fail have one, too.

        `workers` threads prepare, None for one a core; with 0, this very thread does, and others read ahead.
        `done` takes each finished task at once, in any thread and order. What concerns all photos is raised.
        """
        stop = threading.Event()

        def prepared(task: Task) -> Task:
            task.stop = stop
            return self.compute(self.read(task))

        def write(task: Task) -> Task:
            done(self.write(task))  # also of those whose turn to be yielded never comes
            return task

        with ExitStack() as stack:

            def each(function: Callable[[Task], Task], tasks: Iterable[Task], **how: Any) -> Iterable[Task]:
                return stack.enter_context(closing(ordered_map(function, tasks, **how)))

            if workers == 0:
                made: Iterable[Task] = map(self.compute, each(self.read, tasks, workers=READING))
            else:
                made = each(prepared, tasks, workers=workers, closing=stop.set)
            yield from each(write, made, workers=WRITING)

    @_attempt
    def read(self, task: Task) -> None:
        """Read the photo."""
        task.content, task.known = self._read(task.source)

    @_attempt
    def compute(self, task: Task) -> None:
        """Make the images, unless it is known that there is none; those of a clip are written at once."""
        path, images = printable(self.photos.path(task.source)), self._images(task)
        if (fault := task.known.fault_of(self.fingerprint_of(task.source))) is not None:
            raise fault
        try:
            if task.source not in self.clips:
                task.images = list(images)
            else:
                given = self.described(task.source)  # rows at once, as a clip may have many large records
                with closing(ordered_map(self._written, images, workers=WRITING)) as records:
                    task.rows.extend(Row.of_record(record, **given) for record in records)
        except Exception as error:
            if not isinstance(error, HandprepError):  # as of a part that is not handprep's
                error.add_note(f"This was while preparing {path}.")
            raise
        if not task.images and not task.rows:
            raise SampleSkipped(f"no hand found in {path}")
        task.content = b""  # others wait in memory for their turn to be written

    def _images(self, task: Task) -> Iterator[tuple[Record, bytes]]:
        """Make the images of a photo or clip, with their records."""
        for number, (sample, told) in enumerate(self._samples(task), start=1):
            hand = min(number, told.get("hands", 1)) if sample.hands else 0
            origin = {
                "source": task.name or task.source,
                "folder": self.whole,
                "output": self.output_of(task.output, hand),
                "size": task.known.size,
                "digest": task.known.digest,
                "photo": photo_size(sample, task.content),
                "fingerprint": self.fingerprint_of(task.source),
                "hand": hand,
            }
            record, image = Record.of(sample, Origin(**{**origin, **told})), encode(sample, self.format)
            yield record, record.sealed_into(image) if self.keeps_record else image

    def _samples(self, task: Task) -> Iterator[tuple[Sample, dict[str, Any]]]:
        """Yield the samples of a photo or clip, and what only their kind of origin says."""
        path = self.photos.path(task.source)
        if task.source in self.clips:
            folder, _, ending = task.output.rpartition(FIRST)
            for sample, images in chosen_frames(self.pipeline, path, self.choice, task.stop):
                number = (sample.source or "").rpartition("#")[2]
                told = {"source": f"{task.source}#{number}", "output": f"{folder}/{number}{ending}"}
                yield sample, {**told, "clip": task.source, "frame": int(number), "images": images}
            return
        if self.each_hand:
            samples = list(self.pipeline.each(task.content, name=path))
        else:
            samples = [self.pipeline.run(task.content, name=path)]
        message = FIRST_FRAME if has_more_images(task.content) else ""
        for sample in samples:
            yield sample, {"hands": len(samples), "each_hand": self.each_hand, "message": message}

    def write(self, task: Task) -> Task:
        """Write the images, remember what is known of the photo, and return the task with its rows."""
        self._write(task)
        self.remember(task)
        self._add_rows(task, [record for record, _ in task.images])
        return task

    @_attempt
    def _write(self, task: Task) -> None:
        for image in task.images:
            self._written(image)

    def _written(self, image: tuple[Record, bytes]) -> Record:
        self.outputs.write(image[0].origin.output, image[1])
        return image[0]

    def remember(self, task: Task) -> None:
        """Keep what is known of a photo that was read, if it has an image, or can have none."""
        known, fingerprint = task.known, self.fingerprint_of(task.source)
        kind = "" if task.fault is None else type(task.fault).__name__
        is_final = not kind or (
            kind in VERDICTS and not task.rows
        )  # no clip that failed after some good frames
        if self.index is not None and is_final:
            if known.fingerprint != fingerprint:
                taken, message = round(task.milliseconds, 1), str(task.fault or "")
                known = Known(*known[:4], fingerprint, taken, kind, message)
            self.index.add(self.photos.path(task.source), known)

    def _add_rows(self, task: Task, records: Iterable[Record]) -> None:
        """Make the rows of a finished task; each image has its share of the time."""
        given = self.described(task.source)
        task.rows += [Row.of_record(record, **given) for record in records]
        share = round(round(task.milliseconds, 1) / max(1, len(task.rows)), 1)
        if task.fault is not None:
            given |= {"source": task.source, "clip": task.source if task.source in self.clips else ""}
            task.rows.append(Row.of_fault(task.fault, **given))
        task.rows = [replace(row, milliseconds=share) for row in task.rows]
