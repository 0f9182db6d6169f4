"""Small files that ask for much time or memory, by format: ``python -m tests.fuzz.bombs``."""

from __future__ import annotations

import importlib.util
import io
import re
import struct
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import PIL.Image
from PIL import features

from handprep import images
from handprep.errors import HandprepError, ImageError
from tests.fuzz.campaign import main
from tests.fuzz.seeds import chunk, seeds

NAME = "a photo.jpg"
ROOM = 4 << 30  # bytes of address space in the campaign: more than is allowed, so that it shows
PATIENCE = 200.0  # seconds on a busy machine, the making of the file among them
MOST_BYTES = 2_000_000  # of a file; what is larger may take as long and as much as its pixels do
MOST_SECONDS = 5.0  # of the processor
MOST_MEMORY = 930_000_000  # bytes at the peak; 60 MB more is what a program has that has imported handprep
SIDES = (1, 10, 1000, 4000, 8000, 9999, 10_000, 12_000, 13_376, 16_383, 65_535)


def whole() -> bytes:
    """Return a picture file as it should be."""
    return seeds()["jpeg hand"]


def make(random: Random) -> bytes:
    """Return a small file that may be large in memory or slow."""
    content = random.choice(KINDS)(random)
    return content if len(content) < MOST_BYTES else content[: MOST_BYTES - 1]


def check(content: bytes) -> str:
    """Read it within the limits of time and memory, or refuse it with an `ImageError` that names it."""
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    started = time.process_time()
    try:
        images.read(content, name=NAME)
        outcome = "picture"
    except HandprepError as error:
        assert isinstance(error, ImageError), repr(error)
        assert NAME in str(error), str(error)
        assert not isinstance(error.__cause__, MemoryError), str(error)
        outcome = re.sub(r"\(.*", "", re.sub(r"[0-9][0-9,]*", "N", str(error))[:120])
    seconds, memory = time.process_time() - started, _memory("VmHWM") - before
    assert seconds <= MOST_SECONDS, f"{seconds:.1f} s of processor: {outcome}"
    assert memory <= MOST_MEMORY, f"{memory / 1e6:.0f} MB: {outcome}"
    return outcome


def _memory(kind: str) -> int:
    """Return how many bytes the process holds, or held at the peak since that was forgotten."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{kind}:")[1].split()[0]) * 1024


def _size(random: Random, most: int = 65_535) -> tuple[int, int]:
    """Return width and height, often just within what the reader takes."""
    width = min(most, random.choice(SIDES))
    height = min(most, random.choice((*SIDES, images.MAX_PIXELS // width)))
    return width, max(1, height)


@cache
def zeros(count: int) -> bytes:
    """Return `count` zero bytes as a zlib stream, made of one block that is repeated."""
    count = min(count, 1_500_000_000)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = rest.compress(bytes(count % (1 << 20))) + rest.flush()
    return b"\x78\x9c" + block * (count >> 20) + end + struct.pack(">HH", count % 65_521, 1)


def png(random: Random) -> bytes:
    """One colour; every type and depth, plain and interlaced, with and without transparency."""
    colour, channels = random.choice(((0, 1), (2, 3), (3, 1), (4, 2), (6, 4)))
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}[colour]
    depth, size = random.choice(depths), _size(random)
    row = 1 + (size[0] * channels * depth + 7) // 8
    extra = chunk(b"PLTE", bytes(6)) if colour == 3 else b""
    if random.random() < 0.5 and colour in (0, 2, 3):
        extra += chunk(b"tRNS", {0: bytes(2), 2: bytes(6), 3: bytes(1)}[colour])
    if random.random() < 0.1:
        name = random.choice((b"tEXt", b"iTXt", b"zTXt", b"prVt"))
        extra += chunk(name, b"k\0v") * random.randrange(120_000)
    interlaced = random.random() < 0.2
    return png_of(size, depth=depth, colour=colour, extra=extra, row=row, interlaced=interlaced)


def png_of(
    size: tuple[int, int], *, depth: int, colour: int, row: int, extra: bytes = b"", interlaced: bool = False
) -> bytes:
    """Return a PNG whose pixels are all zero."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    pixels = zeros(row * size[1] + 4 * size[1] * interlaced)  # every pass has its own ends of rows
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def gif(random: Random) -> bytes:
    """A canvas with a tiny frame, or with a great many comments before it."""
    extension = b"\x21\xf9\4" + bytes([random.choice((0, 1, 5, 9, 13)), 0, 0, 0, 0])
    if random.random() < 0.3:
        extension += b"\x21\xfe" + b"\1a" * random.randrange(900_000) + b"\0"
    return gif_of(_size(random), extension, frame=random.choice(((1, 1), _size(random))))


