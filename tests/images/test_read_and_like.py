"""Reading and giving back each kind of picture; files that cannot be read. (Formats: test_decoding.)"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from handprep import images
from handprep.errors import ImageError, InputError
from handprep.sample import Sample
from handprep.text import printable
from tests.permissions import as_nobody, folder_for_all
from tests.rendered import photos

PHOTO = photos()[0].path
CONTENT = PHOTO.read_bytes()
FILES: list[Callable[[], Any]] = [
    lambda: PHOTO,
    lambda: str(PHOTO),
    lambda: CONTENT,
    lambda: bytearray(CONTENT),
    lambda: memoryview(CONTENT),
    lambda: io.BytesIO(CONTENT),
    lambda: {"bytes": CONTENT, "path": None},  # as datasets.Image(decode=False) has it
    lambda: {"bytes": None, "path": str(PHOTO)},
]


# Kinds


@pytest.mark.parametrize("given", FILES)
def test_every_kind_of_file_gives_the_same_picture(given: Callable[[], Any]) -> None:
    with PIL.Image.open(PHOTO) as picture:
        np.testing.assert_array_equal(images.read(given()).image, np.asarray(picture))


def test_open_file_is_read_and_stays_open() -> None:
    with PHOTO.open("rb") as file:
        assert images.read(file).size == images.read(PHOTO).size
        assert not file.closed


def test_path_and_pil_image_give_the_same_pixels() -> None:
    with PIL.Image.open(PHOTO) as picture:
        np.testing.assert_array_equal(images.read(picture).image, images.read(PHOTO).image)


def test_path_is_the_source() -> None:
    assert images.read(PHOTO).source == str(PHOTO)
    assert images.read(CONTENT).source is None
    with PIL.Image.open(PHOTO) as picture:
        assert images.read(picture).source == str(PHOTO)
        assert images.read(picture.copy()).source is None


def test_given_name_is_the_source_of_bytes_and_named_in_errors() -> None:
    assert images.read(CONTENT, name="s3://b/a.jpg").source == "s3://b/a.jpg"
    with pytest.raises(ImageError, match=r"s3://b/a\.jpg cannot be read: truncated or damaged"):
        images.read(CONTENT[:5000], name="s3://b/a.jpg")


def test_sample_is_returned_as_it_is() -> None:
    sample = images.read(PHOTO)
    assert images.read(sample) is sample
    assert images.to_type_of(sample, sample) is sample


@pytest.mark.parametrize("picture", [None, 3, [[1, 2], [3, 4]], {"a": 1}, object])
def test_other_kinds_are_refused_by_name(picture: Any) -> None:
    for call in (images.read, lambda x: images.to_type_of(images.read(PHOTO), x)):
        with pytest.raises(InputError, match=f"a path, bytes, .* not {type(picture).__name__}"):
            call(picture)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [([PHOTO], "Pipeline.map"), ((PHOTO,), "Pipeline.map"), (None, r"cv2\.imread .* check the path")],
)
def test_what_is_not_one_picture_gets_a_remedy(given: Any, remedy: str) -> None:
    with pytest.raises(InputError, match=remedy):
        images.read(given)


@pytest.mark.parametrize("url", ["https://example.org/hand.jpg", "s3://bucket/hand.jpg"])
def test_a_url_is_said_to_be_one(url: str) -> None:
    refused(url, "a URL. Download it first")


def test_text_file_object_is_refused_with_a_remedy() -> None:
    with pytest.raises(InputError, match=r"binary mode \('rb'\)"):
        images.read(io.StringIO("hand"))


@pytest.mark.parametrize(
    "options",
    [
        {"at_least": 0},
        {"at_least": 10.5},
        {"at_least": True},
        {"max_pixels": -1},
        {"background": (0, 0)},
        {"background": (0, 0, 256)},
        {"background": "no colour"},
        {"alpha": "cut"},
        {"order": "gbr"},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        images.read(PHOTO, **options)


# Giving back


@pytest.mark.parametrize("given", FILES)
def test_files_give_arrays_back(given: Callable[[], Any]) -> None:
    sample = images.read(PHOTO)
    back = images.to_type_of(sample, given())
    np.testing.assert_array_equal(back, sample.image)
    assert back.flags.writeable
    assert not np.shares_memory(back, sample.image)


def test_pil_image_gives_pil_image_back() -> None:
    sample = images.read(PHOTO)
    back = images.to_type_of(sample, PIL.Image.new("L", (1, 1)))
    assert back.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(back), sample.image)


def test_a_pil_image_keeps_its_info_but_for_the_orientation() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a hand"
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (4, 2)).save(buffer, "JPEG", exif=exif, dpi=(72, 72), icc_profile=b"no profile")
    with PIL.Image.open(buffer) as picture:
        back = images.to_type_of(images.read(picture), picture)
        assert back.size == (2, 4)
        assert dict(back.getexif()) == {0x010E: "a hand"}
        assert {"dpi", "icc_profile"} <= set(back.info)
        assert picture.getexif()[0x0112] == 6


@pytest.mark.parametrize(
    ("grey", "transparent", "mode"),
    [(False, False, "RGB"), (False, True, "RGBA"), (True, False, "L"), (True, True, "LA")],
)
def test_grey_and_transparent_decide_the_channels(grey: bool, transparent: bool, mode: str) -> None:
    rgb = images.read(PHOTO).image
    alpha = np.arange(rgb.shape[0] * rgb.shape[1]).reshape(rgb.shape[:2]).astype(np.uint8)
    sample = Sample(image=rgb[..., 0] if grey else rgb, alpha=alpha, transparent=transparent)
    pil = images.to_type_of(sample, PIL.Image.new("RGB", (1, 1)))
    array = images.to_type_of(sample, PHOTO)
    assert pil.mode == mode
    assert array.shape == (*rgb.shape[:2], len(mode))[: 2 if mode == "L" else 3]
    np.testing.assert_array_equal(np.asarray(pil), array)
    if transparent:
        np.testing.assert_array_equal(array[..., -1], alpha)


def test_transparent_without_alpha_is_opaque() -> None:
    sample = replace(images.read(PHOTO), transparent=True)
    assert (images.to_type_of(sample, PHOTO)[..., 3] == 255).all()


# Files that cannot be read


def refused(path: Any, match: str) -> None:
    with pytest.raises(ImageError, match=match) as caught:
        images.read(path)
    assert str(caught.value).isprintable()


def test_missing_file_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "hand.jpg", f"{tmp_path}/hand.jpg cannot be read: there is no such file. Check")


def test_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "x.jpg"
    folder.mkdir()
    refused(folder, "x.jpg cannot be read: a folder. Give .* `handprep run`")
    refused("", "the empty path cannot be read: there is no such file")


@pytest.mark.parametrize("content", [b"", b"dear diary", b"<svg/>", b"\0" * 100, b"\xff\xd8\xff"])
def test_file_without_a_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hand.jpg"
    path.write_bytes(content)
    refused(path, "hand.jpg cannot be read: (empty|no known kind of image|truncated or damaged)")


def test_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "hand.jpg"
    link.symlink_to(link)
    refused(link, "symbolic links lead round in a circle")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hand.jpg")
    refused(tmp_path / "hand.jpg", "neither a file nor a folder")


def test_file_without_permission_is_refused() -> None:
    with folder_for_all() as folder:
        path = folder / "hand.jpg"
        path.write_bytes(CONTENT)
        path.chmod(0)
        with as_nobody():
            refused(path, r"hand\.jpg cannot be read: no permission\. Allow")


def test_impossible_paths_are_refused() -> None:
    refused("a\0b.jpg", r"a\\x00b.jpg cannot be read: .*embedded null")
    refused("a" * 5000, "File name too long")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names are always Unicode")
def test_names_that_are_no_utf8_work_and_print(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"fist\xff\n.jpg")
    path.write_bytes(CONTENT)
    assert images.read(path).source == str(path)
    path.write_bytes(CONTENT[:500])
    refused(path, r"fist\\udcff\\n.jpg cannot be read: truncated")


@pytest.mark.parametrize("name", ["hand.jpg", "手.jpg", "main gauche.jpg", "✊.png"])
def test_ordinary_names_are_printed_as_they_are(name: str) -> None:
    assert printable(name) == name


def test_only_what_cannot_be_printed_is_escaped() -> None:
    assert printable("手\udcff \x1b[2J.jpg") == r"手\udcff \x1b[2J.jpg"


def test_damaged_pil_image_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(CONTENT[: len(CONTENT) // 2])
    with PIL.Image.open(path) as picture:
        refused(picture, "cut.jpg cannot be read: truncated or damaged")


def test_file_object_that_fails_is_refused() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    refused(Broken(), "the given bytes cannot be read: Input/output error")


def test_importing_loads_no_framework() -> None:
    code = "import handprep.images, sys; print({'torch', 'torchvision'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
