"""A cache of prepared pictures: each photo goes through its pipeline once, and is only read from then on."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from handprep import images, models
from handprep.cache.entries import Prepared, from_png
from handprep.cache.index import Index
from handprep.cache.store import Store
from handprep.configurable import check_choice
from handprep.errors import HandNotFoundError, HandprepError, ImageError, InputError, OutputError
from handprep.folder.batch import Progress, reporting
from handprep.folder.journal import Stamp
from handprep.names import printable
from handprep.pipeline import NO_PICTURES_FAULT, Pipeline
from handprep.threads import ordered_map

__all__ = ["PrepareResult", "Prepared", "PreparedCache", "cache_folder", "is_fault_of_photo"]

ON_ERROR = ("raise", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareResult:
    """What became of photos that were prepared ahead.

    Attributes
    ----------
    prepared
        How many were prepared now.
    reused
        How many were in the cache already.
    failed
        The reasons, by the paths of the photos that cannot be prepared. Photos without a hand are among
        them where the pipeline skips or refuses these.
    """

    prepared: int
    reused: int
    failed: Mapping[str, str]


def cache_folder() -> Path:
    """Return the default folder: ``$HANDPREP_HOME/prepared``, else one in the user's cache."""
    return models.cache_folder().parent / "prepared"


def is_fault_of_photo(error: HandprepError) -> bool:
    """Tell whether other photos may fare better: not where a model, a package or room on disk is missing."""
    return not isinstance(error, (*NO_PICTURES_FAULT, OutputError))


