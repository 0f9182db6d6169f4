"""Small real picture files of every kind that a decoder has code of its own for."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import features

from tests.rendered import photos

SIZE = (40, 30)  # pixels: large enough for several JPEG blocks and TIFF strips, small enough to be quick
# x, y, step right, step down of each pass of an interlaced PNG (ISO/IEC 15948, 8.2)
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@cache
def seeds() -> dict[str, bytes]:
    """Return the files by kind; those with "hand" in their name show one that is found."""
    with PIL.Image.open(photos()[8].path) as photo:
        whole = photo.convert("RGB")
    picture = whole.resize(SIZE, PIL.Image.Resampling.BOX)
    made = {**_jpegs(picture), **_pngs(picture), **_tiffs(picture), **_gifs(picture), **_others(picture)}
    larger = whole.resize((64, 48), PIL.Image.Resampling.BOX)
    made["jpeg hand"], made["png hand"] = _encoded(larger, "JPEG", quality=70), _encoded(larger, "PNG")
    return made


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG chunk with the right checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _exif(orientation: int) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a hand"
    exif.get_ifd(0x8769)[0x9000] = b"0230"
    return exif


def _sixteen(picture: PIL.Image.Image) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def _transparent(picture: PIL.Image.Image) -> PIL.Image.Image:
    rgba = picture.copy()
    rgba.putalpha(picture.convert("L"))
    return rgba


def _frames(picture: PIL.Image.Image) -> dict[str, Any]:
    return {"save_all": True, "append_images": [picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)]}


def _jpegs(picture: PIL.Image.Image) -> dict[str, bytes]:
    turned = {f"jpeg exif {n}": _encoded(picture, "JPEG", exif=_exif(n), quality=50) for n in (3, 6, 8)}
    return {
        **turned,
        "jpeg": _encoded(picture, "JPEG"),
        "jpeg full colour": _encoded(picture, "JPEG", subsampling=0, optimize=True),
        "jpeg progressive": _encoded(picture, "JPEG", progressive=True),
        "jpeg restarts": _encoded(picture, "JPEG", restart_marker_blocks=2),
        "jpeg cmyk": _encoded(picture.convert("CMYK"), "JPEG"),
        "jpeg grey": _encoded(picture.convert("L"), "JPEG", comment=b"grey"),
        "jpeg rgb": _encoded(picture, "JPEG", keep_rgb=True),
        "mpo": _encoded(picture, "MPO", **_frames(picture)),
    }


def _pngs(picture: PIL.Image.Image) -> dict[str, bytes]:
    palettes = {
        f"png {bits} bits of palette": _encoded(picture.quantize(2**bits), "PNG", bits=bits, transparency=1)
        for bits in (1, 2, 4, 8)
    }
    return {
        **palettes,
        "png": _encoded(picture, "PNG", exif=_exif(6), dpi=(72, 72)),
        "png 1 bit": _encoded(picture.convert("1"), "PNG"),
        "png grey": _encoded(picture.convert("L"), "PNG", transparency=7),
        "png grey alpha": _encoded(_transparent(picture).convert("LA"), "PNG"),
        "png rgba": _encoded(_transparent(picture), "PNG"),
        "png 16 bits": _encoded(_sixteen(picture), "PNG"),
        "png 16 bits of colour": _png48(picture),
        "png interlaced": _interlaced(np.asarray(picture)),
        "apng": _encoded(picture, "PNG", **_frames(picture)),
    }


def _png48(picture: PIL.Image.Image) -> bytes:
    """Return a PNG of 16 bits a channel, which Pillow reads but does not write."""
    rows = (np.asarray(picture).astype(">u2") * 257).reshape(picture.height, -1)
    return _png(rows.view(np.uint8), SIZE, bits=16, colour=2, interlaced=0)


def _interlaced(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG in Adam7 order, which Pillow reads but does not write."""
    lines = [
        b"\0" + row.tobytes()
        for x, y, right, down in PASSES
        for row in pixels[y::down, x::right].reshape(len(pixels[y::down]), -1)
    ]
    return _file(b"".join(lines), (pixels.shape[1], pixels.shape[0]), bits=8, colour=2, interlaced=1)


