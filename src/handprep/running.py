"""How a pipeline takes images: one, each hand of one, many in threads, and the frames of a clip."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from handprep import geometry, images
from handprep.configurable import check_choice
from handprep.detection.tracking import OneEuro
from handprep.errors import HandprepError, InputError, SampleSkipped
from handprep.runtime import single_threaded_opencv
from handprep.sample import Sample
from handprep.threads import ordered_map

if TYPE_CHECKING:
    from handprep.pipeline import Pipeline

_log = logging.getLogger("handprep.pipeline")

ENOUGH_TO_FIND = 960  # pixels on the long side: a ninth of the photo then has more than the palm network sees
ROOM_TO_CROP = 3  # a hand often fills a third of a photo: so much longer is what is read than is asked for


class Photo:
    """A photo that is decoded at a reduced size first where a pipeline ends at a size of its own."""

    def __init__(self, pipeline: "Pipeline", image: Any, name: str | None) -> None:
        reduced, output_size = None, pipeline.output_size
        if output_size is not None and images.is_file(image):
            image, name = images.as_file(image, name)  # which can be read a second time
            reduced = max(ENOUGH_TO_FIND, ROOM_TO_CROP * max(output_size))
        self._pipeline, self._read = pipeline, partial(pipeline.read, image, name=name)
        self.sample = self._finest = self._read(at_least=reduced)

    def finished(self, sample: Sample, remaining: "Pipeline") -> Sample:
        """Return its sample after the remaining transforms, from a finer decoding if the crop needs one."""
        done = remaining.apply(sample)
        reduction = geometry.scale_of(self.sample.to_source)
        lost = reduction / geometry.scale_of(done.to_source)
        if reduction <= 1 or lost <= 1:
            return done
        at_least = int(max(self.sample.size) * min(lost, reduction))
        if max(self._finest.size) < at_least:  # kept for further hands of the photo
            self._finest = self._read(at_least=at_least)
        finer = self._finest
        if done.hands is not None:  # found already: need not be looked for again
            back = geometry.compose(done.to_source, geometry.invert(finer.to_source))
            finer = replace(finer, hands=tuple(hand.transformed(back) for hand in done.hands))
        return self._pipeline.apply(finer)


def each(pipeline: "Pipeline", image: Any, name: str | None) -> Iterator[Sample]:
    """Yield a finished sample for each hand of a photo; see `Pipeline.each`."""
    cropper = pipeline.first_cropper()
    before, after = pipeline.parted_at(cropper)
    photo = Photo(pipeline, image, name)
    detected = cropper.with_hands(before.apply(photo.sample))
    eligible = cropper.eligible(detected.hands or ())
    with suppress(SampleSkipped):
        for hand in eligible:
            yield photo.finished(detected.with_first(hand), after)
        if not eligible:
            yield after.apply(detected)


def many(
    pipeline: "Pipeline", given: Iterable[Any], workers: int | None, on_error: str
) -> Iterator[tuple[int, Sample]]:
    """Yield indices and finished samples of many images; see `Pipeline.map`."""
    check_choice("on_error", on_error, ("raise", "skip"))
    if isinstance(given, str | bytes | os.PathLike):
        raise InputError(f"map takes many images, such as a list of paths, not {given!r:.100}; use run")

    def outcome(image: Any) -> Sample | Exception:
        try:
            return pipeline.run(image)
        except (HandprepError, OSError, MemoryError) as error:
            return error

    with closing(ordered_map(outcome, given, workers=workers)) as results:
        for index, result in enumerate(results):
            if isinstance(result, Sample):
                yield index, result
            elif isinstance(result, SampleSkipped):
                continue
            elif on_error == "raise" or getattr(result, "concerns_all", False):
                result.add_note(f"This was image {index} of those given, counted from 0.")
                raise result
            else:
                _log.warning("left out image %d: %s", index, result or type(result).__name__)


def stream(
    pipeline: "Pipeline", frames: Iterable[Any], search: Any, smooth: bool | OneEuro
) -> Iterator[Sample]:
    """Return an iterator of the finished frames of a clip; see `Pipeline.stream`."""
    check_choice("search", search, ("never", "first", "always"))
    if isinstance(frames, str | bytes | os.PathLike | Sample):
        raise InputError(
            f"stream takes many frames, such as handprep.video.frames(clip) yields, not {frames!r:.100}"
        )
    if not isinstance(smooth, bool | OneEuro):
        raise InputError(f"smooth must be True, False or a OneEuro, not {smooth!r:.100}")
    cropper = pipeline.cropper
    if cropper is None:
        raise InputError("a stream follows the hands that a HandCropper wants: add one to the pipeline")
    tracker = cropper.tracker(search=search, smooth=OneEuro() if smooth is True else smooth or None)
    before, after = pipeline.parted_at(cropper)

    def followed() -> Iterator[Sample]:
        with single_threaded_opencv():
            for frame in frames:
                sample = before.apply(pipeline.read(frame))
                if sample.hands is None:
                    hands = tracker(sample.rgb, sample.time)
                    if cropper.hand == "largest":
                        hands = cropper.ordered(hands)
                    sample = replace(sample, hands=hands)
                with suppress(SampleSkipped):
                    yield after.apply(sample)

    return followed()
