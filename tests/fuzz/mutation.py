"""Damaging files the way that breaks decoders: flipped bits, cuts, splices, odd lengths, magic words."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

INTERESTING = (0, 1, 2, 7, 8, 16, 31, 32, 64, 127, 128, 255, 256, 1000, 4096, 32767, 32768, 65535, 65536)
LARGE = (2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
TOKENS = (
    *(b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xdb", b"\xff\xdd"),
    *(b"\xff\xe0\0\x10JFIF\0", b"\xff\xe1\0\x20Exif\0\0", b"\xff\xe2\0\x20MPF\0"),
    *(b"\xff\xed\0\x20Photoshop 3.0\0",),
    *(b"\xff\xee\0\x0eAdobe\0", b"\xff\xc1", b"\xff\xc9", b"\xff\xd0", b"\xff\xfe\0\2"),
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL"),
    *(b"fdAT",),
    *(b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"ICCP"),
    *(b"GIF89a", b"\x21\xf9\4", b"\x21\xff\x0bNETSCAPE2.0", b"\x2c", b"\x3b"),
    *(b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"\1\1\3\0", b"\x53\1\3\0", b"\x11\1\4\0", b"\x03\1\3\0"),
    *(b"ftypavif", b"meta", b"iloc", b"iinf", b"iprp", b"ispe", b"mdat", b"av01", b"av1C", b"moov"),
    *(b"\0" * 8, b"\xff" * 8, b"%s%n", b"-1", b"1e999", b"9" * 40, b"\n", b"#"),
)
PNG = b"\x89PNG\r\n\x1a\n"


def mutated(
    content: bytes, random: Random, others: Sequence[bytes] = (), tokens: Sequence[bytes] = TOKENS
) -> bytes:
    """Return a file damaged in one to a dozen places.

    Parameters
    ----------
    content
        The whole file.
    random
        Decides everything.
    others
        Files of which parts may be spliced in.
    tokens
        What has a meaning to the program that reads the file.
    """
    whole, data = content, bytearray(content)
    for _ in range(min(12, 1 + int(random.expovariate(0.6)))):
        _one(data, random, others, tokens)
    if random.random() < 0.1:
        del data[random.randrange(len(data) + 1) :]
    if random.random() < 0.8:  # else most would be no known kind of file, and refused at once
        data[:4] = whole[:4]
    return mended(bytes(data)) if whole.startswith(PNG) and random.random() < 0.8 else bytes(data)


def _one(data: bytearray, random: Random, others: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    if not data:
        data += random.choice(tokens)
    change: Callable[[bytearray, Random], None] = random.choice(_CHANGES)
    kind = random.random()
    if kind < 0.1:
        token = random.choice(tokens)
        start = _place(data, random)
        data[start : start + random.choice((0, len(token)))] = token
    elif kind < 0.2 and others:
        other = random.choice(others)
        start, end = sorted((random.randrange(len(other) + 1), random.randrange(len(other) + 1)))
        place = _place(data, random)
        data[place : place + random.choice((0, end - start))] = other[start : min(end, start + 4096)]
    else:
        change(data, random)


def _place(data: bytearray, random: Random) -> int:
    """Return a position; half of them are in the header, where most of a decoder's decisions are made."""
    return random.randrange(min(len(data), 128) if random.random() < 0.5 else len(data)) if data else 0


def _flip(data: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        data[_place(data, random)] ^= 1 << random.randrange(8)


def _set(data: bytearray, random: Random) -> None:
    data[_place(data, random)] = random.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, random.randrange(256)))


def _field(data: bytearray, random: Random) -> None:
    """Overwrite a number of 2, 4 or 8 bytes, in either order of bytes."""
    form = random.choice(("<H", ">H", "<I", ">I", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(form)
    if len(data) < size:
        return
    start = min(_place(data, random), len(data) - size)
    value = random.choice(INTERESTING if random.random() < 0.7 else LARGE)
    if random.random() < 0.3:  # a little off, as lengths are that miscount
        value = struct.unpack_from(form, data, start)[0] + random.choice((-8, -2, -1, 1, 2, 8))
    struct.pack_into(form, data, start, value % 256**size)


def _drop(data: bytearray, random: Random) -> None:
    start = _place(data, random)
    del data[start : start + random.choice((1, 2, 4, 16, 64, len(data)))]


def _repeat(data: bytearray, random: Random) -> None:
    start = _place(data, random)
    part = data[start : start + random.choice((1, 4, 12, 64, 256))]
    data[start:start] = part * random.choice((1, 1, 2, 20))


def _noise(data: bytearray, random: Random) -> None:
    start = _place(data, random)
    data[start : start + random.randrange(1, 16)] = random.randbytes(random.randrange(1, 16))


_CHANGES = (_flip, _flip, _set, _set, _field, _field, _field, _drop, _repeat, _noise)


def mended(content: bytes) -> bytes:
    """Make the checksums of a PNG right again, so that damage gets past them; other files stay."""
    if not content.startswith(PNG):
        return content
    parts, start = [content[:8]], 8
    while start + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, start)
        body = content[start + 4 : start + 8 + size]
        parts.append(struct.pack(">I", size) + body + struct.pack(">I", zlib.crc32(body)))
        start += 12 + size
    return b"".join(parts) + content[start:]
