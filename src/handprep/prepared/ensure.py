"""From a photo to its prepared image: read it if its record fits, else make it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import Any

from handprep.errors import HandNotFoundError, HandprepError, InputError, SampleSkipped
from handprep.images.encoding import FORMATS, encode
from handprep.pipeline import Pipeline
from handprep.prepared import clips
from handprep.prepared.clips import WRITING, Choice
from handprep.prepared.container import DamagedError
from handprep.prepared.index import FAULTS as VERDICTS
from handprep.prepared.index import Index, Known
from handprep.prepared.listing import has_more_images, origin_and_label
from handprep.prepared.manifest import FAULTS, Row
from handprep.prepared.origin import Origin, digest_of, photo_size
from handprep.prepared.record import Record
from handprep.prepared.storage import Stamp, Storage
from handprep.sample import Sample
from handprep.text import printable
from handprep.threads import ordered_map

FIRST_FRAME = "an animation, or a file of several images: the first one was taken"


@dataclass(slots=True, kw_only=True)
class Task:
    """A photo on its way to its image."""

    source: str
    output: str
    name: str = ""  # of the source in the record, where that is another
    content: bytes = b""
    stamp: Stamp = (0, 0, 0)
    digest: str = ""
    images: list[tuple[Record, bytes]] = field(default_factory=list)
    fault: Exception | None = None
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)  # set when nobody waits for it any more


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
        kind = FORMATS.get(str(self.format).lower())
        if kind is None:
            raise InputError(f"format must be one of {', '.join(FORMATS)}, not {self.format!r:.100}")
        if kind == "JPEG" and any(
            getattr(part, "background", "") == "transparent" for part in self.pipeline.parts
        ):
            raise InputError("JPEG cannot be transparent: use PNG or WebP, or another background")
        if self.each_hand:
            self.pipeline.first_cropper()  # refuses what has none, before any photo is read
        ending = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}[kind]
        object.__setattr__(self, "ending", ending)
        how = f"-each{ending}" if self.each_hand else ending
        object.__setattr__(self, "fingerprint", self.pipeline.fingerprint() + how)

    def held(self, output: str, suffix: str = "") -> tuple[Record, bytes] | None:
        """Return record and content of an image of this very pipeline; a frame's fingerprint has a suffix."""
        content = self.outputs.read(output)
        if content is None:
            return None
        try:
            record = Record.read(content)
        except DamagedError:
            return None
        return (record, content) if record.origin.fingerprint == self.fingerprint + suffix else None

    def found(self, source: str, output: str) -> Task | None:
        """Return the finished task of a photo that was prepared before, and has not changed; else None.

        The photo is read only where its size, time and inode do not show that it is the same.
        """
        held = self._all_held(source, output) if self.keeps_record else []
        known = self._known(source, is_wanted=bool(held))
        if known is None:
            return None
        task = Task(source=source, output=output, images=held, seconds=known.milliseconds / 1000)
        try:
            known.raise_fault(self._fingerprint_of(source))
        except HandNotFoundError as error:
            task.images, task.fault = [], error
            return self._with_rows(task)
        if not held or any(record.origin.digest != known.digest for record, _ in held):
            return None
        return self._with_rows(task)

    def _all_held(self, source: str, output: str) -> list[tuple[Record, bytes]]:
        """Return all images of a photo or clip if none is missing; else none."""
        if source in self.clips:
            return clips.found(self, source, output)
        names = dict.fromkeys((self.output_of(output, 1), self.output_of(output, 0)))
        first = next((held for held in map(self.held, names) if held is not None), None)
        if first is None:
            return []
        others = [self.held(self.output_of(output, number)) for number in range(2, first[0].origin.hands + 1)]
        held = [image for image in (first, *others) if image and image[0].origin.source == source]
        return held if len(held) == len(others) + 1 else []

    def _known(self, source: str, *, is_wanted: bool) -> Known | None:
        """Return what is known of a photo as it is now, if need be by reading it."""
        path = self.photos.path(source)
        known, last = (self.index.now(path), self.index.last(path)) if self.index else (None, None)
        if known is not None or not (is_wanted or (last is not None and last.fault)):
            return known
        try:
            _, digest, stamp = self._identified(source)
        except FAULTS:
            return None  # it fails again, with its reason, when it is to be prepared
        known = Known(*stamp, digest)
        if last is not None and last.digest == known.digest:
            known = last._replace(size=stamp[0], modified=stamp[1], inode=stamp[2])
        if self.index is not None:
            self.index.add(path, known)
        return known

    def carried_out(
        self, tasks: Iterable[Task], *, reading: int = 0, workers: int | None, done: Callable[[Task], object]
    ) -> Generator[Task]:
        """Prepare photos, and yield each task, in order, with its rows; photos that fail have one, too.

        `reading` threads read ahead; with 0, who prepares a photo reads it. `workers` threads prepare, None
        for one a core; with 0, this very thread does. `done` is called with each task as soon as it is
        finished, in any thread and order. What concerns all photos, such as a full disk, is raised.
        """

        def write(task: Task) -> Task:
            done(self.write(task))  # also of those whose turn to be yielded never comes
            return task

        stop = threading.Event()
        with ExitStack() as stack:

            def each(function: Callable[[Task], Task], tasks: Iterable[Task], **how: Any) -> Iterable[Task]:
                return stack.enter_context(closing(ordered_map(function, tasks, **how)))

            flow: Iterable[Task] = (replace(task, stop=stop) for task in tasks)
            flow = each(self.read, flow, workers=reading) if reading else flow
            if workers == 0:
                flow = map(self.compute, flow)
            else:
                flow = each(self.compute, flow, workers=workers, closing=stop.set)
            yield from each(write, flow, workers=WRITING)

    def read(self, task: Task) -> Task:
        """Read the photo."""
        return _attempted(task, self._read)

    def compute(self, task: Task) -> Task:
        """Make the image, unless it is known that there is none."""
        return _attempted(task if task.digest else self.read(task), self._compute)

    def write(self, task: Task) -> Task:
        """Write the images, remember what is known of the photo, and return the task with its rows."""
        _attempted(task, self._write)
        self.remember(task)
        return self._with_rows(task)

    def _with_rows(self, task: Task) -> Task:
        given, is_clip = self.described(task.source), task.source in self.clips
        if task.fault is None:
            task.rows += [Row.of_record(record, **given) for record, _ in task.images]
        frames = len(task.rows) if is_clip else 1  # each frame has its share of the time
        given["milliseconds"] = round(1000 * task.seconds / max(1, frames), 1)
        task.rows = [replace(row, milliseconds=given["milliseconds"]) for row in task.rows]
        if task.fault is not None:
            clip = task.source if is_clip else ""
            task.rows.append(Row.of_fault(task.fault, source=task.source, clip=clip, **given))
        return task

    def _identified(self, source: str) -> tuple[bytes, str, Stamp]:
        """Return content, digest and stamp of a photo; of a clip, which may be large, not the content."""
        if source in self.clips:
            return b"", *self.photos.digest(source)
        content, stamp = self.photos.read_photo(source)
        return content, digest_of(content), stamp

    def _fingerprint_of(self, source: str) -> str:
        return self.fingerprint + (self.choice.suffix if source in self.clips else "")

    def _read(self, task: Task) -> None:
        task.content, task.digest, task.stamp = self._identified(task.source)

    def _compute(self, task: Task) -> None:
        path = self.photos.path(task.source)
        last = self.index.last(path) if self.index else None
        if last is not None and last.digest == task.digest:
            last.raise_fault(self._fingerprint_of(task.source))
        try:
            if task.source in self.clips:
                given = self.described(task.source)  # rows at once, as a clip may have many large records
                task.rows.extend(Row.of_record(record, **given) for record in clips.write_frames(self, task))
                return
            if self.each_hand:
                samples = list(self.pipeline.each(task.content, name=path))
            else:
                samples = [self.pipeline.run(task.content, name=path)]
        except Exception as error:
            if not isinstance(error, HandprepError):  # as of a part that is not handprep's
                error.add_note(f"This was while preparing {printable(path)}.")
            raise
        if not samples:
            raise SampleSkipped(f"no hand found in {printable(path)}")
        for number, sample in enumerate(samples, start=1):
            record = Record.of(sample, self._origin(task, sample, number, len(samples)))
            image = encode(sample, self.format)
            task.images.append((record, record.sealed_into(image) if self.keeps_record else image))
        task.content = b""  # others wait in memory for their turn to be written

    def _write(self, task: Task) -> None:
        for record, image in task.images:
            self.outputs.write(record.origin.output, image)

    def remember(self, task: Task) -> None:
        """Keep what is known of a photo that was read, if it has an image, or can have none."""
        kind = "" if task.fault is None else type(task.fault).__name__
        if self.index is None or kind not in ("", *VERDICTS) or (kind and task.rows):
            return  # or a clip that failed after some good frames
        path = self.photos.path(task.source)
        milliseconds, message = round(1000 * task.seconds, 1), str(task.fault or "")
        last, fingerprint = self.index.last(path), self._fingerprint_of(task.source)
        if last is not None and (last.digest, last.fingerprint) == (task.digest, fingerprint):
            _, milliseconds, kind, message = last[4:]
        self.index.add(path, Known(*task.stamp, task.digest, fingerprint, milliseconds, kind, message))

    def output_of(self, output: str, hand: int) -> str:
        """Return the name of the image of one of a photo's hands, counted from 1; 0 where none was found."""
        stem, dot, ending = output.rpartition(".")
        return f"{stem}-{hand}{dot}{ending}" if self.each_hand else output

    def described(self, source: str) -> dict[str, Any]:
        """Return what a photo's name alone says: its origin and class."""
        origin, label = origin_and_label(source, self.whole, self.class_level)
        return {"origin": sys.intern(origin), "label": sys.intern(label)}  # one string for many rows

    def _origin(self, task: Task, sample: Sample, hand: int, hands: int) -> Origin:
        number = hand if sample.hands else 0
        return Origin(
            source=task.name or task.source,
            folder=self.whole,
            output=self.output_of(task.output, number),
            hand=number,
            hands=hands,
            each_hand=self.each_hand,
            size=len(task.content),
            digest=task.digest,
            photo=photo_size(sample, task.content),
            fingerprint=self.fingerprint,
            message=FIRST_FRAME if has_more_images(task.content) else "",
        )


def _attempted(task: Task, function: Callable[[Task], None]) -> Task:
    """Do a part of a task, unless it failed; add its time, and keep an error of this photo alone."""
    start = time.perf_counter()
    try:
        if task.fault is None:
            function(task)
    except FAULTS as error:
        if getattr(error, "concerns_all", False):
            raise
        task.fault = error
    task.seconds += time.perf_counter() - start
    return task
