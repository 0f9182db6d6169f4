"""What a pipeline does to one photo, step by step, and why it finds no hand."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

from handprep import drawing, geometry, images
from handprep.detection.base import HandDetector, LandmarkDetector
from handprep.detection.search import CONFIRMING, SearchingDetector
from handprep.detection.views import View, recolour
from handprep.errors import HandNotFoundError
from handprep.images.arrays import shrunk
from handprep.pipeline import Pipeline
from handprep.sample import Hand, Image, Sample
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper

SIDE, VIEW_SIDE, VIEWS_IN_A_ROW = 256, 152, 9  # pixels of a tile, and of a view's


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Explanation:
    """What a pipeline did to a photo, step by step. A notebook shows it as a row of images with captions.

    Attributes
    ----------
    pipeline
        The pipeline.
    samples
        The photo as it was decoded, then the sample after each transform.
    error
        The `HandNotFoundError` that ended the pipeline (``on_missing="raise"`` or ``"skip"``), or None.
    """

    pipeline: Pipeline
    samples: tuple[Sample, ...]
    error: HandNotFoundError | None = None

    def __repr__(self) -> str:
        return "\n".join(caption.replace("\n", ": ", 1).replace("\n", ", ") for caption in self.captions)

    def _repr_png_(self) -> bytes:
        return images.encode(Sample(image=self.to_image()), "png")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_image` to a PNG, JPEG or WebP file."""
        images.write(Sample(image=self.to_image()), path)

    def to_image(self) -> Image:
        """Return the steps as one uint8 ``(H, W, 3)`` RGB image.

        Without a hand it shows what each view of the photo shows, too, which takes as long as the search.
        """
        last = self.samples[-1]
        result = replace(last, hands=(), alpha=last.alpha if last.transparent else None)
        shown = (self.photo, *self.samples[1:], *(() if self.error else (result,)))
        tiles = [drawing.thumbnail(sample, SIDE, SIDE) for sample in shown]
        views = self._missing()[1] if self.photo.hands == () else iter(())
        rows = [drawing.side_by_side([*zip(tiles, (*self.captions, "the result"), strict=False)], side=SIDE)]
        while row := [look.tile() for look in islice(views, VIEWS_IN_A_ROW)]:
            rows.append(drawing.side_by_side(row, side=VIEW_SIDE))
        return drawing.stack(rows)

    @property
    def photo(self) -> Sample:
        """The photo as it was decoded, with the hands that were found in it."""
        photo = self.samples[0]
        if self.error:
            return replace(photo, hands=())
        later = next((sample for sample in self.samples if sample.hands is not None), photo)
        back = geometry.compose(later.to_source, geometry.invert(photo.to_source))
        return replace(photo, hands=later.hands and tuple(hand.transformed(back) for hand in later.hands))

    @property
    def captions(self) -> tuple[str, ...]:
        """Of the photo: what was found, or why nothing; of each step: what was chosen and decided."""
        photo = self.photo
        steps = zip(self.pipeline.parts, self.samples, self.samples[1:], strict=False)
        found = [f"{hand.caption}, view {hand.view}" for hand in photo.hands or ()]
        lines = [photo.name, _size(photo), *(found if photo.hands != () else [self._missing()[0]])]
        return ("\n".join(lines), *(_caption(*step) for step in steps))

    def _missing(self) -> "tuple[str, Iterator[Look]]":
        """Return why no hand was found, and what the views of the photo show, found as they are asked for."""
        steps = zip(self.pipeline.parts, self.samples, strict=False)
        asked = [(part, finder, sample) for part, sample in steps if (finder := part.finder())]
        for part, _, sample in asked:
            cropper = part if isinstance(part, HandCropper) and part.hand in ("left", "right") else None
            if cropper and (others := cropper.with_hands(sample).hands):
                return f"not the wanted hand; found {', '.join(hand.caption for hand in others)}", iter(())
        # unless the photo came with no hands, so that none was looked for
        detector, image = asked[0][1:] if asked else (HandCropper().finder(), self.samples[0])
        count = len(detector.each_view) if isinstance(detector, SearchingDetector) else 0
        tried = f"{count} other views convinced no more" if count else "no other view was tried"
        scores = next(looks(detector, image.rgb)).scores
        return f"no hand: {', '.join(scores)}; {tried}", looks(detector, image.rgb)


class Look(NamedTuple):
    """What a detector sees in a view of an image: the best palm, however doubtful, and the hand there."""

    view: View
    image: Image
    hand: Hand | None
    scores: list[str]  # what the networks say, and what they would have to

    def tile(self) -> drawing.Tile:
        """Return the view with the hand in it, and its scores."""
        hands = () if self.hand is None else (self.hand,)
        drawn = drawing.thumbnail(Sample(image=self.image, hands=hands), VIEW_SIDE, VIEW_SIDE)
        return drawn, "\n".join([self.view.name, *self.scores])


def looks(detector: HandDetector, image: Image) -> Iterator[Look]:
    """Yield what a detector sees in an image as it is, then in each view that its search tries."""
    single = detector.detector if isinstance(detector, SearchingDetector) else detector
    others = detector.each_view if isinstance(detector, SearchingDetector) else ()
    palms = single if isinstance(single, LandmarkDetector) else None
    small, _ = shrunk(image, CONFIRMING)
    for view in (View(presence=palms.least_presence if palms else 0.0), *others):
        shown, hand, scores = recolour(small, view.light), None, ["no scores from this detector"]
        if view.pad or view.turn:
            shown, _ = view.show(shown, round(max(small.shape) * (1 + 2 * view.pad)))
        if palms:
            best = palms.propose(shown)[0]
            hand = replace(palms.look(shown, best.region), palm_score=best.score)
            palm = f"best palm {best.score:.2f} of {getattr(single, 'confidence', 0.0):g}"
            scores = [palm, f"presence {hand.score:.2f} of {view.presence:g}"]
        yield Look(view, shown, hand, scores)


def explain(pipeline: Pipeline, image: Any, name: str | None = None) -> Explanation:
    """Take an image through a pipeline and keep the sample after each step."""
    recorder, missing = _Recorder(pipeline.transforms), None
    try:
        recorder.run(image, name=name)
    except HandNotFoundError as error:
        missing = error
    return Explanation(pipeline=pipeline, samples=tuple(recorder.samples), error=missing)


@dataclass(frozen=True, slots=True)
class _Recorder(Pipeline):
    """A pipeline that keeps what lies between its transforms, of its last run."""

    samples: list[Sample] = field(default_factory=list, init=False)

    def apply(self, sample: Sample) -> Sample:
        self.samples[:] = [sample]
        for transform in self.parts:
            self.samples.append(transform.apply(self.samples[-1]))
        return self.samples[-1]


def _caption(transform: Transform, before: Sample, after: Sample) -> str:
    facts = {"margin": transform.margin} if isinstance(transform, HandCropper) else {}
    facts |= transform.changed
    for step in after.steps[len(before.steps) :]:
        facts |= step.details
    words = []
    for name, fact in facts.items():
        if fact is not None and fact is not False:
            said = "" if fact is True else f" {fact:.3g}" if isinstance(fact, float) else f" {fact}"
            words.append(name.replace("_", " ") + said)
    return "\n".join([type(transform).__name__, _size(after), ", ".join(words)])


def _size(sample: Sample) -> str:
    width, height = sample.size
    return f"{width} x {height} pixels"
