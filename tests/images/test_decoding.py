"""Reading files of every format and mode, upright, whole or reduced. Peers are Pillow and OpenCV."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import math
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from numpy.typing import NDArray
from PIL import ImageCms

from handprep import geometry, images
from handprep.errors import ImageError, InputError
from tests.rendered import photos

PHOTO = photos()[0].path
ORIENTATION = 0x0112  # the EXIF tag
LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("BMP", {}),
    ("PPM", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
]
LOSSY: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {"quality": 90}),
    ("JPEG", {"quality": 90, "progressive": True}),
    ("JPEG", {"quality": 90, "subsampling": 0}),
    ("WEBP", {"quality": 80}),
    ("TIFF", {"compression": "jpeg"}),
]
if "AVIF" in PIL.Image.registered_extensions().values():  # Pillow 11.3 and later
    LOSSY.append(("AVIF", {"quality": 80}))
ALL = LOSSLESS + LOSSY + [("GIF", {})]


def photo(width: int = 60, height: int = 44) -> PIL.Image.Image:
    """Return a small hand without any symmetry."""
    return PIL.Image.open(PHOTO).convert("RGB").resize((width, height))


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def named(cases: list[tuple[str, dict[str, Any]]]) -> Any:
    names = ["-".join([kind, *(f"{k}={v}" for k, v in options.items())]) for kind, options in cases]
    return pytest.mark.parametrize(("kind", "options"), cases, ids=names)


# Formats


@named(LOSSLESS)
def test_lossless_formats_come_back_exactly(kind: str, options: dict[str, Any]) -> None:
    picture = photo()
    image = images.read(encoded(picture, kind, **options)).image
    np.testing.assert_array_equal(image, np.asarray(picture))


@named(LOSSY)
def test_lossy_formats_equal_pillow(kind: str, options: dict[str, Any]) -> None:
    content = encoded(photo(), kind, **options)
    with PIL.Image.open(io.BytesIO(content)) as picture:
        np.testing.assert_array_equal(images.read(content).image, np.asarray(picture.convert("RGB")))


@named([case for case in ALL if case[0] not in ("AVIF", "GIF")])
def test_every_format_agrees_with_opencv(kind: str, options: dict[str, Any]) -> None:
    content = encoded(photo(), kind, **options)
    theirs = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    # Builds of libjpeg and libwebp differ in how they interpolate colour: a few levels, at edges.
    # Where nothing is lost, nothing may differ.
    difference = np.abs(images.read(content).image.astype(int) - theirs)
    assert difference.mean() <= (0 if (kind, options) in LOSSLESS else 1)
    assert difference.max() <= (0 if (kind, options) in LOSSLESS else 16)


def test_gif_comes_back_with_its_palette() -> None:
    picture = photo().quantize(32)
    image = images.read(encoded(picture, "GIF")).image
    np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_first_frame_counts(kind: str) -> None:
    frames = [PIL.Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    image = images.read(content).image.astype(int)
    # JPEG (in MPO) and WebP encode red within a few levels
    assert np.abs(image - (255, 0, 0)).max() <= 3


def test_wrong_ending_does_not_matter(tmp_path: Any) -> None:
    path = tmp_path / "hand.jpg"
    path.write_bytes(encoded(photo(), "PNG"))
    np.testing.assert_array_equal(images.read(path).image, np.asarray(photo()))


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (3, 2)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_tiny_and_thin_pictures_are_fine(size: tuple[int, int], kind: str) -> None:
    sample = images.read(encoded(PIL.Image.new("RGB", size, "white"), kind), at_least=1)
    assert sample.image.min() >= 254  # white, as JPEG has it
    assert sample.size[0] in range(1, size[0] + 1)


def test_large_pictures_are_copied_whole() -> None:
    # more pixels than are copied at a time, and no multiple of them
    pixels = np.random.default_rng(0).integers(0, 256, (1003, 1201, 3), dtype=np.uint8)
    content = encoded(PIL.Image.fromarray(pixels), "PNG", compress_level=1)
    np.testing.assert_array_equal(images.read(content).image, pixels)


# Modes


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_opaque_modes_equal_pillow(mode: str) -> None:
    picture = photo().convert(mode)
    np.testing.assert_array_equal(images.read(picture).rgb, np.asarray(picture.convert("RGB")))
    assert images.read(picture).image.ndim == (2 if mode in ("1", "L") else 3)


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 30)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
def test_transparent_modes_are_laid_over_the_background(mode: str, background: tuple[int, int, int]) -> None:
    rgba = photo()
    rgba.putalpha(PIL.Image.linear_gradient("L").resize(rgba.size))
    picture = {
        "RGBA": lambda: rgba,
        "LA": lambda: rgba.convert("LA"),
        "PA": lambda: rgba.convert("PA"),
        "La": lambda: rgba.convert("LA").convert("La"),
        "RGBa": lambda: rgba.convert("RGBa"),
    }[mode]()
    straight = picture.convert("LA").convert("RGBA") if mode == "La" else picture.convert("RGBA")
    expected = PIL.Image.new("RGBA", picture.size, (*background, 255))
    expected.alpha_composite(straight)
    image = images.read(picture, background=background).image
    # Pillow's alpha_composite works with 7 more bits and truncates differently: one level
    assert np.abs(image.astype(int) - np.asarray(expected.convert("RGB"))).max() <= 1


def test_fully_transparent_pixels_are_exactly_the_background() -> None:
    picture = PIL.Image.new("RGBA", (2, 1), (90, 90, 90, 0))
    picture.putpixel((1, 0), (90, 90, 90, 255))
    assert images.read(picture, background=(1, 2, 3)).image.tolist() == [[[1, 2, 3], [90, 90, 90]]]


@pytest.mark.parametrize(
    ("mode", "transparency", "kind"),
    [
        ("P", 0, "PNG"),
        ("P", b"\x00\xff\x80", "PNG"),
        ("P", 0, "GIF"),
        ("RGB", (255, 0, 0), "PNG"),
        ("L", 76, "PNG"),
    ],
)
def test_transparent_colour_shows_the_background(mode: str, transparency: Any, kind: str) -> None:
    red = PIL.Image.new("RGB", (4, 4), (255, 0, 0))
    picture = red.quantize(2) if mode == "P" else red.convert(mode)
    content = encoded(picture, kind, transparency=transparency)
    assert (images.read(content, background=(0, 0, 255)).image == (0, 0, 255)).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_the_upper_eight(kind: str) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = images.read(encoded(PIL.Image.fromarray(levels), kind)).image
    np.testing.assert_array_equal(image, np.repeat((levels >> 8).astype(np.uint8)[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("depth", [10, 12, 14])
def test_fewer_bits_in_sixteen_use_the_whole_range(kind: str, depth: int) -> None:
    levels = np.arange(1 << depth, dtype=np.uint16).reshape(-1, 64)
    sample = images.read(encoded(PIL.Image.fromarray(levels), kind))
    np.testing.assert_array_equal(sample.image[..., 0], levels >> depth - 8)
    assert [(step.name, step.details) for step in sample.steps] == [("read", {"depth": depth})]


def test_a_tiff_may_say_how_many_bits_it_uses() -> None:
    levels = PIL.Image.fromarray(np.full((4, 4), 1023, np.uint16))
    sample = images.read(encoded(levels, "TIFF", tiffinfo={281: 4095}))
    assert (sample.image == 1023 >> 4).all()


@pytest.mark.parametrize("kind", [".png", ".tiff"])
@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_fewer_bits_in_sixteen_bit_colour_use_the_whole_range(kind: str, depth: int) -> None:
    levels = np.random.default_rng(0).integers(0, 1 << depth, (8, 9, 3), dtype=np.uint16)
    levels[0, 0, 0] = (1 << depth) - 1
    sample = images.read(cv2.imencode(kind, levels[..., ::-1])[1].tobytes())
    np.testing.assert_array_equal(sample.image, levels >> depth - 8)
    assert [step.details for step in sample.steps] == ([] if depth == 16 else [{"depth": depth}])


def test_sixteen_bit_colour_keeps_the_upper_eight() -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    content = cv2.imencode(".png", levels[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(images.read(content).image, levels >> 8)


def test_mode_i_is_sixteen_bits() -> None:
    picture = PIL.Image.fromarray(np.array([[0, 32768, 65535]], np.int32))
    assert images.read(picture).image.tolist() == [[0, 128, 255]]
    with pytest.raises(InputError, match="0 to 65535, not -1 to 70000"):
        images.read(PIL.Image.fromarray(np.array([[-1, 70000]], np.int32)))


@pytest.mark.parametrize("white", [1, 255])
def test_mode_f_goes_to_one_or_to_255(white: int) -> None:
    picture = PIL.Image.fromarray(np.array([[0, 0.5, 1]], np.float32) * white)
    assert images.read(picture).image.tolist() == [[0, 128, 255]]
    assert images.read(encoded(picture, "TIFF")).image[..., 0].tolist() == [[0, 128, 255]]
    content = encoded(PIL.Image.fromarray(np.array([[0, 800]], np.float32)), "TIFF")
    with pytest.raises(ImageError, match="from 0 to 1, not 0 to 800"):
        images.read(content)


def test_cmyk_jpeg_keeps_its_colours() -> None:
    red = PIL.Image.new("RGB", (16, 16), (220, 40, 30))
    image = images.read(encoded(red.convert("CMYK"), "JPEG", quality=95)).image.astype(int)
    assert np.abs(image - (220, 40, 30)).max() <= 4  # JPEG's own rounding


def test_lab_is_refused_with_a_remedy() -> None:
    with pytest.raises(InputError, match=r"LAB.*ImageCms"):
        images.read(PIL.Image.new("LAB", (4, 4)))


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_as_pillow_does(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    content = encoded(photo(), kind, exif=exif)
    with PIL.Image.open(io.BytesIO(content)) as picture:
        expected = np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    assert expected.shape[:2] == ((44, 60) if orientation < 5 else (60, 44))
    np.testing.assert_array_equal(images.read(content).image, expected)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_meaningless_orientation_is_none(orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    content = encoded(photo(), "PNG", exif=exif)
    np.testing.assert_array_equal(images.read(content).image, np.asarray(photo()))


def test_damaged_exif_leaves_the_image_readable() -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "a description that lies outside the entry"
    content = encoded(photo(), "JPEG", exif=exif)
    start = content.index(b"Exif\0\0") + 6
    cut = content[: start + 8] + b"\xff" * 24 + content[start + 32 :]
    with (
        PIL.Image.open(io.BytesIO(encoded(photo(), "JPEG"))) as whole,
        pytest.warns(UserWarning, match="EXIF"),  # Pillow's
    ):
        np.testing.assert_array_equal(images.read(cut).image, np.asarray(whole))


# Reduced decoding


@pytest.mark.parametrize(
    ("at_least", "factor"), [(None, 1), (2000, 1), (1001, 1), (502, 1), (501, 2), (251, 4), (126, 8), (1, 8)]
)
def test_jpeg_is_reduced_by_the_largest_factor_that_is_enough(at_least: int | None, factor: int) -> None:
    content = encoded(photo(1001, 603), "JPEG")
    sample = images.read(content, at_least=at_least)
    assert sample.size == (-(-1001 // factor), -(-603 // factor))
    np.testing.assert_array_equal(sample.to_source, geometry.scaling(factor, factor))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_reduced_pixels_lie_where_to_source_says(orientation: int, factor: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    # sides that no factor divides, so that a wrong scale or offset moves everything
    rough = np.random.default_rng(0).integers(0, 256, (10, 17), dtype=np.uint8)
    picture = PIL.Image.fromarray(rough).resize((1001, 603), PIL.Image.Resampling.BICUBIC)
    content = encoded(picture.convert("RGB"), "JPEG", quality=95, exif=exif)
    full = images.read(content).image.astype(np.float32)
    sample = images.read(content, at_least=-(-1001 // factor))
    # the mean over what each pixel stands for, looked up at its centre by to_source
    width, height = sample.size
    xy = geometry.apply(sample.to_source, np.dstack(np.meshgrid(np.arange(width), np.arange(height))) + 0.5)
    mean = cv2.blur(full, (factor, factor), borderType=cv2.BORDER_REPLICATE)  # even kernels: centred at +0.5
    there = cv2.remap(mean, *(np.float32(xy[..., i]) for i in (0, 1)), cv2.INTER_LINEAR)
    inner = (slice(1, -1), slice(1, -1))  # the outer pixels stand for partly nothing
    # the inverse transform rounds, and so does the mean; being off by one source pixel costs 3 to 5
    assert np.abs(there - sample.image)[inner].mean() < 0.5


def test_other_formats_are_never_reduced() -> None:
    sample = images.read(encoded(photo(800, 600), "PNG"), at_least=100)
    assert sample.size == (800, 600)
    np.testing.assert_array_equal(sample.to_source, geometry.identity())


def test_given_pil_image_is_not_reduced_nor_changed() -> None:
    with PIL.Image.open(io.BytesIO(encoded(photo(800, 600), "JPEG"))) as picture:
        assert images.read(picture, at_least=100).size == (800, 600)
        assert (picture.size, picture.mode) == ((800, 600), "RGB")


# Limits


@named(ALL)
def test_size_is_checked_for_every_format(kind: str, options: dict[str, Any]) -> None:
    content = encoded(photo(), kind, **options)
    weight = {"WEBP": 2.2, "AVIF": 2.4}.get(kind, 10 / 7 if "progressive" in options else 1)
    assert images.read(content, max_pixels=math.ceil(60 * 44 * weight)).size == (60, 44)
    with pytest.raises(ImageError, match=r"60 x 44 pixels.* limit of 2639, .*raise max_pixels, .*HANDPREP_"):
        images.read(content, max_pixels=60 * 44 - 1)


def huge_png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_bomb_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(ImageError, match=f"65000 x 65000 .* limit of {images.MAX_PIXELS}"):
        images.read(huge_png(65000, 65000))


def test_zero_size_is_refused() -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        images.read(huge_png(0, 5))


def test_limit_is_ours_and_not_the_process_wide_one(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [encoded(photo(), kind) for kind in ("JPEG", "PNG", "BMP")]
    for limit in (2000, 100):  # Pillow would warn from there on, and refuse twice as many
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        assert [images.read(content).size for content in contents] == [(60, 44)] * 3


@named(ALL)
def test_truncated_files_are_refused(kind: str, options: dict[str, Any]) -> None:
    content = encoded(photo(), kind, **options)
    for part in (0.3, 0.6, 0.9):
        with pytest.raises(ImageError, match="the given bytes cannot be read: truncated or damaged"):
            images.read(content[: int(len(content) * part)])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_no_cut_goes_unnoticed(kind: str) -> None:
    content = encoded(photo(24, 18), kind)
    whole = images.read(content).image
    read = 0
    for length in range(len(content)):
        try:
            image = images.read(content[:length]).image
        except ImageError:
            continue
        np.testing.assert_array_equal(image, whole)  # only a checksum or end marker was lost
        read += 1
    assert read < 30


# Manners


def test_damaged_jpeg_data_prints_nothing(capfd: Any) -> None:
    content = bytearray(encoded(photo(), "JPEG"))
    start = content.index(b"\xff\xda") + 60
    content[start : start + 4] = b"\x12\xff\xd3\x34"  # a restart marker where none belongs
    with contextlib.suppress(ImageError):
        images.read(bytes(content))
    assert capfd.readouterr() == ("", "")


def test_threads_read_the_same() -> None:
    contents = [encoded(photo(), kind, **options) for kind, options in ALL] * 8
    expected = [images.read(content).image for content in contents]
    with ThreadPoolExecutor(8) as pool:
        for image, sample in zip(expected, pool.map(images.read, contents), strict=True):
            np.testing.assert_array_equal(sample.image, image)


def test_result_is_owned_and_read_only() -> None:
    sample = images.read(encoded(photo(), "PNG"))
    assert sample.image.dtype == np.uint8
    assert not sample.image.flags.writeable
    assert sample.hands is None


def test_heic_without_its_plugin_says_what_to_install() -> None:
    if any(importlib.util.find_spec(package) for package in ("pillow_heif", "pi_heif")):
        pytest.skip("the plugin is installed")
    with pytest.raises(ImageError, match=r"HEIC.*handprep\[heic\]"):
        images.read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_video_is_not_taken_for_a_photo() -> None:
    with pytest.raises(ImageError, match=r"a video\. Use handprep.video.frames"):
        images.read(b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(100))


def test_heic_is_read_where_its_plugin_is_installed(tmp_path: Any) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif")
    path = tmp_path / "hand.heic"
    heif.from_pillow(photo(64, 48)).save(path, quality=95)
    code = "import sys, handprep.images as i; print(i.read(sys.argv[1]).image.astype(int).tolist())"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    read: NDArray[np.int64] = np.array(json.loads(done.stdout))
    assert np.abs(read - np.asarray(photo(64, 48))).mean() < 4  # lossy


def test_a_colour_profile_is_applied_unless_it_is_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The same with red and blue exchanged, under another name.
    other = srgb.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    other = other.replace("sRGB".encode("utf-16-be"), "xBGR".encode("utf-16-be"))
    red = PIL.Image.new("RGB", (2, 1), "red")
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        content = encoded(red, kind, icc_profile=other)
        # blue, as exactly as JPEG and WebP encode red
        assert np.abs(images.read(content).image.astype(int) - (0, 0, 255)).max() <= 6
        np.testing.assert_array_equal(
            images.read(encoded(red, kind, icc_profile=srgb)).image, images.read(encoded(red, kind)).image
        )
        damaged = encoded(red, kind, icc_profile=other[:200])
        np.testing.assert_array_equal(images.read(damaged).image, images.read(encoded(red, kind)).image)
