"""The pixels of PIL images of every mode, as grey, RGB or RGBA of 8 bits."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from handprep.errors import InputError
from handprep.images import arrays
from handprep.images.arrays import Colour
from handprep.sample import Alpha, Image

_STRIPE = 1 << 17  # pixels copied at a time: small enough for the processor's cache
GREY = ("1", "L", "I", "F")  # modes, but for the byte orders of I;16
SIXTEEN = re.compile(";16([BLN])")  # Pillow's names of samples in a file: big-endian, little, the machine's
_MAX_SAMPLE_VALUE = 281  # of TIFF 6.0


def pixels_of(picture: PIL.Image.Image, background: Colour | None) -> tuple[Image, Alpha | None, int | None]:
    """Return an image of any mode as RGB, with its alpha if that is kept, and its depth if it has more bits.

    It is made stripe by stripe: at once, PIL and numpy would make several copies of the whole.
    """
    width, height = picture.size
    convert, depth = _converter(picture)
    keeps_alpha = background is None and picture.has_transparency_data
    alpha = np.empty((height, width), np.uint8) if keeps_alpha else None
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIPE // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        stripe = convert(picture if rows >= height else picture.crop((0, top, width, bottom)))
        if alpha is not None:
            pixels[top:bottom], alpha[top:bottom] = stripe[..., :3], stripe[..., 3]
        elif stripe.ndim == 3 and stripe.shape[2] == 4:
            pixels[top:bottom] = arrays.over(stripe[..., :3], stripe[..., 3], background or (255, 255, 255))
        else:
            pixels[top:bottom] = stripe if stripe.ndim == 3 else stripe[..., None]
    return pixels, alpha, depth


def deepen(image: Image, again: Any) -> int:
    """Scale RGB of 16 bits a channel, of which Pillow takes the upper 8 alone, by the bits that are used.

    `again` is the file, opened once more and not yet loaded. Told that its bytes come in the other order,
    Pillow takes the lower 8. Return how many bits are used.
    """
    for number, tile in enumerate(again.tile):
        mode, *others = (tile.args,) if isinstance(tile.args, str) else tile.args
        mode = SIXTEEN.sub(lambda order: ";16L" if order[1] == "B" else ";16B", mode)
        again.tile[number] = tile._replace(args=(mode, *others) if others else mode)
    depth = arrays.bits_for(int(image.max()) << 8 | 255)
    width, height = again.size
    rows = max(1, _STRIPE // width)
    for top in range(0, height, rows):
        low = np.asarray(again.crop((0, top, width, min(top + rows, height))))
        image[top : top + rows] = image[top : top + rows] << 16 - depth | low >> depth - 8
    return depth


def _converter(
    picture: PIL.Image.Image,
) -> tuple[Callable[[PIL.Image.Image], NDArray[np.uint8]], int | None]:
    """Return what turns stripes of an image into grey, RGB or RGBA, and the bits it has used if not 8."""
    mode = picture.mode
    if mode == "LAB":
        raise InputError("images of mode LAB are not understood: convert to RGB first, with PIL.ImageCms")
    if mode == "F":
        _, high = picture.getextrema()
        white = 255.0 if 2 < float(high) <= 255 else 1.0  # type: ignore[arg-type]  # of floats up to 255, or 1

        def from_floats(stripe: PIL.Image.Image) -> NDArray[np.uint8]:
            with np.errstate(invalid="ignore"):  # a signalling NaN, which is refused like any other
                return arrays.eight_bits(np.asarray(stripe) / white, None)

        return from_floats, None
    if mode == "I" or mode.startswith("I;16"):
        depth = _depth(picture)
        return lambda stripe: arrays.eight_bits(np.asarray(stripe).astype(np.uint16), depth), depth
    target = "RGBA" if picture.has_transparency_data else "RGB"
    transform = to_srgb(picture, target)

    def converted(stripe: PIL.Image.Image) -> NDArray[np.uint8]:
        if stripe.mode == "La":
            stripe = stripe.convert("LA")
        if stripe.mode != target and not (transform and stripe.mode == "CMYK"):
            stripe = stripe.convert(target)
        return np.asarray(ImageCms.applyTransform(stripe, transform) if transform else stripe)

    return converted, None


def _depth(picture: PIL.Image.Image) -> int:
    """Return how many of 16 bits are used: what the file says, else the fewest that hold the largest."""
    levels = np.asarray(picture)
    low, high = int(levels.min()), int(levels.max())
    if low < 0 or high > 65535:  # of mode I: how older Pillows give 16-bit grey
        raise InputError(f"an image of mode I must hold numbers from 0 to 65535, not {low} to {high}")
    largest = getattr(picture, "tag_v2", {}).get(_MAX_SAMPLE_VALUE, (0,))
    said = int(max(largest) if isinstance(largest, tuple) else largest).bit_length()
    fewest = arrays.bits_for(high)
    return max(said, fewest) if said in arrays.DEPTHS else fewest


def to_srgb(picture: PIL.Image.Image, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what converts by the image's colour profile, if it has one that is whole and not sRGB."""
    content = picture.info.get("icc_profile")
    if not content or picture.mode not in ("RGB", "RGBA", "P", "CMYK"):
        return None
    source, target = ("CMYK", "RGB") if picture.mode == "CMYK" else (mode, mode)
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return None
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), source, target)
    except Exception:  # noqa: BLE001 - hostile bytes again, but a photo can be seen without its profile
        return None