class PreparedCache:
    """Prepared pictures on disk, by the content of their photo and the fingerprint of the pipeline.

    A photo that changed, another pipeline, another version of handprep or of a model file: all these lead
    to other pictures, so what is out of date is never returned. Any number of threads and processes may
    use one cache at once; one of them prepares a photo and the others wait for it. A picture that is
    damaged is prepared again. Nothing is ever deleted; you may delete the folder at any time.

    Parameters
    ----------
    pipeline
        What to do with each photo.
    photos
        The folder of the photos. Those elsewhere are prepared as well, but every program reads them once
        to know their content.
    folder
        The folder of the cache, which is made when it is first needed; None for `cache_folder`.

    Raises
    ------
    InputError
        If a parameter is of the wrong kind.

    Examples
    --------
    >>> from handprep.pipeline import study_pipeline
    >>> cache = PreparedCache(study_pipeline(64), "photos", "cache")
    >>> cache.get("photos/rock/1.jpg").picture.size  # doctest: +SKIP
    (64, 64)
    """

    def __init__(
        self,
        pipeline: Pipeline,
        photos: str | os.PathLike[str],
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(pipeline, Pipeline):
            raise InputError(f"pipeline must be a Pipeline, not {pipeline!r:.200}")
        self.pipeline = pipeline
        self.folder = (cache_folder() if folder is None else Path(folder).expanduser()).absolute()
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{printable(str(self.folder))} is a file: give a folder for the cache")
        self._store = Store(self.folder, pipeline)
        self._index = Index(self.folder, os.fspath(photos))

    def get(self, photo: str | os.PathLike[str], *, with_hands: bool = False) -> Prepared:
        """Return a photo's prepared picture, from the cache or by preparing the photo.

        Parameters
        ----------
        photo
            The photo's path.
        with_hands
            Whether to return the hands, too.

        Raises
        ------
        ImageError
            If the photo cannot be read.
        HandNotFoundError
            If the pipeline finds no hand and gives no picture then (``on_missing="raise"`` or ``"skip"``).
        OutputError
            If the prepared picture cannot be written.
        ModelError, MissingExtraError
            If a model file or a package that the pipeline needs cannot be had.
        """
        return self._obtained(os.fspath(photo), with_hands)[0]

    def _obtained(self, photo: str, with_hands: bool) -> tuple[Prepared, bool]:
        """Return a photo's prepared picture, and whether it was prepared now."""
        if prepared := self._known(photo, with_hands):
            return prepared, False
        self._index.refresh()  # another process may have read the photo since
        if prepared := self._known(photo, with_hands):
            return prepared, False
        content, stamp = _read(photo)
        self._index.add(photo, stamp)
        if prepared := self._store.read(stamp.digest, photo, with_hands=with_hands):
            return prepared, False  # another photo with this content, or the same one elsewhere
        with self._store.alone(stamp.digest):
            if prepared := self._store.read(stamp.digest, photo, with_hands=with_hands):
                return prepared, False  # another process was at it
            return self._prepared(photo, content, stamp.digest, with_hands), True

    def _known(self, photo: str, with_hands: bool) -> Prepared | None:
        """Return the picture of a photo whose content is known, without reading the photo."""
        digest = self._index.digest_of(photo)
        return None if digest is None else self._store.read(digest, photo, with_hands=with_hands)

    def _prepared(self, photo: str, content: bytes, digest: str, with_hands: bool) -> Prepared:
        try:
            sample = self.pipeline.run(content, name=photo)  # what was read, whatever the file is by now
        except HandNotFoundError as error:
            self._store.keep_verdict(digest, error)
            raise
        except Exception as error:
            if (name := printable(photo)) not in str(error):  # as of a part that is not handprep's
                error.add_note(f"This was while preparing {name}.")
            raise
        return from_png(self._store.keep(digest, sample), with_hands=with_hands)

    def holds(self, photo: str | os.PathLike[str]) -> bool:
        """Tell whether a photo's prepared picture is known to be there, without reading either of them."""
        digest = self._index.digest_of(os.fspath(photo))
        return digest is not None and self._store.holds(digest)

    def prepare(
        self,
        photos: Sequence[str | os.PathLike[str]],
        *,
        workers: int | None = None,
        progress: bool | Progress = False,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> PrepareResult:
        """Prepare ahead, in threads, those photos that are not in the cache.

        The same call again carries on where an earlier one ended, even if that was killed.

        Parameters
        ----------
        photos
            Paths of photos.
        workers
            Threads; None for one a core.
        progress
            Whether to draw a progress bar on standard error; or a function that is called with the
            number of photos done and the number of all, after each photo.
        on_error
            What to do about a photo that cannot be prepared: ``"raise"`` its error, or ``"skip"`` it
            and list it in the result.

        Raises
        ------
        InputError
            If a parameter is out of its range.
        ImageError, HandNotFoundError
            As `get`, for the first photo that cannot be prepared, unless these are skipped.
        OutputError, ModelError, MissingExtraError
            As `get`.
        """
        check_choice("on_error", on_error, ON_ERROR)
        self._index.refresh()
        left = [os.fspath(photo) for photo in photos if not self.holds(photo)]
        if left:
            self._store.sweep()
            for name in sorted(self.pipeline.model_files):  # so that what is missing is one error, at once
                models.fetch(name, progress=progress is True)
        failed: dict[str, str] = {}
        prepared, start, total = 0, len(photos) - len(left), len(photos)
        outcomes = ordered_map(self._outcome, left, workers=workers)
        with reporting(progress, start, total) as report, closing(outcomes):
            for done, (photo, outcome) in enumerate(zip(left, outcomes, strict=True), start=start + 1):
                if isinstance(outcome, HandprepError):
                    if on_error == "raise":
                        raise outcome
                    failed[photo] = str(outcome)
                else:
                    prepared += outcome
                report(done, total)
        return PrepareResult(prepared=prepared, reused=total - prepared - len(failed), failed=failed)

    def _outcome(self, photo: str) -> bool | HandprepError:
        """Return whether a photo was prepared now, or what is wrong with it and with no other."""
        try:
            return self._obtained(photo, with_hands=False)[1]
        except HandprepError as error:
            if not is_fault_of_photo(error):
                raise
            return error


def _read(photo: str) -> tuple[bytes, Stamp]:
    path = Path(photo)
    with suppress(OSError):  # it is read once more below, which says what is wrong and what helps
        found = path.stat()  # before reading: a change meanwhile then shows next time
        if stat.S_ISREG(found.st_mode):
            content = path.read_bytes()
            return content, Stamp.of_content(content, found)
    images.read(photo)
    raise ImageError(f"{printable(photo)} cannot be read: it was replaced at this very moment. Try again")
