"""Damaged files: whatever the bytes, reading gives a picture or an ImageError, quietly."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handprep import images
from handprep.errors import ImageError
from tests.fuzz.mutation import mended
from tests.rendered import photos


def _encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _seeds() -> dict[str, bytes]:
    """Return a small file of each kind that a decoder has code of its own for."""
    picture = PIL.Image.open(photos()[0].path).convert("RGB").resize((32, 24))
    transparent = picture.copy()
    transparent.putalpha(picture.convert("L"))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a hand"
    frames: dict[str, Any] = {"save_all": True, "append_images": [picture.rotate(90)]}
    sixteen = PIL.Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    return {
        "jpeg": _encoded(picture, "JPEG", exif=exif),
        "jpeg progressive": _encoded(picture, "JPEG", progressive=True),
        "jpeg cmyk": _encoded(picture.convert("CMYK"), "JPEG"),
        "jpeg grey": _encoded(picture.convert("L"), "JPEG"),
        "mpo": _encoded(picture, "MPO", **frames),
        "png": _encoded(picture, "PNG", exif=exif),
        "png palette": _encoded(picture.quantize(16), "PNG", transparency=3),
        "png rgba": _encoded(transparent, "PNG"),
        "png 16": _encoded(sixteen, "PNG"),
        "apng": _encoded(picture, "PNG", **frames),
        "webp": _encoded(picture, "WEBP", exif=exif),
        "webp lossless": _encoded(transparent, "WEBP", lossless=True),
        "webp animation": _encoded(picture, "WEBP", **frames),
        "gif": _encoded(picture, "GIF", **frames),
        "gif transparent": _encoded(picture.quantize(8), "GIF", transparency=1),
        "tiff": _encoded(picture, "TIFF", exif=exif),
        "tiff 16": _encoded(sixteen, "TIFF"),
        "bmp": _encoded(picture, "BMP"),
        "bmp palette": _encoded(picture.quantize(16), "BMP"),
        "ppm": _encoded(picture, "PPM"),
    }


SEEDS = _seeds()

# Where, as a share of the file (squared: headers matter most); how many bytes go; what comes instead.
edits = st.tuples(
    st.floats(0, 1),
    st.integers(0, 8),
    st.binary(max_size=6) | st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xd9"]),
)


def damaged(content: bytes, changes: list[tuple[float, int, bytes]], cut: float, mend: bool) -> bytes:
    for share, gone, instead in changes:
        start = int(share * share * len(content))
        content = content[:start] + instead + content[start + gone :]
    content = content[: max(1, int(cut * len(content)))]
    return mended(content) if mend else content


@given(
    kind=st.sampled_from(sorted(SEEDS)),
    changes=st.lists(edits, max_size=5),
    cut=st.just(1.0) | st.floats(0, 1),
    mend=st.booleans(),
    at_least=st.none() | st.integers(1, 40),
)
@settings(
    max_examples=600,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
def test_damaged_files_give_a_picture_or_an_image_error(
    kind: str, changes: list[tuple[float, int, bytes]], cut: float, mend: bool, at_least: int | None
) -> None:
    content = damaged(SEEDS[kind], changes, cut, mend)
    try:
        sample = images.read(content, at_least=at_least, max_pixels=1_000_000)
    except ImageError as error:
        assert str(error).startswith("the given bytes cannot be read: ")
        assert str(error).isprintable()
    else:
        assert sample.image.dtype == np.uint8
        assert sample.image.ndim == 3
        assert np.isfinite(sample.to_source).all()


@given(content=st.binary(max_size=200))
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_arbitrary_bytes_give_a_picture_or_an_image_error(content: bytes) -> None:
    try:
        images.read(content, max_pixels=1_000_000)
    except ImageError as error:
        assert str(error).isprintable()


def test_undamaged_seeds_are_all_read() -> None:
    for kind, content in SEEDS.items():
        assert sorted(images.read(mended(content)).size) == [24, 32], kind
