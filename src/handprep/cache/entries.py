"""What the cache holds of one photo: its prepared picture and its hands, as one PNG file."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from handprep.errors import HandprepError
from handprep.images.encoding import encode
from handprep.sample import HAND_ARRAYS, Hand, Sample

# PNG's rules for names of chunks: small h, need not be understood; small a, private; small d would be "safe
# to copy", but hands lie right on these very pixels only, hence the large one.
_CHUNK = b"haND"
_HEADER = 8 + 4 + 4 + 13 + 4  # the signature and IHDR, which comes first: length, name, content, CRC


class DamagedError(HandprepError):
    """A file is not what `to_png` made; whoever reads it prepares the photo again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A prepared photo.

    Attributes
    ----------
    picture
        PIL image of mode L or RGB, or LA or RGBA if transparent. Not shared with anything.
    hands
        The hands in pixels of `picture`, the chosen one first. ``()``: looked for, none found. None: not
        looked for by the pipeline, or not asked for now.
    """

    picture: PIL.Image.Image
    hands: tuple[Hand, ...] | None


def to_png(sample: Sample) -> bytes:
    """Return a sample's picture as a PNG file that also carries its hands.

    One file, as it can be written whole or not at all, and as a second one would have to be opened too.
    The same sample always becomes the same bytes.
    """
    png = encode(sample, "png")
    hands = None if sample.hands is None else [_plain(hand) for hand in sample.hands]
    plain = json.dumps(hands, separators=(",", ":")).encode()
    content = struct.pack(">I", zlib.crc32(plain, zlib.crc32(png))) + plain
    crc = struct.pack(">I", zlib.crc32(_CHUNK + content))
    return png[:_HEADER] + struct.pack(">I", len(content)) + _CHUNK + content + crc + png[_HEADER:]


def from_png(content: bytes, *, with_hands: bool) -> Prepared:
    """Return what `to_png` was given, to the last bit.

    Parameters
    ----------
    content
        The file's content.
    with_hands
        Whether to read the hands, too.

    Raises
    ------
    DamagedError
        If the file is truncated, damaged or none of `to_png`'s.
    """
    try:
        png, hands = _split(content)
        with PngImageFile(io.BytesIO(png)) as file:  # a little less work than PIL.Image.open
            picture = file.copy()  # a plain PIL image, as ImageFolder's loader gives
        return Prepared(picture=picture, hands=_hands(hands) if with_hands else None)
    except DamagedError:
        raise
    except Exception as error:  # any bytes may be met here, and Pillow names no exceptions it keeps to
        raise DamagedError(str(error) or type(error).__name__) from error


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Return the PNG without our chunk, and what that says of the hands, both checked by the CRC in it.

    Pillow does not check a PNG's pixels: of single bits that flip, one in twelve gives other pixels.
    """
    length, name = struct.unpack_from(">I4s", content, _HEADER)
    start = _HEADER + 8
    if name != _CHUNK:
        raise DamagedError("not written by handprep")
    (crc,) = struct.unpack_from(">I", content, start)
    png = content[:_HEADER] + content[start + length + 4 :]
    hands = content[start + 4 : start + length]
    if zlib.crc32(hands, zlib.crc32(png)) != crc:
        raise DamagedError("truncated or damaged")
    return png, hands


def _hands(content: bytes) -> tuple[Hand, ...] | None:
    hands = json.loads(content)
    return None if hands is None else tuple(map(_hand, hands))


def _hand(plain: dict[str, Any]) -> Hand:
    arrays = {name: _array(plain[name], shape) for name, shape in HAND_ARRAYS.items()}
    return Hand(**{**plain, **arrays, "box": tuple(plain["box"])})


def _array(plain: str | None, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    if plain is None:
        return None
    return np.frombuffer(base64.b64decode(plain), "<f4").reshape(shape)


def _plain(hand: Hand) -> dict[str, Any]:
    return {field.name: _plain_value(getattr(hand, field.name)) for field in fields(hand)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):  # exact, and read three times as fast as decimals
        return base64.b64encode(value.astype("<f4").tobytes()).decode("ascii")
    if isinstance(value, tuple):
        return [float(number) for number in value]
    return value.item() if isinstance(value, np.generic) else value