def gif_of(size: tuple[int, int], extension: bytes, frame: tuple[int, int] = (1, 1)) -> bytes:
    """Return a GIF with a frame that shows one pixel."""
    canvas = struct.pack("<HHBBB", *size, 0x80, 0, 0) + bytes(6)
    shown = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\2\2\x44\1\0;"
    return b"GIF89a" + canvas + extension + shown


def webp(random: Random) -> bytes:
    """A lossless picture of one colour, alone or as a frame on a larger canvas."""
    frame = _size(random, 16_384)
    if random.random() < 0.4:
        return _riff(_part(b"VP8L", vp8l(frame)))
    canvas = random.choice((_size(random), (1 << random.randrange(10, 24), random.randrange(1, 4000))))
    return webp_canvas(canvas, random.choice(((1, 1), frame)))


def vp8l(size: tuple[int, int]) -> bytes:
    """Return a lossless bitstream whose pixels take no bits at all."""
    bits = 0x2F | (size[0] - 1) << 8 | (size[1] - 1) << 22 | 1 << 36
    # no transform, no colour cache, no meta codes; then five simple codes of the one symbol 0
    return (bits | sum(1 << 43 + 4 * code for code in range(5))).to_bytes(16, "little")


def webp_canvas(size: tuple[int, int], frame: tuple[int, int]) -> bytes:
    """Return an animation of one frame at the corner of a canvas."""
    sides = [(side - 1).to_bytes(3, "little") for side in (*size, *frame)]
    place = bytes(6) + sides[2] + sides[3] + bytes(3) + b"\0"
    head = _part(b"VP8X", b"\x12\0\0\0" + sides[0] + sides[1]) + _part(b"ANIM", bytes(6))
    return _riff(head + _part(b"ANMF", place + _part(b"VP8L", vp8l(frame))))