def _png(rows: NDArray[np.uint8], size: tuple[int, int], *, bits: int, colour: int, interlaced: int) -> bytes:
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    return _file(lines, size, bits=bits, colour=colour, interlaced=interlaced)


def _file(lines: bytes, size: tuple[int, int], *, bits: int, colour: int, interlaced: int) -> bytes:
    header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _tiffs(picture: PIL.Image.Image) -> dict[str, bytes]:
    packed = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma")
    return {
        **{f"tiff {name}": _encoded(picture, "TIFF", compression=name) for name in packed},
        **{
            f"tiff {name}": _encoded(picture.convert("1"), "TIFF", compression=name)
            for name in ("group3", "group4", "tiff_ccitt")
        },
        "tiff": _encoded(picture, "TIFF", exif=_exif(6)),
        "tiff big": _encoded(picture, "TIFF", big_tiff=True),
        "tiff strips": _encoded(picture, "TIFF", compression="tiff_lzw", strip_size=600),
        "tiff 16 bits": _encoded(_sixteen(picture), "TIFF"),
        "tiff float": _encoded(
            PIL.Image.fromarray(np.asarray(picture.convert("L"), np.float32) / 255), "TIFF"
        ),
        "tiff cmyk": _encoded(picture.convert("CMYK"), "TIFF"),
        "tiff lab": _encoded(PIL.Image.new("LAB", SIZE, (99, 120, 130)), "TIFF"),
        "tiff palette": _encoded(picture.quantize(16), "TIFF"),
        "tiff frames": _encoded(picture, "TIFF", **_frames(picture)),
    }


def _gifs(picture: PIL.Image.Image) -> dict[str, bytes]:
    return {
        "gif": _encoded(picture.quantize(32), "GIF", interlace=0, comment=b"a hand"),
        "gif interlaced": _encoded(picture.quantize(8), "GIF", interlace=1),
        "gif transparent": _encoded(picture.quantize(8), "GIF", transparency=1),
        "gif animation": _encoded(picture, "GIF", **_frames(picture), loop=0, disposal=2),
    }


def _others(picture: PIL.Image.Image) -> dict[str, bytes]:
    made = {
        "webp": _encoded(picture, "WEBP", exif=_exif(6)),
        "webp lossless": _encoded(_transparent(picture), "WEBP", lossless=True),
        "webp alpha": _encoded(_transparent(picture), "WEBP", quality=40),
        "webp animation": _encoded(picture, "WEBP", **_frames(picture)),
        "bmp": _encoded(picture, "BMP"),
        "bmp palette": _encoded(picture.quantize(16), "BMP"),
        "bmp 1 bit": _encoded(picture.convert("1"), "BMP"),
        "bmp rgba": _encoded(_transparent(picture), "BMP"),
        "bmp packed": _packed_bmp(picture.quantize(16)),
        "ppm": _encoded(picture, "PPM"),
        "pgm 16 bits": _encoded(_sixteen(picture), "PPM"),
        "pbm": _encoded(picture.convert("1"), "PPM"),
        "ppm plain": b"P3\n# in words\n4 3\n255\n" + b" ".join(b"%d" % n for n in range(36)),
    }
    if features.check("avif"):
        made["avif"] = _encoded(picture, "AVIF", exif=_exif(6), speed=10)
        made["avif alpha"] = _encoded(_transparent(picture), "AVIF", speed=10)
        made["avif animation"] = _encoded(picture, "AVIF", speed=10, **_frames(picture))
    return made


def _packed_bmp(picture: PIL.Image.Image) -> bytes:
    """Return a BMP in run lengths (RLE8), which Pillow reads but does not write."""
    plain = _encoded(picture, "BMP")
    (start,) = struct.unpack_from("<I", plain, 10)
    rows = np.asarray(picture)[::-1]
    runs = b"".join(b"".join(b"\1%c" % level for level in row) + b"\0\0" for row in rows) + b"\0\1"
    header = bytearray(plain[:start])
    struct.pack_into("<I", header, 30, 1)  # BI_RLE8
    struct.pack_into("<I", header, 34, len(runs))
    return bytes(header) + runs
