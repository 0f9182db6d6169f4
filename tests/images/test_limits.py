"""The budget of pixels, of a program with its workers or of a picture. (Formats: test_decoding, bombs.)"""

from __future__ import annotations

import io
import os
import subprocess
import sys

import PIL.Image
import pytest

from handprep import images
from handprep.errors import ImageError


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def tried(limit: str, width: int, height: int) -> str:
    code = (
        "import sys\ntry:\n from handprep import images\n images.read(sys.stdin.buffer.read())\n"
        "except Exception as error: print(type(error).__name__, error)\nelse: print('read')"
    )
    surroundings = {**os.environ, "HANDPREP_MAX_PIXELS": limit}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, input=png(width, height), env=surroundings, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_the_environment_sets_the_limit_of_a_program() -> None:
    assert tried("1000", 40, 25) == "read\n"
    assert tried("999", 40, 25).startswith("ImageError the given bytes cannot be read: 40 x 25 pixels are")
    assert tried("", 40, 25) == "read\n"
    assert tried("many", 40, 25).startswith("InputError HANDPREP_MAX_PIXELS must be a number of pixels")


def test_a_phones_largest_photo_is_within_it_and_no_limit_is_none() -> None:
    assert images.MAX_PIXELS > 12_000 * 9_000
    content = png(12_000, 10_001)
    with pytest.raises(ImageError, match="limit of 120000000"):
        images.read(content)
    assert images.read(content, max_pixels=None).size == (12_000, 10_001)


def test_rows_count_where_a_picture_is_long_and_narrow() -> None:
    assert images.read(png(1, 65_535)).size == (1, 65_535)
    with pytest.raises(ImageError, match=r"counts 64\.0 times as it is so narrow"):
        images.read(png(1, 2_000_000))