def _part(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def bmp(random: Random) -> bytes:
    """Run lengths: ends of line, delta moves, full rows."""
    size = _size(random)
    step = random.choice((b"\0\0", b"\1\0\0\0", b"\0\2\xff\xff", b"\xff\0", b"\xff\0\0\0"))
    return bmp_rle(size, step * random.randrange(1, 400_000), rle4=random.random() < 0.3)


def bmp_rle(size: tuple[int, int], runs: bytes, *, rle4: bool = False) -> bytes:
    """Return a BMP in run lengths."""
    depth, kind = (4, 2) if rle4 else (8, 1)
    header = struct.pack("<IiiHHIIiiII", 40, *size, 1, depth, kind, len(runs), 0, 0, 2, 0)
    return b"BM" + struct.pack("<IHHI", 62 + len(runs), 0, 0, 62) + header + bytes(4) + b"\xff" * 4 + runs


def jpeg(random: Random) -> bytes:
    """Scans without end, of any size and kind of JPEG; or segments without end."""
    side = random.choice((400, 2000, 4000, 10_000, 13_376))
    count, progressive = random.choice((1, 40, 100, 5000, 30_000)), random.random() < 0.8
    mode = random.choice(("L", "RGB", "CMYK"))
    content = jpeg_scans((side, side), count, progressive=progressive, mode=mode)
    if random.random() < 0.2:
        content = content[:2] + random.choice(SEGMENTS) * random.randrange(100_000) + content[2:]
    return content[: MOST_BYTES - 2] + b"\xff\xd9"


SEGMENTS = (
    b"\xff\xfe\0\3a",
    b"\xff\xe1\0\x0eExif\0\0II*\0\x08\0",
    b"\xff\xe2\0\x10ICC_PROFILE\0\1\1",
    b"\xff\xed\0\x10Photoshop 3.0\0",
    b"\xff\xdd\0\4\0\1",
)


@cache
def _jpeg(size: tuple[int, int], progressive: bool, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new(mode, size).save(buffer, "JPEG", progressive=progressive, quality=50)
    return buffer.getvalue()


def jpeg_scans(size: tuple[int, int], count: int, *, progressive: bool = True, mode: str = "L") -> bytes:
    """Return a JPEG of one colour, its last scan over and over."""
    content = _jpeg(size, progressive, mode)
    last = content.rindex(b"\xff\xc4" if progressive else b"\xff\xda")
    scan = content[last:-2]
    return content[:last] + scan * min(count, MOST_BYTES // len(scan)) + b"\xff\xd9"


TIFFS = {  # bits of each sample, sample format, photometric, extra samples
    "1": ((1,), 1, 1, ()),
    "grey": ((8,), 1, 1, ()),
    "16": ((16,), 1, 1, ()),
    "32": ((32,), 2, 1, ()),
    "float": ((32,), 3, 1, ()),
    "double": ((64,), 3, 1, ()),
    "grey alpha": ((8, 8), 1, 1, (2,)),
    "rgb": ((8,) * 3, 1, 2, ()),
    "rgb 16": ((16,) * 3, 1, 2, ()),
    "rgba": ((8,) * 4, 1, 2, (2,)),
    "rgba associated": ((8,) * 4, 1, 2, (1,)),
    "rgba 16": ((16,) * 4, 1, 2, (2,)),
    "rgbxxx": ((8,) * 6, 1, 2, (0, 0, 0)),
    "cmyk": ((8,) * 4, 1, 5, ()),
    "cmyk 16": ((16,) * 4, 1, 5, ()),
    "ycbcr": ((8,) * 3, 1, 6, ()),
    "lab": ((8,) * 3, 1, 8, ()),
    "palette": ((8,), 1, 3, ()),
}


def tiff(random: Random) -> bytes:
    """One colour; every kind of sample, in one strip or many."""
    size = _size(random)
    rows = random.choice((size[1], size[1], 1 + size[1] // 50))
    return tiff_of(random.choice(sorted(TIFFS)), size, rows)


def tiff_of(kind: str, size: tuple[int, int], rows: int) -> bytes:
    """Return a deflated TIFF in strips of so many rows, all of them the same bytes of the file."""
    bits, form, photometric, extra = TIFFS[kind]
    (width, height), samples = size, len(bits)
    strip = zeros(((width * sum(bits) + 7) // 8) * rows)
    count = min(-(-height // rows), 4000)
    tags: list[tuple[int, int, tuple[int, ...]]] = [
        *((256, 4, (width,)), (257, 4, (height,)), (258, 3, bits), (259, 3, (8,)), (262, 3, (photometric,))),
        *((273, 4, (8,) * count), (277, 3, (samples,)), (278, 4, (rows,)), (279, 4, (len(strip),) * count)),
    ]
    tags += [(320, 3, (0,) * 768)] if photometric == 3 else []
    tags += [(338, 3, extra)] if extra else []
    tags += [(339, 3, (form,) * samples)]
    tags += [(530, 3, (1, 1))] if photometric == 6 else []
    tail, directory = b"", struct.pack("<H", len(tags))
    after = 8 + len(strip) + 2 + 12 * len(tags) + 4
    for tag, kind_of, values in sorted(tags):
        packed = struct.pack(f"<{len(values)}{'HI'[kind_of - 3]}", *values)
        place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", after + len(tail))
        tail += packed if len(packed) > 4 else b""
        directory += struct.pack("<HHI", tag, kind_of, len(values)) + place
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory + bytes(4) + tail


def avif(random: Random) -> bytes:
    """One colour, opaque or transparent."""
    side = random.choice((1000, 7000))
    return avif_of((side, side), random.choice(("RGB", "RGBA")))


@cache
def avif_of(size: tuple[int, int], mode: str) -> bytes:
    """Return an AVIF of one colour."""
    buffer = io.BytesIO()
    PIL.Image.new(mode, size).save(buffer, "AVIF", speed=10)
    return buffer.getvalue()


def heic(random: Random) -> bytes:
    """One colour, opaque or transparent."""
    side = random.choice((1000, 4800, 7000))
    return heic_of((side, side), random.choice(("RGB", "RGBA")))


@cache
def heic_of(size: tuple[int, int], mode: str) -> bytes:
    """Return an HEIC of one colour."""
    pillow_heif = importlib.import_module("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.new(mode, size)).save(buffer, quality=50)
    return buffer.getvalue()


def ppm(random: Random) -> bytes:
    """Text with comments or spaces without end; or binary of an odd depth."""
    size, count = _size(random), random.randrange(800_000)
    if random.random() < 0.3:
        return b"P%d %d %d %d\n" % (random.choice((5, 6)), *size, random.choice((1, 100, 300))) + bytes(count)
    filler = random.choice((b"#\n", b" ", b"0 ", b"#", b"0#\n"))
    return b"P%d\n%d %d\n" % (random.choice((1, 2, 3)), *size) + b"255\n" + filler * count


KINDS: tuple[Callable[[Random], bytes], ...] = (png, gif, webp, bmp, jpeg, tiff, ppm)
KINDS += (avif,) if features.check("avif") else ()
KINDS += (heic,) if importlib.util.find_spec("pillow_heif") else ()


BIG = (13_376, 13_376)  # just within what Pillow takes
LISTED: dict[str, Callable[[], bytes]] = {  # files that once took minutes or gigabytes
    "webp canvas 16777216 x 10": lambda: webp_canvas((1 << 24, 10), (1, 1)),
    "webp canvas 13376": lambda: webp_canvas(BIG, (1, 1)),
    "webp lossless 13376": lambda: _riff(_part(b"VP8L", vp8l(BIG))),
    "gif canvas 13376": lambda: gif_of(BIG, b"\x21\xf9\4\1\0\0\0\0"),
    "bmp end of line": lambda: bmp_rle(BIG, b"\1\0\0\0" * 340),
    "jpeg 12 mp of 28000 scans": lambda: jpeg_scans((4000, 3000), 28_000),
    "jpeg 13376 of 5000 scans": lambda: jpeg_scans(BIG, 5000),
    "png la": lambda: png_of(BIG, depth=8, colour=4, row=1 + 2 * BIG[0]),
    "png rgba": lambda: png_of(BIG, depth=8, colour=6, row=1 + 4 * BIG[0]),
    "png 1 bit trns": lambda: png_of(
        BIG, depth=1, colour=0, row=1 + BIG[0] // 8, extra=chunk(b"tRNS", bytes(2))
    ),
    "tiff float": lambda: tiff_of("float", BIG, BIG[1]),
    "tiff cmyk": lambda: tiff_of("cmyk", BIG, BIG[1]),
    "tiff rgba": lambda: tiff_of("rgba", BIG, BIG[1]),
    "avif rgba 8000": lambda: avif_of((8000, 8000), "RGBA"),
    "ppm comments": lambda: b"P3\n1000 1000\n255\n" + b"#\n" * 405_000,
    "ppm comments between": lambda: b"P3\n1000 1000\n255\n" + b"0#\n" * 270_000,
}


if __name__ == "__main__":
    raise SystemExit(main("bombs"))
