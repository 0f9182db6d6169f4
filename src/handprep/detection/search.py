"""Searching other views of an image, and its parts, where the first look finds no hand."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from handprep import geometry
from handprep.configurable import Configurable, check_choice, check_flags
from handprep.detection.base import HandDetector, LandmarkDetector, Proposal, without_duplicates
from handprep.detection.graph import PALM_SIZE
from handprep.detection.litert import LiteRTDetector
from handprep.detection.refinement import confirmed, refined
from handprep.detection.region import Region
from handprep.detection.views import CHANGED, FURTHER, VIEWS, View, recolour, tile_sides
from handprep.errors import InputError
from handprep.geometry import Affine
from handprep.images.arrays import check_rgb, shrunk
from handprep.sample import Hand, Image

LARGEST = 2048  # pixels of the long side of what is looked at first, and cut into tiles
THUMBNAIL, CONFIRMING = 256, 640  # of the copies that views are made of, and that hands are confirmed in

# A hand of the first look that is less present than the first of these must be confirmed, too, and one whose
# palm was weak, if less present than the second.
SURE, SURE_OF_WEAK_PALM, WEAK_PALM = 0.75, 0.9, 0.5
FIRST_LOOK_PRESENCE = 0.5  # what all looks at a doubtful hand of the first look must reach: MediaPipe's own

LEAST_PALM, FIRST_SIGHT = 0.05, 0.1  # palm score and presence from which something is looked at again
MOST_PALMS = 2  # of a sheet that are looked at: of a real hand, the best palms are nearly always those
# So many looks in vain, within that share of a region's side and those radians, after which a place is left.
REFUSED, CLOSE, TURNED = 2, 0.2, 0.6
# The best palm score of the first look, or of any look so far, from which further views and tiles are worth
# their time: a third of hand-free photos reach one of them, and most photos of hands that only tiles show.
PROMISING_AT_FIRST, PROMISING = 0.15, 0.7
# Tiles a side, and the palm score from which a tile's palms are looked at: more tiles show more false ones.
TILES = ((2, 0.1), (3, 0.5))


@dataclass(frozen=True, slots=True)
class SearchingDetector(Configurable):
    """Look at an image as it is and, if that shows no hand, at other views of it and at its parts.

    More views find more hands but also more false positives, so each must be `confirmed` by the landmark
    network from several crops, and so must a doubtful hand of the first look. Several views share one run of
    the palm network, and parts of the image (tiles) are tried only if some palm score is promising. Where the
    detector is no `LandmarkDetector`, each view is shown to it by itself, and MediaPipe's landmark network on
    LiteRT confirms; hands without landmarks are believed by their score alone.

    Parameters
    ----------
    detector
        The detector to look with.
    views
        The other views, in the order in which they are tried; those in a tuple share one look, and a single
        one becomes a tuple. ``()`` tries none, and no tiles.
    further
        More views, which are tried, as tiles are, only if the best palm score so far is promising.
    beside
        Whether tiles are searched for small hands beside those that are found. None: if the detector's
        ``max_hands`` is above 2.
    refine
        Whether the hands of the first look are looked at once more where their landmarks lie, which makes
        these more exact (`refinement.refined`). All other hands are looked at again anyway.

    Raises
    ------
    InputError
        If the detector has no ``detect`` method or a view is not a `View`.

    Examples
    --------
    >>> from handprep.detection.litert import LiteRTDetector
    >>> SearchingDetector(LiteRTDetector()).views[0][0].name
    'brightened smoothed, padded 0.4'
    """

    detector: HandDetector
    views: tuple[tuple[View, ...], ...] = VIEWS
    further: tuple[tuple[View, ...], ...] = FURTHER
    beside: bool | None = None
    refine: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.detector, HandDetector):
            raise InputError(f"detector must have a detect method, which {self.detector!r} lacks")
        check_choice("beside", self.beside, (None, True, False))
        check_flags(self, "refine")
        for name in ("views", "further"):
            entries = ((v,) if isinstance(v, View) else tuple(v) for v in getattr(self, name))
            object.__setattr__(self, name, tuple(entries))
        for view in self.each_view:
            if not isinstance(view, View):
                raise InputError(f"views must be View objects, not {view!r}")

    @property
    def each_view(self) -> tuple[View, ...]:
        """The views one by one."""
        return tuple(view for together in (*self.views, *self.further) for view in together)

    @property
    def model_files(self) -> frozenset[str]:
        """Those of the detector, and MediaPipe's landmark network."""
        return super(SearchingDetector, self).model_files | LiteRTDetector().model_files

    def detect(self, image: Image) -> tuple[Hand, ...]:
        """Return the hands as `HandDetector.detect` does; `Hand.view` says in which view each was found."""
        check_rgb(image)
        shown, to_given = shrunk(image, LARGEST)
        search = _Search(self.detector, shown, self.refine)
        hands = search.first_look()
        if not hands and self.views:
            hands = search.in_views(self.views)
            if not hands and search.is_promising:
                hands = search.in_views(self.further) or search.in_tiles()
        most = getattr(self.detector, "max_hands", None)
        if hands and (most is not None and most > 2 if self.beside is None else self.beside):
            hands += search.in_tiles(known=hands)
        hands = hands[:most]
        return hands if shown is image else tuple(hand.transformed(to_given) for hand in hands)


