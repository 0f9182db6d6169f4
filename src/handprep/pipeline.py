"""Transforms one after the other, and many images through them."""

import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import cv2

import handprep
from handprep import images, models, running
from handprep.configurable import model_files_of
from handprep.detection.base import HandDetector
from handprep.detection.tracking import OneEuro
from handprep.errors import InputError
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad

if TYPE_CHECKING:
    from handprep.explain import Explanation


@dataclass(frozen=True, slots=True, repr=False, init=False)
class Pipeline(Transform):
    """Transforms applied one after the other; itself a transform.

    It is a sequence: ``len(pipeline)``, ``pipeline[0]``, ``pipeline[:2]`` and ``pipeline + [Greyscale()]`` do
    as with a list. A notebook shows its steps.

    A large photo is decoded at a reduced size where its format allows it and the pipeline ends in a
    `ResizePad`; where the crop turns out to need more, the photo is decoded again, finer.

    Parameters
    ----------
    transforms
        The transforms, in order; anything else is an `InputError`.

    Examples
    --------
    >>> pipeline = Pipeline([ResizePad(64), Greyscale()])
    >>> pipeline == Pipeline.from_json(pipeline.to_json())
    True
    """

    transforms: Sequence[Transform]

    def __init__(self, transforms: Iterable[Transform], *others: Transform) -> None:
        if others or not isinstance(transforms, Iterable) or isinstance(transforms, str):
            raise InputError("a pipeline takes one list: write Pipeline([HandCropper(), ResizePad(64)])")
        object.__setattr__(self, "transforms", tuple(transforms))
        for transform in self.transforms:
            if not isinstance(transform, Transform):
                advice = f": write {transform.__name__}()" if isinstance(transform, type) else ""
                raise InputError(f"a pipeline is made of transforms, not {transform!r:.200}{advice}")

    def __len__(self) -> int:
        return len(self.transforms)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.transforms)

    @overload
    def __getitem__(self, index: int) -> Transform: ...

    @overload
    def __getitem__(self, index: slice) -> "Pipeline": ...

    def __getitem__(self, index: int | slice) -> "Transform | Pipeline":
        found = self.transforms[index]
        return found if isinstance(found, Transform) else Pipeline(found)

    def __add__(self, others: Iterable[Transform] | Transform) -> "Pipeline":
        more = others if isinstance(others, Iterable) else [others]
        return Pipeline([*self.transforms, *more])

    def _repr_html_(self) -> str:
        def shown(part: Transform) -> str:
            if isinstance(part, Pipeline):
                return part._repr_html_()
            values = ", ".join(f"{name}={value!r}" for name, value in part.changed.items())
            return f"<b>{type(part).__name__}</b> {html.escape(values)}"

        return f"<ol start=0>{''.join(f'<li>{shown(part)}</li>' for part in self)}</ol>"

    def __repr__(self) -> str:
        lines = "".join(f"    {transform!r},\n" for transform in self.transforms)
        return f"Pipeline([\n{lines}])" if lines else "Pipeline([])"

    @property
    def output_size(self) -> tuple[int, int] | None:
        """Height and width of every result, where a transform fixes them."""
        sizes = [transform.output_size for transform in self.transforms]
        return next((size for size in reversed(sizes) if size), None)

    @property
    def reads_alpha(self) -> bool:
        """Whether one of the transforms takes images with their own alpha."""
        return any(transform.reads_alpha for transform in self.transforms)

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the transforms, but of their detectors only the first one's, as the others do not run."""
        needed = model_files_of(self.finder())
        for part in self.parts:
            needed |= part.model_files - model_files_of(part.finder())
        return needed

    def finder(self) -> HandDetector | None:
        """Return the first transform's that has one."""
        return next((finder for part in self.parts if (finder := part.finder())), None)

    def apply(self, sample: Sample) -> Sample:
        """Return the sample after all transforms."""
        for transform in self.transforms:
            sample = transform.apply(sample)
        return sample

    def run(self, image: Any, *, name: str | None = None) -> Sample:
        """Take an image through all transforms and return the whole `Sample`.

        Parameters
        ----------
        image
            A path, bytes, binary file, PIL image, RGB array, CHW tensor or `Sample`.
        name
            What to call bytes or a binary file, in messages and as `Sample.source`.
        """
        photo = running.Photo(self, image, name)
        return photo.finished(photo.sample, self)

    def each(self, image: Any, *, name: str | None = None) -> Iterator[Sample]:
        """Yield one finished sample for every hand of a photo, given as to `run`; hands are detected once.

        The hands come in the order of `HandCropper.hand`, the best or the largest first; with ``"left"`` or
        ``"right"`` only those of that side. `HandCropper.max_hands` says how many are looked for. In each
        sample its hand is `Sample.hand`, and the others follow. A photo without a hand gives what `run`
        gives, or nothing if it is skipped.

        Raises
        ------
        InputError
            If no transform is a `HandCropper`, or it crops around ``"all"`` hands.

        Examples
        --------
        >>> import numpy as np
        >>> pipeline = Pipeline([HandCropper(max_hands=10, on_missing="skip"), ResizePad(64)])
        >>> [sample.size for sample in pipeline.each(np.zeros((90, 120, 3), np.uint8))]
        []
        """
        return running.each(self, image, name)

    @property
    def cropper(self) -> HandCropper | None:
        """The first `HandCropper`, or None if there is none."""
        return next((part for part in self.parts if isinstance(part, HandCropper)), None)

    def first_cropper(self) -> HandCropper:
        """Return the `HandCropper` that `each` lets detect, or raise InputError if there is none for it."""
        cropper = self.cropper
        if cropper is None:
            raise InputError("an image for each hand needs a HandCropper in the pipeline: add one")
        if cropper.hand == "all":
            raise InputError("an image for each hand needs another hand than 'all', such as 'best'")
        return cropper

    @property
    def parts(self) -> tuple[Transform, ...]:
        """The transforms, those of pipelines within it one by one."""
        nested = (part.parts if isinstance(part, Pipeline) else (part,) for part in self.transforms)
        return tuple(part for parts in nested for part in parts)

    def parted_at(self, part: Transform) -> "tuple[Pipeline, Pipeline]":
        """Return what comes before one of the `parts`, and what begins with it."""
        index = self.parts.index(part)
        return Pipeline(self.parts[:index]), Pipeline(self.parts[index:])

    def explain(self, image: Any, *, name: str | None = None) -> "Explanation":
        """Take an image, given as to `run`, and show what each step did, or why no hand was found.

        Examples
        --------
        >>> import numpy as np
        >>> Pipeline([ResizePad(32), Greyscale()]).explain(np.zeros((48, 64, 3), np.uint8))
        the given image: 64 x 48 pixels
        ResizePad: 32 x 32 pixels, size (32, 32), scale 0.5, left 0, top 4
        Greyscale: 32 x 32 pixels, channels 1
        """
        from handprep.explain import explain  # noqa: PLC0415 - which runs pipelines

        return explain(self, image, name)

    def map(
        self,
        images: Iterable[Any],
        *,
        workers: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> Iterator[Sample]:
        """Take many images through the pipeline in threads, and yield their samples in order.

        Memory is bounded: images are taken from the iterable only a few ahead of the results that
        were fetched. Skipped samples (``on_missing="skip"``) are left out.

        Parameters
        ----------
        images
            Images of any kind that `run` takes.
        workers
            Threads; None for one a core. The networks and OpenCV release Python's lock.
        on_error
            What to do about an image that fails: ``"raise"`` its `HandprepError`, which has a note of which
            image it was, or ``"skip"`` it with a warning in the log ``handprep.pipeline``. A fault that is no
            image's, such as a missing model file, is always raised.
        """
        return (sample for _, sample in self.map_indexed(images, workers=workers, on_error=on_error))

    def map_indexed(
        self,
        images: Iterable[Any],
        *,
        workers: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> Iterator[tuple[int, Sample]]:
        """Do as `map`, and yield with each sample the index of its image among those given.

        Examples
        --------
        >>> import numpy as np
        >>> batch = [np.zeros((8, 8, 3), np.uint8), b"broken"]
        >>> [index for index, _ in Pipeline([ResizePad(4)]).map_indexed(batch, on_error="skip")]
        [0]
        """
        return running.many(self, images, workers, on_error)

    def stream(
        self,
        frames: Iterable[Any],
        *,
        search: Literal["never", "first", "always"] = "never",
        smooth: bool | OneEuro = False,
    ) -> Iterator[Sample]:
        """Take the frames of a clip or camera through the pipeline, following its hands, in order.

        The landmark network looks where a hand was in the frame before. The palm network, which takes as much
        time, looks only while fewer hands are followed than the first `HandCropper` wants: `max_hands`, or by
        default 1 for ``hand="best"``, 20 for ``"all"`` and else 2. Of several, the hand that is known for
        longest is the best one. Samples have `Hand.track`; skipped ones (``on_missing="skip"``) are left out.

        Parameters
        ----------
        frames
            Images of any kind that `run` takes, such as `handprep.video.frames` yields. All that is known
            from frame to frame is in the iterator that is returned, and goes with it.
        search
            Whether other views and parts of a frame without a hand are searched (`SearchingDetector`), which
            takes up to a second: ``"never"``, only until the ``"first"`` hand was found, or ``"always"``.
        smooth
            Whether landmarks are smoothed, by `OneEuro` as by default or as given.

        Raises
        ------
        InputError
            If no transform is a `HandCropper`, or a parameter is none of its choices.
        HandprepError
            At the first frame that cannot be read or prepared.

        Examples
        --------
        >>> import numpy as np
        >>> pipeline = Pipeline([HandCropper(on_missing="keep"), ResizePad(64)])
        >>> [len(done.hands) for done in pipeline.stream([np.zeros((90, 120, 3), np.uint8)] * 2)]
        [0, 0]
        """
        return running.stream(self, frames, search, smooth)

    def to_json(self) -> str:
        """Return the pipeline as JSON text."""
        return json.dumps({"handprep": handprep.__version__, "pipeline": self.to_dict()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Pipeline":
        """Build the pipeline that `to_json` wrote; other text is an `InputError`.

        The text can name handprep's parts and nothing else.
        """
        try:
            return cls.from_dict(json.loads(text)["pipeline"])
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"this is not a pipeline as Pipeline.to_json writes it: {error!r:.200}"
            raise InputError(problem) from error

    def fingerprint(self) -> str:
        """Return a hex digest of what results depend on.

        These are the parameters, the `version` of each part's code, the content of the model files, and
        OpenCV's major version.
        """
        parts = {
            "versions": {"read": images.VERSION, "opencv": cv2.__version__.partition(".")[0]} | self.versions,
            "pipeline": self.to_dict(),
            "models": sorted(map(models.fingerprint, self.model_files)),  # names may hold a machine's paths
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def study_pipeline(size: int = 300) -> Pipeline:
    """Return the founding study's preprocessor: crop to the hand, resize to `size` with padding, make grey.

    It looks once, at confidence 0.1, and keeps the whole image where it finds nothing. The study
    resized to 300 pixels on a side, later to 64, and had given up removing the background.
    """
    return Pipeline([HandCropper(confidence=0.1, search=False), ResizePad(size), Greyscale()])
