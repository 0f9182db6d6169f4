"""Where PNG, JPEG and WebP files have room for a record, which other programs skip."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from handprep.errors import HandprepError
from handprep.images import MAX_PIXELS

# PNG's rules for names of chunks: small h, need not be understood; small a, private; small d would be "safe
# to copy", but the record is right for these very pixels only, hence the large one.
_CHUNK = b"haND"
_PNG = b"\x89PNG\r\n\x1a\n"
_AFTER_HEADER = len(_PNG) + 4 + 4 + 13 + 4  # of a PNG: IHDR comes first, length, name, content, CRC
_SEGMENT, _NAME = b"\xff\xeb", b"handprep\0"  # JPEG's application data 11, whose first bytes tell whose it is
_MOST_IN_SEGMENT = 0xFFFF - 2 - len(_NAME)
_COLOUR_TYPES = {"L": 0, "RGB": 2, "RGBA": 6}  # of PNG; grey with alpha OpenCV would widen


class DamagedError(HandprepError):
    """A file carries no record, or one that does not belong to it: its photo is to be prepared again."""


def split(image: bytes, size: int) -> tuple[bytes, bytes]:
    """Return what comes before and after a record of so many bytes in an encoded image."""
    if image.startswith(b"RIFF"):
        chunks = image[12:]
        if not chunks.startswith(b"VP8X"):  # WebP's simple form has room for one chunk alone
            with PIL.Image.open(io.BytesIO(image)) as file:
                width, height = file.size
            sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            has_alpha = 0x10 if chunks.startswith(b"VP8L") and file.mode == "RGBA" else 0
            chunks = b"VP8X" + struct.pack("<II", 10, has_alpha) + sides + chunks
        image = b"RIFF" + struct.pack("<I", 4 + len(chunks) + 8 + size + size % 2) + b"WEBP" + chunks
    start, _, _ = located(image)
    return image[:start], image[start:]


def wrapped(before: bytes, payload: bytes) -> bytes:
    """Return the chunk or segments of the file format that `before` begins with."""
    if before.startswith(_PNG):
        crc = struct.pack(">I", zlib.crc32(_CHUNK + payload))
        return struct.pack(">I", len(payload)) + _CHUNK + payload + crc
    if before.startswith(b"RIFF"):
        return _CHUNK + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
    parts = [payload[at : at + _MOST_IN_SEGMENT] for at in range(0, len(payload), _MOST_IN_SEGMENT)]
    return b"".join(_SEGMENT + struct.pack(">H", 2 + len(_NAME) + len(part)) + _NAME + part for part in parts)


def located(content: bytes) -> tuple[int, int, bytes]:
    """Return where the record begins and ends, and what it holds; without one, where it would be."""
    payload = b""
    if content.startswith(_PNG):
        start = end = _AFTER_HEADER
        length, name = struct.unpack_from(">I4s", content.ljust(start + 8), start)
        if name == _CHUNK and start + 12 + length <= len(content):
            end, payload = start + 12 + length, content[start + 8 : start + 8 + length]
    elif content.startswith(b"\xff\xd8"):  # a JPEG, whose first segment has to stay the first one
        start = end = 4 + int.from_bytes(content[4:6], "big")
        while content[end : end + 2] == _SEGMENT and content[end + 4 : end + 4 + len(_NAME)] == _NAME:
            at, end = end, end + 2 + int.from_bytes(content[end + 2 : end + 4], "big")
            payload += content[at + 4 + len(_NAME) : end]
    elif content.startswith(b"RIFF"):
        start = end = 12
        while end == start and start + 8 <= len(content):
            name, length = struct.unpack_from("<4sI", content, start)
            end = start + 8 + length + length % 2
            if name == _CHUNK:
                payload = content[start + 8 : start + 8 + length]
            else:
                start = end
    else:
        raise DamagedError("no PNG, JPEG or WebP file")
    return start, end, payload


def pixels_of(content: bytes, mode: str) -> NDArray[np.uint8]:
    """Return an image's pixels, ``(H, W)`` or ``(H, W, channels)``; `mode` is as Pillow names it."""
    try:
        if content.startswith(b"\x89PNG") and mode in _COLOUR_TYPES:
            width, height, depth, colour_type = struct.unpack(">IIBB", content[16:26].ljust(10, b"\0"))
            if (depth, colour_type) != (8, _COLOUR_TYPES[mode]) or width * height > MAX_PIXELS:
                raise ValueError(f"no {mode} of at most {MAX_PIXELS} pixels")
            # in a third of Pillow's time; what it would be lenient with has been checked by then
            pixels: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            if pixels is None or pixels.shape[:2] != (height, width):
                raise ValueError("damaged pixels")
            order = {"RGB": cv2.COLOR_BGR2RGB, "RGBA": cv2.COLOR_BGRA2RGBA}.get(mode)
            return np.asarray(pixels if order is None else cv2.cvtColor(pixels, order), np.uint8)
        with PIL.Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as file:
            # WebP has no grey, and leaves out an alpha of 255 everywhere
            if file.width * file.height > MAX_PIXELS or (file.mode != mode and file.format != "WEBP"):
                raise ValueError(f"no {mode} of at most {MAX_PIXELS} pixels")
            return np.asarray(file.convert(mode))
    except Exception as error:  # any bytes may be met here, and Pillow names no exceptions it keeps to
        raise DamagedError(str(error) or type(error).__name__) from error
