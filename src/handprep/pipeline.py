"""Transforms one after the other, and many pictures through them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

import handprep
from handprep import geometry, images, models
from handprep.configurable import check_choice
from handprep.errors import HandprepError, InputError, MissingExtraError, ModelError, SampleSkipped
from handprep.sample import Sample
from handprep.threads import ordered_map
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad

_log = logging.getLogger(__name__)

ENOUGH_TO_FIND = 640  # pixels on the long side: no detector here looks at more than 224 × 224 at once
NO_PICTURES_FAULT = (ModelError, MissingExtraError)  # these would only come again at the next picture
ROOM_TO_CROP = 3  # a hand often fills a third of a photo: so much longer is what is read than is asked for


@dataclass(frozen=True, slots=True, repr=False)
class Pipeline(Transform):
    """Transforms applied one after the other; itself a transform.

    A large photo is decoded at a reduced size where its format allows it and the pipeline ends in a
    `ResizePad`; where the crop turns out to need more, the photo is decoded again, finer.

    Parameters
    ----------
    transforms
        The transforms, in order.

    Raises
    ------
    InputError
        If something in it is not a `Transform`.

    Examples
    --------
    >>> pipeline = Pipeline([ResizePad(64), Greyscale()])
    >>> pipeline == Pipeline.from_json(pipeline.to_json())
    True
    """

    transforms: Sequence[Transform]

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(self.transforms))
        for transform in self.transforms:
            if not isinstance(transform, Transform):
                raise InputError(f"a pipeline is made of transforms, not {transform!r}")

    def __repr__(self) -> str:
        lines = "".join(f"    {transform!r},\n" for transform in self.transforms)
        return f"Pipeline([\n{lines}])" if lines else "Pipeline([])"

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of every result, where a transform fixes them."""
        sizes = [transform.output_size for transform in self.transforms]
        return next((size for size in reversed(sizes) if size), None)

    @property
    def looks(self) -> bool:
        """Whether one of the transforms looks for hands."""
        return any(transform.looks for transform in self.transforms)

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the transforms, but for detectors that are never asked, as one before has looked."""
        return self.model_files_after(looked=False)

    def model_files_after(self, looked: bool) -> frozenset[str]:
        """Return the model files of the transforms where somebody has looked before, or nobody has."""
        needed: frozenset[str] = frozenset()
        for transform in self.transforms:
            needed |= transform.model_files_after(looked)
            looked = looked or transform.looks
        return needed

    def apply(self, sample: Sample) -> Sample:
        """Return the sample after all transforms."""
        for transform in self.transforms:
            sample = transform.apply(sample)
        return sample

    def run(self, picture: Any, *, name: str | None = None) -> Sample:
        """Take a picture through all transforms and return the whole `Sample`.

        Parameters
        ----------
        picture
            A path, bytes, binary file, PIL image, RGB array, CHW tensor or `Sample`.
        name
            What to call bytes or a binary file, in messages and as `Sample.source`.
        """
        if not images.is_file(picture) or self.output_size is None:
            return self.apply(images.read(picture, name=name))
        picture, name = images.as_file(picture, name)  # which can be read a second time
        return self._run_reduced(picture, name, max(ENOUGH_TO_FIND, ROOM_TO_CROP * max(self.output_size)))

    def _run_reduced(self, picture: Any, name: str | None, at_least: int) -> Sample:
        reduced = images.read(picture, at_least=at_least, name=name)
        done = self.apply(reduced)
        reduction = geometry.scale_of(reduced.to_source)
        lost = reduction / geometry.scale_of(done.to_source)  # decoded pixels are so much coarser
        if reduction <= 1 or lost <= 1:
            return done
        finer = images.read(picture, at_least=int(max(reduced.size) * min(lost, reduction)), name=name)
        if done.hands is not None:  # found already: need not be looked for again
            back = geometry.compose(done.to_source, geometry.invert(finer.to_source))
            finer = replace(finer, hands=tuple(hand.moved(back) for hand in done.hands))
        return self.apply(finer)

    def map(
        self,
        pictures: Iterable[Any],
        *,
        workers: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> Iterator[Sample]:
        """Take many pictures through the pipeline in threads, and yield their samples in order.

        Memory is bounded: pictures are taken from the iterable only a few ahead of the results that
        were fetched. Skipped samples (``on_missing="skip"``) are left out.

        Parameters
        ----------
        pictures
            Pictures of any kind that `run` takes.
        workers
            Threads; None for one a core. The networks and OpenCV release Python's lock.
        on_error
            What to do about a picture that fails: ``"raise"`` its error, which has a note of which
            picture it was, or ``"skip"`` it with a warning in the log ``handprep.pipeline``.

        Raises
        ------
        HandprepError
            At the place of the first picture that fails; with ``"skip"`` only if the fault is no
            picture's, such as a missing model file.
        """
        for _, sample in self.map_indexed(pictures, workers=workers, on_error=on_error):
            yield sample

    def map_indexed(
        self,
        pictures: Iterable[Any],
        *,
        workers: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> Iterator[tuple[int, Sample]]:
        """Do as `map`, and yield with each sample the index of its picture among those given.

        Examples
        --------
        >>> import numpy as np
        >>> batch = [np.zeros((8, 8, 3), np.uint8), b"broken"]
        >>> [index for index, _ in Pipeline([ResizePad(4)]).map_indexed(batch, on_error="skip")]
        [0]
        """
        check_choice("on_error", on_error, ("raise", "skip"))
        with closing(ordered_map(self._outcome, pictures, workers=workers)) as results:
            for index, outcome in enumerate(results):
                if isinstance(outcome, Sample):
                    yield index, outcome
                elif isinstance(outcome, SampleSkipped):
                    continue
                elif on_error == "raise" or isinstance(outcome, NO_PICTURES_FAULT):
                    outcome.add_note(f"This was picture {index} of those given, counted from 0.")
                    raise outcome
                else:
                    _log.warning("left out picture %d: %s", index, outcome or type(outcome).__name__)

    def _outcome(self, picture: Any) -> Sample | Exception:
        try:
            return self.run(picture)
        except (HandprepError, OSError, MemoryError) as error:
            return error

    def to_json(self) -> str:
        """Return the pipeline as JSON text."""
        return json.dumps({"handprep": handprep.__version__, "pipeline": self.to_dict()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Pipeline:
        """Build the pipeline that `to_json` wrote. The text can name handprep's parts and nothing else.

        Raises
        ------
        InputError
            If the text is not such JSON.
        """
        try:
            data = json.loads(text)
            return cls.from_dict(data["pipeline"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"this is not a pipeline as Pipeline.to_json writes it: {error!r:.200}"
            ) from error

    def fingerprint(self) -> str:
        """Return a hex digest of what results depend on: parameters, handprep's version, model files."""
        parts = {
            "handprep": handprep.__version__,
            "pipeline": self.to_dict(),
            "models": sorted(map(models.fingerprint, self.model_files)),  # names may hold a machine's paths
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def study_pipeline(size: int = 300) -> Pipeline:
    """Return the founding study's preprocessor: crop to the hand, resize with padding, make grey.

    It looks once, at confidence 0.1, and keeps the whole picture where it finds nothing. The study
    resized to 300 pixels, later to 64, and had given up removing the background.

    Parameters
    ----------
    size
        Pixels on a side of the result.
    """
    return Pipeline([HandCropper(confidence=0.1, search=False), ResizePad(size), Greyscale()])