class _Search:
    """A search in one image: the sizes and lights that looks share, and the best palm score they saw."""

    def __init__(self, detector: HandDetector, image: Image, refine: bool) -> None:
        self._detector, self._image, self._refine = detector, image, refine
        self._palms = detector if isinstance(detector, LandmarkDetector) else None
        self._looker: LandmarkDetector = self._palms or LiteRTDetector()
        self._sizes = {size: shrunk(image, size) for size in (THUMBNAIL, CONFIRMING)}
        self._lit: dict[tuple[str, int], Image] = {}
        self._refused: list[Region] = []  # of the thumbnail, where a look saw no hand
        self._first_palm = self._best_palm = 0.0

    @property
    def is_promising(self) -> bool:
        """Whether some palm score so far makes it worth going on."""
        return self._first_palm >= PROMISING_AT_FIRST or self._best_palm >= PROMISING

    def first_look(self) -> tuple[Hand, ...]:
        """Return the hands in the image as it is, doubtful ones only if they are confirmed."""
        if self._palms is None:
            seen = self._detector.detect(self._image)
        else:
            seen = self._palms.hands_at(self._image, self._proposed(self._palms, self._image))
            self._first_palm = self._best_palm
        hands: list[Hand | None] = []
        for hand in seen:
            sure = SURE_OF_WEAK_PALM if hand.palm_score < WEAK_PALM else SURE
            if hand.landmarks is not None and hand.score < sure:
                hands.append(confirmed(self._looker, self._image, hand, FIRST_LOOK_PRESENCE))
            elif self._refine:
                hands.append(refined(self._looker, self._image, hand, FIRST_LOOK_PRESENCE))
            else:
                hands.append(hand)
        return without_duplicates(filter(None, hands))

    def in_views(self, sheets: tuple[tuple[View, ...], ...]) -> tuple[Hand, ...]:
        """Return the hands of the first view that shows some."""
        to_image = self._sizes[CONFIRMING][1]
        from_image = geometry.invert(to_image)
        for views in filter(None, sheets):
            seen = self._by_itself(views) if self._palms is None else self._on_a_sheet(self._palms, views)
            for view, candidates in seen:
                if not candidates:
                    continue
                moved = [hand.transformed(from_image) for hand in candidates]
                lit = self._in_light(view.light, CONFIRMING)
                if hands := without_duplicates(self._believed(lit, moved, view.presence)):
                    return tuple(replace(hand.transformed(to_image), view=view.name) for hand in hands)
        return ()

    def in_tiles(self, known: tuple[Hand, ...] = ()) -> tuple[Hand, ...]:
        """Return the hands that overlapping parts of the image show, of the fewest parts that show any.

        If hands are known, all parts are searched for others.
        """
        height, width = self._image.shape[:2]
        found: list[Hand] = []
        for count, least_palm in TILES:
            if found and not known:
                break
            for top, bottom in tile_sides(height, count):
                for left, right in tile_sides(width, count):
                    tile = np.ascontiguousarray(self._image[top:bottom, left:right])
                    candidates = self._in_tile(tile, geometry.translation(left, top), least_palm)
                    believed = self._believed(self._image, candidates, CHANGED)
                    found += [replace(hand, view=f"{count} x {count} tiles") for hand in believed]
        return without_duplicates(sorted(found, key=lambda hand: -hand.score), known)

    def _in_tile(self, tile: Image, to_image: Affine, least_palm: float) -> Iterator[Hand]:
        """Yield what may be hands in a tile, in pixels of the image."""
        if self._palms is None:
            yield from (hand.transformed(to_image) for hand in self._detector.detect(tile))
            return
        for place in self._palms.propose(tile, least_palm):
            if place.score >= least_palm:
                hand = self._looker.look(self._image, place.region.transformed(to_image))
                if hand.score >= FIRST_SIGHT:
                    yield replace(hand, palm_score=place.score)

    def _by_itself(self, views: tuple[View, ...]) -> Iterator[tuple[View, list[Hand]]]:
        """Yield each view with the hands that it may show, in pixels of the image."""
        for view in views:
            lit = self._in_light(view.light, CONFIRMING)
            shown, forward = view.show(lit, round(max(lit.shape) * (1 + 2 * view.pad)))
            back = geometry.compose(geometry.invert(forward), self._sizes[CONFIRMING][1])
            yield view, [hand.transformed(back) for hand in self._detector.detect(shown)]

    def _on_a_sheet(
        self, palms: LandmarkDetector, views: tuple[View, ...]
    ) -> Iterator[tuple[View, list[Hand]]]:
        """Yield views as above, the likeliest first.

        The palm network runs once on all side by side, as small as it sees them.
        """
        columns = math.ceil(math.sqrt(len(views)))
        side = PALM_SIZE // columns
        sheet = np.zeros((PALM_SIZE, PALM_SIZE, 3), np.uint8)
        to_thumbnail = []
        for index, view in enumerate(views):
            x, y = side * (index % columns), side * (index // columns)
            shown, forward = view.show(self._in_light(view.light, THUMBNAIL), side)
            sheet[y : y + side, x : x + side] = shown
            to_thumbnail.append(geometry.invert(geometry.compose(forward, geometry.translation(x, y))))
        places: dict[int, list[Proposal]] = {}
        for place in self._proposed(palms, sheet, LEAST_PALM)[:MOST_PALMS]:
            column, row = (min(max(0, int(n / side)), columns - 1) for n in place.palm)
            if place.score >= LEAST_PALM and row * columns + column < len(views):
                places.setdefault(row * columns + column, []).append(place)
        for index, few in places.items():  # in the order of their best palms
            thumbnail = self._in_light(views[index].light, THUMBNAIL)
            moved = [(place.region.transformed(to_thumbnail[index]), place.score) for place in few]
            yield views[index], list(self._at_first_sight(thumbnail, moved))

    def _at_first_sight(self, thumbnail: Image, places: list[tuple[Region, float]]) -> Iterator[Hand]:
        """Yield what may be hands at places of the thumbnail, in pixels of the image."""
        for region, palm_score in places:
            if sum(_is_close(region, refused) for refused in self._refused) < REFUSED:
                hand = self._looker.look(thumbnail, region)
                if hand.score >= FIRST_SIGHT:
                    yield replace(hand.transformed(self._sizes[THUMBNAIL][1]), palm_score=palm_score)
                else:
                    self._refused.append(region)

    def _believed(self, image: Image, hands: Iterable[Hand], presence: float) -> Iterator[Hand]:
        """Yield those of the hands that reach a presence whenever they are looked at, as they then look."""
        least = max(presence, self._looker.least_presence)
        for hand in hands:
            if hand.landmarks is not None:
                if again := confirmed(self._looker, image, hand, least):
                    yield again
            elif hand.score >= least:
                yield hand

    def _proposed(
        self, palms: LandmarkDetector, image: Image, least: float | None = None
    ) -> tuple[Proposal, ...]:
        places = palms.propose(image, least)
        self._best_palm = max([self._best_palm, *(place.score for place in places)])
        return places

    def _in_light(self, light: str, size: int) -> Image:
        if (light, size) not in self._lit:
            self._lit[light, size] = recolour(self._sizes[size][0], light)
        return self._lit[light, size]


def _is_close(one: Region, other: Region) -> bool:
    apart = math.hypot(one.x - other.x, one.y - other.y)
    turned = math.remainder(one.angle - other.angle, math.tau)
    return apart < CLOSE * max(one.side, other.side) and abs(turned) < TURNED
