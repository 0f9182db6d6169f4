"""A torchvision `ImageFolder` that prepares each photo once and from then on reads what was prepared."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import PIL.Image

from handprep.configurable import check_choice
from handprep.errors import HandprepError, InputError
from handprep.images.arrays import channels_of
from handprep.optional import missing_extra
from handprep.pipeline import Pipeline
from handprep.prepared.cache import ON_ERROR, PreparedCache
from handprep.prepared.listing import ENDINGS, is_hidden, listing, origin_and_label
from handprep.prepared.run import RunResult
from handprep.progress import Progress
from handprep.text import printable

try:
    from torch.utils.data import default_collate
    from torchvision.datasets import ImageFolder
except (ImportError, RuntimeError, OSError) as error:
    raise missing_extra("torchvision", "torch", error) from error

__all__ = ["NoPhotosError", "PreparedImageFolder", "collate"]

_log = logging.getLogger(__name__)


class NoPhotosError(InputError, FileNotFoundError):
    """There is no folder, no class in it, or no photo in a class; a FileNotFoundError as ImageFolder's is."""


class PreparedImageFolder(ImageFolder):  # type: ignore[misc]  # torchvision has no types
    """An `ImageFolder` of prepared images: each photo goes through the pipeline once, then a cache has it.

    The class of a photo is the folder that it lies in, as for `handprep run`; `class_level` names another.
    Photos are all that handprep reads, by the endings of their names; hidden files and folders, folders of
    prepared images, and clips are left out: `handprep.prepare` makes images of the frames of clips. An item
    is ``(image, target)``, where the image is a PIL image as the pipeline gives it (mode L after
    `Greyscale`, RGB, or LA and RGBA if transparent) before `transform` has it.

    A photo or a pipeline that changed is prepared again. Workers of a DataLoader and other programs may share
    the cache at any time. See `handprep.prepared.PreparedCache`.

    Parameters
    ----------
    root
        The folder of the classes' folders.
    pipeline, cache
        As for `PreparedCache`, whose folder `cache` is.
    transform, target_transform
        What to do with each prepared image and each target, each time.
    transforms
        What to do with both together, in place of these: ``transforms(image, target)`` returns a pair.
    with_hands
        Whether items are ``(image, target, hands)``. Hands are a tuple of `handprep.Hand` in pixels of the
        prepared image, before `transform`, the chosen one first; ``()`` if none was found; None if
        the pipeline does not look for any.
    on_error
        What to do about photos that cannot be prepared, among them those without a hand if the pipeline
        skips or refuses these: ``"raise"`` an error that names the photo; or ``"skip"``: the item is None,
        `collate` leaves it out of the batch, and the log names it once.
    loader
        Only None: handprep reads the photos itself, as the cache must know their content.
    is_valid_file
        Which files are photos, by their paths, instead of the endings.
    allow_empty
        Whether a folder at the top may hold no photo; it is a class, then.
    class_level
        As for `handprep.prepare`. `ImageFolder` has 1, which differs where folders lie within others.

    Raises
    ------
    NoPhotosError
        If there is no folder, no class, or no photo in a class.
    InputError
        If a parameter is of the wrong kind.

    Examples
    --------
    >>> from handprep import study_pipeline
    >>> dataset = PreparedImageFolder("photos", study_pipeline(64))  # doctest: +SKIP
    >>> dataset.prepare().failed  # doctest: +SKIP
    ()
    >>> dataset[0]  # doctest: +SKIP
    (<PIL.Image.Image image mode=L size=64x64 at 0x7F5B1C0A5E50>, 0)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        pipeline: Pipeline,
        *,
        cache: str | os.PathLike[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        loader: None = None,
        with_hands: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        class_level: int = -1,
    ) -> None:
        check_choice("on_error", on_error, ON_ERROR)
        if loader is not None:
            raise InputError("loader cannot be given: handprep itself reads the photos, for the pipeline")
        if transforms is not None and (transform is not None or target_transform is not None):
            raise InputError("give either transforms, or transform and target_transform")
        whole = os.path.expanduser(root)  # noqa: PTH111 - strings, as torchvision's paths
        self.cache = PreparedCache(pipeline, whole, cache, class_level=class_level)
        self.with_hands, self.on_error, self.class_level = with_hands, on_error, class_level
        self._warned: set[str] = set()
        self._joint = transforms
        self._is_photo, self._labels = is_valid_file, dict[str, str]()
        try:
            super().__init__(
                root,
                transform=transform,
                target_transform=target_transform,
                loader=self._picture,
                is_valid_file=is_valid_file,
                allow_empty=allow_empty,
            )
        except FileNotFoundError as error:
            reason = printable(str(error)).rstrip(". ")
            raise NoPhotosError(
                f"{reason}. {printable(whole)} should hold a folder for each class, with files "
                f"in it that end in {', '.join(ENDINGS)}"
            ) from error

    @property
    def pipeline(self) -> Pipeline:
        """What is done with each photo, once."""
        return self.cache.pipeline

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """Return the classes of the photos, and their numbers."""
        folder = Path(directory)
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder {directory}.")
        listed = listing(folder, is_photo=self._is_photo)
        for problem in listed.unread:
            _log.warning("%s", problem)
        labels = {s: origin_and_label(s, listed.whole, self.class_level)[1] for s in listed.sources}
        self._labels = {source: label for source, label in labels.items() if label}
        tops = {source.partition("/")[0] for source in self._labels}
        nested = {name.partition("/")[0] for name in listed.nested}
        empty = [e.name for e in folder.iterdir() if e.is_dir() and not is_hidden(e.name)]
        self._empty = sorted(set(empty) - tops - nested)
        classes = sorted({*self._labels.values(), *self._empty})
        if not classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return classes, {name: number for number, name in enumerate(classes)}

    def make_dataset(
        self,
        directory: str | Path,
        class_to_idx: dict[str, int],
        *_: Any,
        allow_empty: bool = False,
        **__: Any,
    ) -> list[tuple[str, int]]:
        """Return paths and numbers of classes, by class."""
        if self._empty and not allow_empty:
            raise FileNotFoundError(f"Found no valid file for the classes {', '.join(self._empty)}.")
        numbered = sorted((class_to_idx[label], source) for source, label in self._labels.items())
        return [(os.path.join(directory, source), number) for number, source in numbered]  # noqa: PTH118

    def __getitem__(self, index: int) -> Any:
        """Return ``(image, target)``, with hands as a third if asked for, or None for a skipped photo."""
        photo, target = self.samples[index]
        try:
            sample = self.cache.get(photo)
        except HandprepError as error:
            if self.on_error == "raise" or error.concerns_all:
                raise
            if photo not in self._warned:
                _log.warning("%s is left out: %s", printable(photo), error)
            self._warned.add(photo)
            return None
        image: Any = PIL.Image.fromarray(channels_of(sample))
        if self._joint is not None:
            image, target = self._joint(image, target)
        image = image if self.transform is None else self.transform(image)
        target = target if self.target_transform is None else self.target_transform(target)
        return (image, target, sample.hands) if self.with_hands else (image, target)

    def prepare(self, *, workers: int | None = None, progress: bool | Progress = False) -> RunResult:
        """Prepare ahead all photos that are not in the cache, as `PreparedCache.prepare` does.

        `on_error` of the data set says what becomes of photos that cannot be prepared.
        """
        photos = [photo for photo, _ in self.samples]
        return self.cache.prepare(photos, workers=workers, progress=progress, on_error=self.on_error)

    def extra_repr(self) -> str:
        """Return what `repr` adds: the cache and the pipeline."""
        return f"Cache location: {self.cache.folder}\n{self.pipeline!r}"

    def _picture(self, photo: str) -> Any:
        return PIL.Image.fromarray(channels_of(self.cache.get(photo)))


def collate(items: Sequence[Any]) -> tuple[Any, ...] | None:
    """Make a batch of the items of a `PreparedImageFolder`; give it to a DataLoader as ``collate_fn``.

    Skipped photos, which are None, are left out; a batch of nothing else is None. Images and targets become
    batches as by `torch.utils.data.default_collate`; hands, if the items have them, a list with each item's.

    Examples
    --------
    >>> collate([(1.0, 0), None, (2.0, 1)])
    (tensor([1., 2.], dtype=torch.float64), tensor([0, 1]))
    """
    kept = [item for item in items if item is not None]
    if not kept:
        return None
    images, targets, *hands = zip(*kept, strict=True)
    return (default_collate(images), default_collate(targets), *map(list, hands))
