"""What every transform is: an immutable value with one method to write, `apply`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep import images
from handprep.configurable import Configurable, model_files_of
from handprep.detection.base import HandDetector
from handprep.errors import HandNotFoundError, HandprepError, InputError, SampleSkipped
from handprep.geometry import Affine
from handprep.images import tensors
from handprep.sample import Hand, Sample


class Transform(Configurable):
    """A step from sample to sample.

    To write one, make a frozen dataclass of its parameters and give it `apply`. It must hold no open
    model and no other state, and must carry along everything that a `Sample` holds.

    Examples
    --------
    >>> from dataclasses import dataclass, replace
    >>> @dataclass(frozen=True, slots=True, kw_only=True)
    ... class Negative(Transform):
    ...     def apply(self, sample: Sample) -> Sample:
    ...         return replace(sample, image=255 - sample.image).with_step("Negative")
    >>> Negative()
    Negative()
    """

    __slots__ = ()

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of every result, where this transform fixes them; else None."""
        return None

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the parameters and of the detector."""
        return model_files_of((*self.parameters.values(), self.finder()))

    @property
    def reads_alpha(self) -> bool:
        """Whether images are to be read with their own alpha instead of laid over white."""
        return False

    def finder(self) -> HandDetector | None:
        """Return the detector that it runs if no transform before it did, or None if it needs no hands."""
        return None

    def apply(self, sample: Sample) -> Sample:
        """Return the transformed sample."""
        raise NotImplementedError(f"{type(self).__name__} must define apply(sample)")

    def run(self, image: Any) -> Sample:
        """Transform an image and return the whole `Sample`.

        Parameters
        ----------
        image
            A path, bytes, binary file, PIL image, RGB array, CHW tensor or `Sample`.
        """
        return self.apply(self.read(image))

    def read(self, image: Any, **options: Any) -> Sample:
        """Read an image as `handprep.images.read` does with these options, and its alpha if that is taken."""
        return images.read(image, alpha="keep" if self.reads_alpha else "flatten", **options)

    def __call__(self, image: Any, *others: Any) -> Any:
        """Transform an image and return the same kind as given (a path gives an RGB array).

        Parameters
        ----------
        image
            Anything that `run` takes; or a batch, a ``(..., 3, H, W)`` or ``(..., 1, H, W)`` tensor, whose
            results must be of one size to make one again.
        others
            Nothing. A joint ``Compose`` gives annotations here, for which there is
            `handprep.integrations.torchvision.V2Transform`.
        """
        if others or (isinstance(image, dict) and not images.is_file(image)):
            raise InputError(
                "a transform takes one image. For an image with annotations, wrap it in "
                "handprep.integrations.torchvision.V2Transform, which moves both"
            )
        if not tensors.is_batch(image):
            return images.to_type_of(self.run(images.as_view(image)), image)
        samples = []
        for index, one in enumerate(tensors.unbatch(image)):
            try:
                samples.append(self.run(one))
            except HandprepError as error:
                error.add_note(f"This was image {index} of the batch, counted from 0.")
                raise
        return tensors.like_batch(samples, image)


def apply_with(transform: Transform, image: Any, hands: tuple[Hand, ...] | None) -> Sample:
    """Run a transform on an image whose hands are known."""
    return transform.apply(replace(images.read(image), hands=hands))


def moved(sample: Sample, forward: Affine, move: Callable[[NDArray[np.uint8]], Any]) -> Sample:
    """Return the sample after `move` has moved the pixels of its image and its alpha by an affine map."""
    alpha = None if sample.alpha is None else np.asarray(move(sample.alpha), np.uint8)
    return sample.transformed(forward, np.asarray(move(sample.image), np.uint8), alpha)


def refuse_missing(sample: Sample, on_missing: str, what: str, advice: str) -> None:
    """Raise what `on_missing` asks for where no hand was found; other choices than these go on."""
    if on_missing == "raise":
        raise HandNotFoundError(f"no {what} found in {sample.name}; {advice}")
    if on_missing == "skip":
        raise SampleSkipped(f"no {what} found in {sample.name}, which is skipped (on_missing='skip')")
