"""Transforms one after the other, and many images through them."""

from __future__ import annotations

import hashlib
import html
import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

import cv2

import handprep
from handprep import geometry, images, models
from handprep.configurable import check_choice, model_files_of
from handprep.detection.base import HandDetector
from handprep.detection.tracking import OneEuro, Tracker
from handprep.errors import HandprepError, InputError, SampleSkipped
from handprep.runtime import single_threaded_opencv
from handprep.sample import Sample
from handprep.threads import ordered_map
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad

if TYPE_CHECKING:
    from handprep.explain import Explanation

_log = logging.getLogger(__name__)

ENOUGH_TO_FIND = 960  # pixels on the long side: a ninth of the photo then has more than the palm network sees
ROOM_TO_CROP = 3  # a hand often fills a third of a photo: so much longer is what is read than is asked for


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

    def __init__(self, transforms: Iterable[Transform], *others: Transform) -> None:
        if others or not isinstance(transforms, Iterable) or isinstance(transforms, str):
            raise InputError("a pipeline takes one list: write Pipeline([HandCropper(), ResizePad(64)])")
        object.__setattr__(self, "transforms", tuple(transforms))
        for transform in self.transforms:
            if isinstance(transform, type) and issubclass(transform, Transform):
                raise InputError(
                    f"a pipeline is made of transforms, not of their classes: write {transform.__name__}()"
                )
            if not isinstance(transform, Transform):
                raise InputError(f"a pipeline is made of transforms, not {transform!r}")

    def __len__(self) -> int:
        return len(self.transforms)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.transforms)

    @overload
    def __getitem__(self, index: int) -> Transform: ...

    @overload
    def __getitem__(self, index: slice) -> Pipeline: ...

    def __getitem__(self, index: int | slice) -> Transform | Pipeline:
        found = self.transforms[index]
        return found if isinstance(found, Transform) else Pipeline(found)

    def __add__(self, others: Iterable[Transform] | Transform) -> Pipeline:
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

    def run(self, picture: Any, *, name: str | None = None) -> Sample:
        """Take an image through all transforms and return the whole `Sample`.

        Parameters
        ----------
        picture
            A path, bytes, binary file, PIL image, RGB array, CHW tensor or `Sample`.
        name
            What to call bytes or a binary file, in messages and as `Sample.source`.
        """
        photo = _Photo(picture, name, self)
        return self._finished(photo, photo.sample)

    def each(self, picture: Any, *, name: str | None = None) -> Iterator[Sample]:
        """Yield one finished sample for every hand of a photo, whose hands are detected once.

        The hands come in the order of `HandCropper.hand`, the best or the largest first; with ``"left"`` or
        ``"right"`` only those of that side. `HandCropper.max_hands` says how many are looked for. In each
        sample its hand is `Sample.hand`, and the others follow. A photo without a hand gives what `run`
        gives, or nothing if it is skipped.

        Parameters
        ----------
        picture, name
            As for `run`.

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
        cropper = self.first_cropper()
        photo = _Photo(picture, name, self)
        before = Pipeline(self.parts[: self.parts.index(cropper)])
        detected = cropper.with_hands(before.apply(photo.sample))
        eligible = cropper.eligible(detected.hands or ())
        after = Pipeline(self.parts[self.parts.index(cropper) :])
        try:
            for hand in eligible:
                yield self._finished(photo, detected.with_first(hand), after)
            if not eligible:
                yield after.apply(detected)
        except SampleSkipped:
            return

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

    def _finished(self, photo: _Photo, sample: Sample, remaining: Pipeline | None = None) -> Sample:
        """Return a photo's sample after the remaining transforms, or all, decoded finer if needed."""
        done = (remaining or self).apply(sample)
        lost = geometry.scale_of(photo.sample.to_source) / geometry.scale_of(done.to_source)
        finer = photo.finer(lost)
        if finer is None:
            return done
        if done.hands is not None:  # found already: need not be looked for again
            back = geometry.compose(done.to_source, geometry.invert(finer.to_source))
            finer = replace(finer, hands=tuple(hand.transformed(back) for hand in done.hands))
        return self.apply(finer)

    def explain(self, picture: Any, *, name: str | None = None) -> Explanation:
        """Take an image through the pipeline and show what each step did, or why no hand was found.

        Parameters
        ----------
        picture, name
            As for `run`.

        Examples
        --------
        >>> import numpy as np
        >>> Pipeline([ResizePad(32), Greyscale()]).explain(np.zeros((48, 64, 3), np.uint8))
        the given image: 64 x 48 pixels
        ResizePad: 32 x 32 pixels, size (32, 32), scale 0.5, left 0, top 4
        Greyscale: 32 x 32 pixels, channels 1
        """
        from handprep.explain import explain  # noqa: PLC0415 - which runs pipelines

        return explain(self, picture, name)

    def map(
        self,
        pictures: Iterable[Any],
        *,
        workers: int | None = None,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> Iterator[Sample]:
        """Take many images through the pipeline in threads, and yield their samples in order.

        Memory is bounded: images are taken from the iterable only a few ahead of the results that
        were fetched. Skipped samples (``on_missing="skip"``) are left out.

        Parameters
        ----------
        pictures
            Images of any kind that `run` takes.
        workers
            Threads; None for one a core. The networks and OpenCV release Python's lock.
        on_error
            What to do about an image that fails: ``"raise"`` its error, which has a note of which
            image it was, or ``"skip"`` it with a warning in the log ``handprep.pipeline``.

        Raises
        ------
        HandprepError
            At the place of the first image that fails; with ``"skip"`` only if the fault is no
            image's, such as a missing model file.
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
        """Do as `map`, and yield with each sample the index of its image among those given.

        Examples
        --------
        >>> import numpy as np
        >>> batch = [np.zeros((8, 8, 3), np.uint8), b"broken"]
        >>> [index for index, _ in Pipeline([ResizePad(4)]).map_indexed(batch, on_error="skip")]
        [0]
        """
        check_choice("on_error", on_error, ("raise", "skip"))
        if isinstance(pictures, str | bytes | os.PathLike):
            raise InputError(
                f"map takes many images, such as a list of paths, not {pictures!r:.100}; use run"
            )
        with closing(ordered_map(self._outcome, pictures, workers=workers)) as results:
            for index, outcome in enumerate(results):
                if isinstance(outcome, Sample):
                    yield index, outcome
                elif isinstance(outcome, SampleSkipped):
                    continue
                elif on_error == "raise" or getattr(outcome, "concerns_all", False):
                    outcome.add_note(f"This was image {index} of those given, counted from 0.")
                    raise outcome
                else:
                    _log.warning("left out image %d: %s", index, outcome or type(outcome).__name__)

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
        longest is the best one.

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

        Yields
        ------
        Sample
            As `run` gives them, with `Hand.track`. Skipped frames (``on_missing="skip"``) are left out.

        Raises
        ------
        InputError
            If no transform is a `HandCropper`, or a parameter is none of its choices.
        HandprepError
            At a frame that cannot be read or prepared.

        Examples
        --------
        >>> import numpy as np
        >>> pipeline = Pipeline([HandCropper(on_missing="keep"), ResizePad(64)])
        >>> [len(done.hands) for done in pipeline.stream([np.zeros((90, 120, 3), np.uint8)] * 2)]
        [0, 0]
        """
        check_choice("search", search, ("never", "first", "always"))
        if isinstance(frames, str | bytes | os.PathLike | Sample):
            raise InputError(
                f"stream takes many frames, such as handprep.video.frames(clip) yields, not {frames!r:.100}"
            )
        if not isinstance(smooth, bool | OneEuro):
            raise InputError(f"smooth must be True, False or a OneEuro, not {smooth!r:.100}")
        cropper = self.cropper
        if cropper is None:
            raise InputError("a stream follows the hands that a HandCropper wants: add one to the pipeline")
        tracker = cropper.tracker(search=search, smooth=OneEuro() if smooth is True else smooth or None)
        return self._followed(frames, tracker, cropper)

    def _followed(self, frames: Iterable[Any], tracker: Tracker, cropper: HandCropper) -> Iterator[Sample]:
        index = self.parts.index(cropper)
        before, after = Pipeline(self.parts[:index]), Pipeline(self.parts[index:])
        with single_threaded_opencv():
            for frame in frames:
                sample = before.apply(self.read(frame))
                if sample.hands is None:
                    hands = tracker(sample.rgb, sample.time)
                    if cropper.hand == "largest":
                        hands = cropper.ordered(hands)
                    sample = replace(sample, hands=hands)
                try:
                    done = after.apply(sample)
                except SampleSkipped:
                    continue
                yield done

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


class _Photo:
    """A photo that is decoded at a reduced size first where a pipeline ends at a size of its own."""

    def __init__(self, picture: Any, name: str | None, pipeline: Pipeline) -> None:
        reduced, output_size = None, pipeline.output_size
        if output_size is not None and images.is_file(picture):
            picture, name = images.as_file(picture, name)  # which can be read a second time
            reduced = max(ENOUGH_TO_FIND, ROOM_TO_CROP * max(output_size))
        self._read = partial(pipeline.read, picture, name=name)
        self.sample = self._finest = self._read(at_least=reduced)

    def finer(self, lost: float) -> Sample | None:
        """Return the photo decoded as much finer as was lost, or None if nothing was lost that it has."""
        reduction = geometry.scale_of(self.sample.to_source)
        if reduction <= 1 or lost <= 1:
            return None
        at_least = int(max(self.sample.size) * min(lost, reduction))
        if max(self._finest.size) < at_least:  # kept for further hands of the photo
            self._finest = self._read(at_least=at_least)
        return self._finest


def study_pipeline(size: int = 300) -> Pipeline:
    """Return the founding study's preprocessor: crop to the hand, resize with padding, make grey.

    It looks once, at confidence 0.1, and keeps the whole image where it finds nothing. The study
    resized to 300 pixels, later to 64, and had given up removing the background.

    Parameters
    ----------
    size
        Pixels on a side of the result.
    """
    return Pipeline([HandCropper(confidence=0.1, search=False), ResizePad(size), Greyscale()])
