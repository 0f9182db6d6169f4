"""A torchvision `ImageFolder` that prepares each photo once and from then on reads what was prepared."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from handprep.cache import ON_ERROR, PreparedCache, PrepareResult, is_fault_of_photo
from handprep.configurable import check_choice
from handprep.errors import HandprepError, InputError
from handprep.folder.batch import Progress
from handprep.folder.photos import ENDINGS, is_hidden
from handprep.missing import missing_extra
from handprep.names import printable
from handprep.pipeline import Pipeline

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
    """An `ImageFolder` of prepared pictures: each photo goes through the pipeline once, then a cache has it.

    Classes are the sub-folders, as in `ImageFolder`. Photos are all that handprep reads, by the endings of
    their names; hidden files and folders are left out. An item is ``(picture, target)``, where the picture
    is a PIL image as the pipeline gives it (mode L after `Greyscale`, RGB, or LA and RGBA if transparent)
    before `transform` has it.

    The cache goes by the photo's content and the pipeline's fingerprint, so a photo or a pipeline that
    changed is prepared again. Workers of a DataLoader and other programs may share it at any time. See
    `handprep.cache.PreparedCache`.

    Parameters
    ----------
    root
        The folder of the classes' folders.
    pipeline
        What to do with each photo, once.
    cache
        The folder of the cache; None for ``$HANDPREP_HOME/prepared``, else one in the user's cache.
    transform
        What to do with each prepared picture, each time: augmentation, and making a tensor of it.
    target_transform
        What to do with each target.
    with_hands
        Whether items are ``(picture, target, hands)``. Hands are a tuple of `handprep.Hand` in pixels of the
        prepared picture, before `transform`, the chosen one first; ``()`` if none was found; None if
        the pipeline does not look for any.
    on_error
        What to do about photos that cannot be prepared, among them those without a hand if the pipeline
        skips or refuses these: ``"raise"`` an error that names the photo; or ``"skip"``: the item is None,
        `collate` leaves it out of the batch, and the log names it once.
    is_valid_file
        Which files are photos, by their paths, instead of the endings.
    allow_empty
        Whether a class may have no photo.

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
    {}
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
        with_hands: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        check_choice("on_error", on_error, ON_ERROR)
        whole = os.path.expanduser(root)  # noqa: PTH111 - strings, as torchvision's paths
        above = os.path.join(whole, "")  # noqa: PTH118
        self.cache = PreparedCache(pipeline, whole, cache)
        self.with_hands, self.on_error = with_hands, on_error
        self._warned: set[str] = set()
        try:
            super().__init__(
                root,
                transform=transform,
                target_transform=target_transform,
                loader=self._picture,
                is_valid_file=is_valid_file or partial(_is_photo, above),
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
        """Return the classes, which are the sub-folders that are not hidden, and their numbers."""
        classes = [name for name in super().find_classes(directory)[0] if not is_hidden(name)]
        if not classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return classes, {name: number for number, name in enumerate(classes)}

    def __getitem__(self, index: int) -> Any:
        """Return ``(picture, target)``, with hands as a third if asked for, or None for a skipped photo."""
        photo, target = self.samples[index]
        try:
            prepared = self.cache.get(photo, with_hands=self.with_hands)
        except HandprepError as error:
            if self.on_error == "raise" or not is_fault_of_photo(error):
                raise
            self._warn_once(photo, error)
            return None
        picture = prepared.picture if self.transform is None else self.transform(prepared.picture)
        target = target if self.target_transform is None else self.target_transform(target)
        return (picture, target, prepared.hands) if self.with_hands else (picture, target)

    def prepare(self, *, workers: int | None = None, progress: bool | Progress = False) -> PrepareResult:
        """Prepare ahead all photos that are not in the cache, in threads of this process.

        The same call again carries on where an earlier one ended, even if that was killed.

        Parameters
        ----------
        workers
            Threads; None for one a core.
        progress
            Whether to draw a progress bar on standard error; or a function that is called with the
            number of photos done and the number of all, after each photo.

        Returns
        -------
        PrepareResult
            With the reasons for photos that cannot be prepared, if `on_error` is ``"skip"``.

        Raises
        ------
        ImageError, HandNotFoundError
            For the first photo that cannot be prepared, if `on_error` is ``"raise"``.
        OutputError
            If the cache cannot be written.
        ModelError, MissingExtraError
            If a model file or a package that the pipeline needs cannot be had.
        """
        photos = [photo for photo, _ in self.samples]
        return self.cache.prepare(photos, workers=workers, progress=progress, on_error=self.on_error)

    def extra_repr(self) -> str:
        """Return what `repr` adds: the cache and the pipeline."""
        return f"Cache location: {self.cache.folder}\n{self.pipeline!r}"

    def _picture(self, photo: str) -> Any:
        return self.cache.get(photo).picture

    def _warn_once(self, photo: str, error: HandprepError) -> None:
        if photo not in self._warned:
            _log.warning("%s is left out: %s", printable(photo), error)
        self._warned.add(photo)


def collate(items: Sequence[Any]) -> tuple[Any, ...] | None:
    """Make a batch of the items of a `PreparedImageFolder`; give it to a DataLoader as ``collate_fn``.

    Parameters
    ----------
    items
        What the dataset gave; None where a photo was skipped.

    Returns
    -------
    tuple or None
        Pictures and targets without the skipped ones, as `torch.utils.data.default_collate` makes
        batches of them; hands, if the items have them, as a list with each item's. None if all were skipped.

    Examples
    --------
    >>> collate([(1.0, 0), None, (2.0, 1)])
    (tensor([1., 2.], dtype=torch.float64), tensor([0, 1]))
    """
    kept = [item for item in items if item is not None]
    if not kept:
        return None
    pictures, targets, *hands = zip(*kept, strict=True)
    return (default_collate(pictures), default_collate(targets), *map(list, hands))


def _is_photo(above: str, path: str) -> bool:
    """Tell whether a file is a photo by its ending, and not hidden, nor any folder on the way to it."""
    names = path.removeprefix(above).split(os.sep)  # noqa: PTH206 - one for every file
    return path.rpartition(".")[2].lower() in ENDINGS and not any(map(is_hidden, names))
