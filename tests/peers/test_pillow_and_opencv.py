"""What Pillow and OpenCV hand out is taken, whatever its mode or depth; contracts of their documentation."""

from __future__ import annotations

import io
from functools import reduce
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from handprep import Greyscale, HandCropper, Pipeline, ResizePad, images
from tests.rendered import photos

PREPARE = Pipeline([HandCropper(), ResizePad(48)])
PHOTO = photos()[4].path
# https://pillow.readthedocs.io/en/stable/handbook/concepts.html#modes, but for LAB, which is refused
MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa", "La")


def converted(mode: str) -> PIL.Image.Image:
    with PIL.Image.open(PHOTO) as photo:
        if mode == "F":
            return PIL.Image.fromarray(np.asarray(photo.convert("L"), np.float32) / 255)
        if mode.startswith("I"):
            deep = np.asarray(photo.convert("L")).astype(np.int32) * 257
            return PIL.Image.fromarray(deep.astype(np.uint16) if mode == "I;16" else deep)
        steps = {"RGBa": ("RGBA", "RGBa"), "La": ("LA", "La"), "PA": ("LA", "PA")}.get(mode, (mode,))
        return reduce(PIL.Image.Image.convert, steps, photo)


@pytest.mark.parametrize("mode", [*MODES, "I;16"])
def test_every_mode_of_pillow_is_prepared_and_comes_back_as_pillow(mode: str) -> None:
    given = converted(mode)
    before = given.tobytes()
    done = PREPARE(given)
    assert isinstance(done, PIL.Image.Image)
    assert done.size == (48, 48)
    assert done.mode == ("L" if mode in ("1", "L", "I", "F", "I;16") else "RGB")
    assert given.tobytes() == before


@pytest.mark.parametrize("flag", [cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE, cv2.IMREAD_UNCHANGED])
def test_what_imread_gives_is_the_file_itself(flag: int) -> None:
    array = cv2.imread(str(PHOTO), flag)
    assert array is not None
    grey = Greyscale()(images.read(array, order="bgr"))
    expected = Greyscale()(images.read(PHOTO))
    # OpenCV takes the grey straight from the JPEG's luma, and its decoder interpolates colours otherwise
    assert np.abs(grey.image.astype(int) - expected.image).mean() < 1


@pytest.mark.parametrize("depth", [10, 12, 14, 16])
@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_fewer_bits_in_sixteen_show_what_eight_show(ending: str, depth: int) -> None:
    eight = cv2.imread(str(PHOTO), cv2.IMREAD_GRAYSCALE)
    assert eight is not None
    deep = eight.astype(np.uint16) << (depth - 8)
    deep[0, 0] = (1 << depth) - 1
    content = cv2.imencode(ending, deep)[1].tobytes()
    np.testing.assert_array_equal(images.read(content).image[1:, :, 0], eight[1:])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_a_cut_out_keeps_its_alpha_from_file_to_file(kind: str) -> None:
    with PIL.Image.open(PHOTO) as photo:
        cut_out = photo.convert("RGBA")
    cut_out.putalpha(PIL.Image.radial_gradient("L").resize(cut_out.size))
    buffer = io.BytesIO()
    cut_out.save(buffer, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    done = PREPARE.run(images.read(buffer.getvalue(), alpha="keep"))
    with PIL.Image.open(io.BytesIO(images.encode(done, "png"))) as saved:
        assert (saved.mode, saved.size) == ("RGBA", (48, 48))
        assert len(set(np.asarray(saved)[..., 3].ravel())) > 20


@pytest.mark.parametrize("given", [lambda: PHOTO.open("rb"), lambda: io.BytesIO(PHOTO.read_bytes())])
def test_uploads_are_prepared_as_their_files(given: Any) -> None:
    with given() as upload:
        np.testing.assert_array_equal(PREPARE(upload), PREPARE(PHOTO))
