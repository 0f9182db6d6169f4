"""Hands drawn onto images: bones, joints, box, side and score, and the alpha; images beside each other."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from handprep import geometry, images
from handprep.configurable import check_choice, check_range
from handprep.errors import InputError, OutputError
from handprep.images.arrays import resized
from handprep.landmarks import CONNECTIONS, FINGERS
from handprep.sample import Alpha, Hand, Image, Sample

Colour = tuple[int, int, int]
Tile = tuple[Image, str]  # uint8 (H, W, 3), and lines of text for below it

# A colour for each finger from the thumb on, and for the palm: the hues of MediaPipe's drawing styles,
# lighter, so that all of them stand out from skin of any tone within the dark halo.
FINGER_COLOURS: tuple[Colour, ...] = (
    *((255, 214, 150), (214, 120, 255), (255, 214, 0), (70, 255, 70), (70, 180, 255)),
)
PALM_COLOUR, WRIST_COLOUR, ALPHA_COLOUR = (235, 235, 235), (255, 80, 80), (0, 255, 255)
HALO: Colour = (20, 20, 20)
TINT: Colour = (40, 0, 90)  # what the background is mixed with, half and half

WIDTH_OF_IMAGE, WIDTH_OF_HAND = 1 / 250, 1 / 40  # of a line, by the image's, at most the hand's long side
JOINT, SMALL_JOINT = 1.1, 0.7  # radius of a joint, in line widths, with and without a halo
SMALL = 160  # pixels on the long side: below that, text cannot be read, and halos would hide the hand
SHIFT = 4  # OpenCV draws at fractions of 1/16 pixel
FAR_OUTSIDE = 1e6  # pixels; OpenCV's integers end beyond
CHECKS = 12  # pixels: the squares behind transparent images
INK = (50, 50, 50)  # of captions
GAP, LETTERS, LINE, LETTER = 10, 13, 16, 7  # pixels: between tiles, font, its lines, the width of a letter

_TINTED = np.array([[[(grey + part) // 2 for part in TINT] for grey in range(256)]], np.uint8)
_FINGER_BONES = [np.column_stack([finger[:-1], finger[1:]]) for finger in FINGERS]
_PALM_BONES = np.array(CONNECTIONS[: len(CONNECTIONS) - sum(map(len, _FINGER_BONES))])


def draw(
    image: Any,
    hands: Hand | Iterable[Hand] | None = None,
    *,
    bones: bool = True,
    box: bool = True,
    label: bool = True,
    alpha: Literal["outline", "tint"] | None = "outline",
    width: float | None = None,
) -> Image:
    """Return an image with its hands drawn onto it.

    Lines are as wide as fits the image and the hand, anti-aliased, and have a dark halo, so that they stand
    out from skin of any tone.

    Parameters
    ----------
    image
        A `Sample`, or anything that `handprep.images.read` takes.
    hands
        The hands, in pixels of `image`; None for those of the sample.
    bones
        Whether landmarks are drawn, a colour for each finger, those nearest to the camera last.
    box
        Whether boxes are drawn. Hands without landmarks always get theirs.
    label
        Whether side and score are written at each box, on images of at least 160 pixels.
    alpha
        How the sample's alpha is shown, if it has one: its ``"outline"``, a ``"tint"`` over the background,
        or None, not at all.
    width
        Pixels of a bone's line; None for 1/250 of the image's long side, and at most 1/40 of the hand's.

    Returns
    -------
    ndarray
        uint8 ``(H, W, 3)`` RGB, of its own memory. Transparent images lie on a checkerboard.

    Raises
    ------
    ImageError, InputError
        If the image cannot be read or a parameter is out of its range.

    Examples
    --------
    >>> hand = Hand(box=(10, 10, 50, 60), score=0.9, handedness="Right")
    >>> draw(np.zeros((100, 200, 3), np.uint8), hand).shape
    (100, 200, 3)
    """
    check_choice("alpha", alpha, ("outline", "tint", None))
    if width is not None:
        check_range("width", width, 0.1, 1000)
    sample = images.read(image)
    hands = sample.hands or () if hands is None else hands
    drawn = (hands,) if isinstance(hands, Hand) else tuple(hands)
    if not all(isinstance(hand, Hand) for hand in drawn):
        raise InputError(f"hands must be Hand objects, not {drawn!r:.200}")
    canvas, halo = _opaque(sample), HALO if max(sample.size) >= SMALL else None
    wide = width or max(1.0, max(sample.size) * WIDTH_OF_IMAGE)
    if alpha and sample.alpha is not None and not sample.transparent:
        _show_alpha(canvas, sample.alpha, alpha, wide)
    for hand in reversed(drawn):  # the chosen one on top
        long_side = max(hand.box[2] - hand.box[0], hand.box[3] - hand.box[1])
        line = width or max(1.0, min(wide, long_side * WIDTH_OF_HAND))
        if box or hand.landmarks is None:
            _draw_box(canvas, hand, line, halo)
        if bones and hand.landmarks is not None:
            draw_bones(canvas, hand.landmarks, line, depth=hand.depth, halo=halo)
        if label and halo:
            _write_label(canvas, hand, wide)
    return canvas


def thumbnail(sample: Sample, least: int = 256, most: int = 800) -> Image:
    """Return a sample drawn with its hands, its long side shrunk to at most `most` pixels.

    One of less than `least` pixels is enlarged by a whole factor, so that its pixels stay squares.
    """
    longest = max(sample.size)
    scale = min(1.0, most / longest) if longest >= least else least // longest
    size = max(1, round(sample.size[0] * scale)), max(1, round(sample.size[1] * scale))
    forward = geometry.scaling(size[0] / sample.size[0], size[1] / sample.size[1])
    how = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    alpha = None if sample.alpha is None else resized(sample.alpha, size, how)
    return draw(sample.transformed(forward, resized(sample.image, size, how), alpha))


def show(image: Image) -> None:
    """Open an RGB array in the viewer that Pillow finds, or raise OutputError if it finds none."""
    from PIL import ImageShow  # noqa: PLC0415 - heavy, and rarely wanted

    if not ImageShow.show(PIL.Image.fromarray(image)):
        raise OutputError("there is no program here that shows images: save the image to a file instead")


def side_by_side(tiles: Sequence[Tile], *, side: int) -> Image:
    """Lay out images, each at most `side` pixels wide, in a row with their captions, as one RGB image."""
    captions = [
        [part for line in text.splitlines() for part in textwrap.wrap(line, int(side / LETTER))]
        for _, text in tiles
    ]
    height = max(tile[0].shape[0] + LINE * len(lines) for tile, lines in zip(tiles, captions, strict=True))
    paper = PIL.Image.new("RGB", (len(tiles) * (side + GAP) + GAP, height + 2 * GAP), "white")
    pen, font = PIL.ImageDraw.Draw(paper), PIL.ImageFont.load_default(LETTERS)
    for column, ((image, _), lines) in enumerate(zip(tiles, captions, strict=True)):
        left = GAP + column * (side + GAP)
        paper.paste(PIL.Image.fromarray(image), (left, GAP))
        for number, line in enumerate(lines):
            pen.text((left, GAP + image.shape[0] + 3 + LINE * number), line, INK, font)
    return np.asarray(paper)


def stack(rows: Sequence[Image]) -> Image:
    """Put RGB images of any width below each other."""
    width = max(row.shape[1] for row in rows)
    missing = (((0, 0), (0, width - row.shape[1]), (0, 0)) for row in rows)
    return np.vstack([np.pad(*pair, constant_values=255) for pair in zip(rows, missing, strict=True)])


def draw_bones(
    canvas: NDArray[np.uint8],
    landmarks: NDArray[np.floating[Any]],
    width: float,
    *,
    depth: NDArray[np.floating[Any]] | None = None,
    halo: Colour | None = None,
    colours: Sequence[Colour | int] = (*FINGER_COLOURS, PALM_COLOUR, WRIST_COLOUR),
) -> None:
    """Draw bones and joints onto a writable uint8 ``(H, W, 3)``, or ``(H, W)`` with grey colours, in place.

    The landmarks are ``(21, 2)`` pixels. By their `depth`, smaller is nearer, fingers are drawn from the
    farthest to the nearest. The colours are those of the five fingers from the thumb on, the palm, and the
    wrist; `halo` is that of a rim around each bone and joint.
    """
    fixed = fixed_point(landmarks)
    order = range(5) if depth is None else sorted(range(5), key=lambda n: -float(depth[FINGERS[n]].mean()))
    rim, thick = max(1.0, 0.4 * width), max(1, round(width))
    radius = (JOINT if halo else SMALL_JOINT) * width
    parts = [(_PALM_BONES, [0], colours[5], colours[6])]
    parts += [(_FINGER_BONES[n], FINGERS[n], colours[n], colours[n]) for n in order]
    for lines, joints, colour, joint_colour in parts:
        layers = [(colour, joint_colour, thick, radius)]
        if halo is not None:
            layers.insert(0, (halo, halo, round(width + 2 * rim), radius + rim))
        for of_lines, of_dots, wide, long in layers:
            cv2.polylines(canvas, fixed[lines], False, of_lines, wide, cv2.LINE_AA, SHIFT)
            for centre in fixed[joints].tolist():
                cv2.circle(canvas, centre, round(long * 2**SHIFT), of_dots, -1, cv2.LINE_AA, SHIFT)


def fixed_point(points: Any) -> NDArray[np.int32]:
    """Return continuous pixels as OpenCV's fixed-point numbers, which count from a pixel's centre."""
    kept = np.clip(np.asarray(points, np.float64) - 0.5, -FAR_OUTSIDE, FAR_OUTSIDE)
    return np.asarray(np.round(kept * 2**SHIFT), np.int32)


def _opaque(sample: Sample) -> Image:
    if not sample.transparent or sample.alpha is None:
        return np.array(sample.rgb)
    rows, columns = np.ogrid[: sample.size[1], : sample.size[0]]
    checks = np.where((rows // CHECKS + columns // CHECKS) % 2, 255, 204)[..., None]
    share = sample.alpha[..., None] / 255
    return np.round(share * sample.rgb + (1 - share) * checks).astype(np.uint8)


def _show_alpha(canvas: Image, alpha: Alpha, how: str, width: float) -> None:
    hand = (alpha >= 128).view(np.uint8)
    if how == "tint":
        cv2.copyTo(cv2.LUT(canvas, _TINTED), 1 - hand, canvas)
        return
    found, _ = cv2.findContours(hand, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    edges = [cv2.approxPolyDP(edge, 0.25 * width, True) for edge in found]  # a fifth of the lines to draw
    cv2.polylines(canvas, edges, True, HALO, round(1 + width))
    cv2.polylines(canvas, edges, True, ALPHA_COLOUR, max(1, round(0.4 * width)), cv2.LINE_AA)


def _draw_box(canvas: Image, hand: Hand, width: float, halo: Colour | None) -> None:
    first, last = fixed_point(np.reshape(hand.box, (2, 2))).tolist()
    thin = max(1, round(0.4 * width))
    for colour, thick in ((halo, 3 * thin), (PALM_COLOUR, thin)):
        if colour is not None:
            cv2.rectangle(canvas, first, last, colour, thick, cv2.LINE_AA, SHIFT)


def _write_label(canvas: Image, hand: Hand, width: float) -> None:
    font, scale, thick = cv2.FONT_HERSHEY_SIMPLEX, max(0.45, 0.18 * width), max(1, round(0.4 * width))
    (wide, high), below = cv2.getTextSize(hand.caption, font, scale, thick)
    x = int(np.clip(hand.box[0], 0, max(0, canvas.shape[1] - wide)))
    y = int(hand.box[1] - below - width)
    y = int(np.clip(y if y > high else hand.box[1] + high + width, high, canvas.shape[0] - below))
    cv2.rectangle(canvas, (x, y - high - below // 2), (x + wide, y + below), HALO, -1)
    cv2.putText(canvas, hand.caption, (x, y), font, scale, PALM_COLOUR, thick, cv2.LINE_AA)
