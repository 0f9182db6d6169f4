"""Writing picture files: whole or not at all, and always the same bytes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from handprep import images
from handprep.errors import InputError, OutputError
from handprep.sample import Sample
from tests.permissions import as_nobody, folder_for_all
from tests.rendered import photos

RGB = np.array(images.read(photos()[0].path).image[::4, ::4])
ALPHA = np.random.default_rng(0).integers(0, 256, RGB.shape[:2], dtype=np.uint8)
COLOUR = Sample(image=RGB)
GREY = Sample(image=RGB[..., 1])
TRANSPARENT = Sample(image=RGB, alpha=ALPHA, transparent=True)
GREY_TRANSPARENT = replace(TRANSPARENT, image=RGB[..., 1])


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def decoded(content: bytes) -> tuple[str, str, Any]:
    with PIL.Image.open(io.BytesIO(content)) as picture:
        return picture.format or "", picture.mode, np.asarray(picture).astype(int)


@pytest.mark.parametrize(
    ("sample", "mode"), [(COLOUR, "RGB"), (GREY, "L"), (TRANSPARENT, "RGBA"), (GREY_TRANSPARENT, "LA")]
)
def test_png_is_exact_in_every_mode(sample: Sample, mode: str) -> None:
    kind, found, pixels = decoded(images.encode(sample, "png"))
    assert (kind, found) == ("PNG", mode)
    np.testing.assert_array_equal(pixels, images.to_type_of(sample, b""))


@pytest.mark.parametrize("format", ["jpeg", "JPG", "webp"])
@pytest.mark.parametrize("sample", [COLOUR, GREY])
def test_lossy_formats_are_close(sample: Sample, format: str) -> None:
    kind, _, pixels = decoded(images.encode(sample, format))
    assert kind == {"webp": "WEBP"}.get(format, "JPEG")
    if sample is GREY and pixels.ndim == 3:  # WebP has no grey
        pixels = pixels[..., 1]
    assert np.abs(pixels - sample.image).mean() < 4  # of 255: what quality 95 costs on so small a picture


def test_webp_keeps_alpha_exactly() -> None:
    assert (decoded(images.encode(TRANSPARENT, "webp"))[2][..., 3] == ALPHA).all()


@pytest.mark.parametrize("format", ["png", "webp"])
def test_colours_under_transparent_pixels_are_kept(format: str) -> None:
    hidden = replace(TRANSPARENT, alpha=np.zeros_like(ALPHA))
    pixels = decoded(images.encode(hidden, format))[2]
    assert (pixels[..., 3] == 0).all()
    assert np.abs(pixels[..., :3] - RGB).mean() < 4  # WebP is lossy; blackened they would differ by 100


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_same_picture_becomes_the_same_bytes(format: str) -> None:
    again = Sample(image=RGB.copy(), source="elsewhere.jpg")
    assert images.encode(COLOUR, format) == images.encode(again, format)


def test_quality_decides_the_size() -> None:
    for format in ("jpeg", "webp"):
        sizes = [len(images.encode(COLOUR, format, quality=quality)) for quality in (20, 60, 95)]
        assert sizes == sorted(set(sizes))


def test_transparent_jpeg_is_refused() -> None:
    with pytest.raises(InputError, match="JPEG cannot be transparent: use PNG or WebP"):
        images.encode(TRANSPARENT, "jpeg")


@pytest.mark.parametrize("options", [{"format": "bmp"}, {"format": ""}, {"format": "png", "quality": 0}])
def test_unknown_format_or_quality_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"known: png, jpeg, webp|1 to 100"):
        images.encode(COLOUR, **options)


@pytest.mark.parametrize(("format", "width"), [("webp", 16384), ("jpeg", 65536)])
def test_what_a_format_cannot_hold_is_refused(format: str, width: int) -> None:
    with pytest.raises(InputError, match=f"of {width} x 1 pixels cannot be made .*use PNG"):
        images.encode(Sample(image=np.zeros((1, width), np.uint8)), format)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("b.JPG", "JPEG"), ("c.jpeg", "JPEG"), ("d.webp", "WEBP")]
)
def test_ending_decides_the_format(tmp_path: Path, name: str, kind: str) -> None:
    images.write(COLOUR, tmp_path / name)
    assert decoded((tmp_path / name).read_bytes())[0] == kind
    assert names_in(tmp_path) == [name]


def test_given_format_wins_over_the_ending(tmp_path: Path) -> None:
    images.write(COLOUR, str(tmp_path / "hand.dat"), "png")
    assert (tmp_path / "hand.dat").read_bytes() == images.encode(COLOUR, "png")


def test_ending_without_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"hand\.bmp ends in none of \.png, \.jpg"):
        images.write(COLOUR, tmp_path / "hand.bmp")
    assert names_in(tmp_path) == []


def test_older_file_is_replaced_and_kept_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "hand.png"
    images.write(GREY, path)
    images.write(COLOUR, path)
    assert path.read_bytes() == images.encode(COLOUR, "png")
    with file_size_limit(50), pytest.raises(OutputError):
        images.write(GREY, path)
    assert path.read_bytes() == images.encode(COLOUR, "png")


@pytest.mark.skipif(os.name != "posix", reason="permissions work otherwise here")
def test_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    images.write(COLOUR, tmp_path / "hand.png")
    assert (tmp_path / "hand.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


# Destinations that fail


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="needs POSIX limits")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_too_large_a_file_leaves_nothing(tmp_path: Path) -> None:
    with file_size_limit(50), pytest.raises(OutputError, match=r"hand\.png cannot be written: .*ulimit"):
        images.write(COLOUR, tmp_path / "hand.png")
    assert names_in(tmp_path) == []


FULL_DISK = """
import os, sys
from pathlib import Path
import numpy as np
from handprep import images
from handprep.errors import OutputError
from handprep.sample import Sample
noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
images.write(Sample(image=noise[:20, :20]), Path(sys.argv[1], "small.png"))
try:
    images.write(Sample(image=noise), Path(sys.argv[1], "large.png"))
except OutputError as error:
    print(error)
print(os.listdir(sys.argv[1]))
"""


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "write.py").write_text(FULL_DISK)
    mount = f"mount -t tmpfs -o size=64k none {tmp_path}/disk"
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    try:
        subprocess.run([*inside, mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small disk here: {error}")
    command = f"{mount} && {sys.executable} {tmp_path}/write.py {tmp_path}/disk"
    done = subprocess.run([*inside, command], check=True, capture_output=True, text=True)
    assert "large.png cannot be written: the disk is full. Make room" in done.stdout
    assert done.stdout.splitlines()[-1] == "['small.png']"


def test_read_only_folder_leaves_nothing() -> None:
    with folder_for_all() as folder:
        folder.chmod(0o555)
        with (
            as_nobody(),
            pytest.raises(OutputError, match=r"hand\.png cannot be written: no permission\. Allow"),
        ):
            images.write(COLOUR, folder / "hand.png")
        assert names_in(folder) == []


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        OutputError, match=r"no/hand\.png cannot be written: there is no such folder\. Create"
    ):
        images.write(COLOUR, tmp_path / "no" / "hand.png")


def test_folder_or_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hand.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"that is a folder\. Move it away, or choose another name"):
        images.write(COLOUR, tmp_path / "hand.png")
    with pytest.raises(OutputError, match="what should be its folder is a file"):
        images.write(COLOUR, tmp_path / "file" / "hand.png")
    assert names_in(tmp_path) == ["file", "hand.png"]


def test_null_byte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\\x00b\.png cannot be written: .*embedded null"):
        images.write(COLOUR, tmp_path / "a\0b.png")
