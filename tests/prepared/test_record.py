"""An image and its record in one file: nothing is lost, and no damage goes unseen."""

from __future__ import annotations

import io
import random
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import handprep
from handprep import BackgroundRemover, Greyscale, HandCropper, Pipeline, ResizePad, images
from handprep.images import encode
from handprep.images.arrays import channels_of
from handprep.prepared.container import DamagedError
from handprep.prepared.origin import Origin
from handprep.prepared.record import Record
from handprep.sample import Hand, Sample, Step
from tests.prepared.counting import CROP, HANDS

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
ALPHA = PIXELS[..., 2]
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
FORMATS = ("png", "jpg", "webp")


def sealed(sample: Sample, format: str = "png", origin: Origin | None = None) -> bytes:
    return Record.of(sample, origin).sealed_into(encode(sample, format))


def back(content: bytes) -> Sample:
    return Record.read(content).sample(content)


def assert_same(hand: Hand, other: Hand) -> None:
    for field in fields(Hand):
        value, expected = getattr(other, field.name), getattr(hand, field.name)
        assert type(value) is type(expected)
        if isinstance(expected, np.ndarray):
            assert value.dtype == expected.dtype
            np.testing.assert_array_equal(value, expected)
        else:
            assert value == expected


def assert_told_the_same(sample: Sample, other: Sample) -> None:
    assert (sample.hands is None, sample.source) == (other.hands is None, other.source)
    assert sample.time == other.time
    for hand, expected in zip(other.hands or (), sample.hands or (), strict=True):
        assert_same(hand, expected)
    np.testing.assert_array_equal(other.to_source, sample.to_source)
    assert [(step.name, dict(step.details)) for step in other.steps] == [
        (step.name, dict(step.details)) for step in sample.steps
    ]
    assert other.transparent == sample.transparent
    assert [frame.size for frame in other.frames] == [frame.size for frame in sample.frames]
    for frame, expected in zip(other.frames, sample.frames, strict=True):
        np.testing.assert_array_equal(frame.to_source, expected.to_source)
    assert (other.alpha is None) == (sample.alpha is None)
    if sample.alpha is not None:
        np.testing.assert_array_equal(other.alpha, sample.alpha)


@pytest.mark.parametrize(
    "sample",
    [
        *(Sample(image=PIXELS), Sample(image=PIXELS[..., 0]), Sample(image=PIXELS, transparent=True)),
        *(Sample(image=PIXELS[..., 0], alpha=ALPHA, transparent=True), Sample(image=PIXELS, alpha=ALPHA)),
        Sample(image=PIXELS, alpha=ALPHA, transparent=True, hands=()),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_images_of_every_mode_come_back(sample: Sample, format: str) -> None:
    if format == "jpg" and sample.transparent:
        pytest.skip("JPEG cannot be transparent")
    other = back(sealed(sample, format))

    assert_told_the_same(sample, other)
    assert other.image.shape == sample.image.shape
    if format == "png":
        np.testing.assert_array_equal(other.image, sample.image)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("background", ["black", "transparent"])
def test_a_finished_sample_comes_back_with_hands_alpha_and_the_way_to_its_photo(
    format: str, background: str, tmp_path: Path
) -> None:
    if format == "jpg" and background == "transparent":
        pytest.skip("JPEG cannot be transparent")
    colour = (0, 0, 0) if background == "black" else background
    remover = BackgroundRemover(background=colour)  # type: ignore[arg-type]
    pipeline = Pipeline([HandCropper(upright=True, mirror="right"), remover, ResizePad(48), Greyscale()])
    photo = tmp_path / "photos" / "rock" / "a.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(HANDS[0].path.read_bytes())
    handprep.prepare(tmp_path / "photos", tmp_path / "prepared", pipeline, format=format)

    other = handprep.read(tmp_path / "prepared" / "rock" / f"a.{format}")

    expected = pipeline.run(photo)
    assert_told_the_same(replace(expected, source="rock/a.jpg"), other)
    if format == "png":
        np.testing.assert_array_equal(channels_of(other), channels_of(expected))


@given(
    arrays(np.float32, (21, 2), elements=FLOATS),
    arrays(np.float32, (21, 3), elements=FLOATS),
    st.floats(0, 1),
    st.text(max_size=5),
)
def test_any_numbers_and_names_come_back_to_the_last_bit(
    landmarks: np.ndarray, world: np.ndarray, score: float, source: str
) -> None:
    hands = (
        Hand(
            box=(0.1, 1 / 3, 7.0, 5.0),
            score=score,
            landmarks=landmarks,
            world=world,
            depth=world[:, 2],
            handedness="Left",
            handedness_score=score,
        ),
        Hand(box=(0.0, 0.0, 1.0, 1e-300), score=score, palm_score=score, view="padded 0.5"),
    )
    content = sealed(Sample(image=PIXELS, hands=hands), origin=Origin(source=source, photo=(7, 5)))

    for hand, other in zip(hands, back(content).hands or (), strict=True):
        assert_same(hand, other)
    assert Record.read(content).origin == Origin(source=source, photo=(7, 5))


def test_values_of_numpys_come_back_as_plain_ones() -> None:
    """As a detector or a transform of the user's own may give them."""
    box = tuple(np.array([0.1, 0.2, 3, 4], np.float32))
    hand = Hand(box=box, score=np.float32(0.3))  # type: ignore[arg-type]
    step = Step(name="Mine", details={"scale": np.float64(0.5), "at": (np.int64(1), 2)})

    other = back(sealed(Sample(image=PIXELS, hands=(hand,), steps=(step,))))

    assert other.hand is not None
    assert (other.hand.box, other.hand.score) == (box, np.float32(0.3))
    assert other.steps[0].details == {"scale": 0.5, "at": [1, 2]}


@pytest.mark.parametrize("format", FORMATS)
def test_many_hands_have_room(format: str) -> None:
    """Of more than the 64 kB of one JPEG segment."""
    landmarks = np.arange(42, dtype=np.float32).reshape(21, 2)
    hands = tuple(Hand(box=(0, 0, 1, 1), score=0.5, landmarks=landmarks + n) for n in range(200))

    other = back(sealed(Sample(image=PIXELS, hands=hands), format))

    assert len(other.hands or ()) == 200
    assert_same(hands[-1], (other.hands or ())[-1])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("transparent", [False, True])
def test_other_programs_see_the_image_as_it_is_without_the_record(format: str, transparent: bool) -> None:
    if format == "jpg" and transparent:
        pytest.skip("JPEG cannot be transparent")
    sample = Sample(image=PIXELS, alpha=ALPHA, transparent=transparent, hands=())
    plain, content = encode(sample, format), sealed(sample, format)

    with PIL.Image.open(io.BytesIO(plain)) as expected, PIL.Image.open(io.BytesIO(content)) as image:
        assert image.mode == expected.mode
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
    decoded = [cv2.imdecode(np.frombuffer(c, np.uint8), cv2.IMREAD_UNCHANGED) for c in (plain, content)]
    np.testing.assert_array_equal(*decoded)


def test_the_same_sample_becomes_the_same_bytes() -> None:
    assert sealed(CROP.run(HANDS[0].path)) == sealed(CROP.run(HANDS[0].path))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("lenient", [False, True])
def test_no_damage_goes_unseen(format: str, lenient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)  # as some programs set it
    hand = Hand(box=(0.0, 1.0, 2.0, 3.0), score=0.5)
    content = sealed(Sample(image=PIXELS, alpha=ALPHA, hands=(hand,)), format)
    whole, chance = back(content), random.Random(0)
    damaged = [content[:end] for end in range(len(content))]
    for _ in range(1000):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))

    seen = 0
    for each in damaged:
        try:
            other = back(each)
        except DamagedError:
            seen += 1
            continue
        assert_told_the_same(whole, other)  # a bit that means nothing to us
        np.testing.assert_array_equal(other.image, whole.image)
    assert seen > 0.98 * len(damaged)  # all but the CRC that is there for other programs


class TestReading:
    def test_an_image_that_was_changed_is_read_without_its_record(self, tmp_path: Path) -> None:
        content = sealed(Sample(image=PIXELS, hands=(), source="a.jpg"), "jpg")
        other = encode(Sample(image=255 - PIXELS), "jpg")
        start = content.index(b"\xff\xeb")
        length = 2 + int.from_bytes(content[start + 2 : start + 4], "big")
        (tmp_path / "a.jpg").write_bytes(other[:start] + content[start : start + length] + other[start:])

        sample = handprep.read(tmp_path / "a.jpg")

        assert sample.hands is None
        assert sample.source == str(tmp_path / "a.jpg")

    def test_other_images_are_read_as_images_read_does(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(encode(Sample(image=PIXELS), "png"))
        path = tmp_path / "a.png"
        for picture in (path, str(path), path.read_bytes(), PIXELS):
            np.testing.assert_array_equal(handprep.read(picture).image, images.read(picture).image)


@pytest.mark.parametrize("content", [b"", b"no PNG", bytes(4096), b"\x89PNG\r\n\x1a\n", b"RIFF", b"\xff\xd8"])
def test_other_files_carry_no_record(content: bytes) -> None:
    with pytest.raises(DamagedError):
        Record.read(content)
    with pytest.raises(DamagedError, match="not written by handprep"):
        Record.read(encode(Sample(image=PIXELS), "png"))


def test_nothing_of_the_machine_is_in_the_file(tmp_path: Path) -> None:
    photo = tmp_path / "secret place" / "photos" / "rock" / "a.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(HANDS[0].path.read_bytes())
    handprep.prepare(tmp_path / "secret place" / "photos", tmp_path / "out", CROP)
    for file in (*(tmp_path / "out").rglob("*.png"), tmp_path / "out" / ".handprep.jsonl"):
        assert b"secret" not in file.read_bytes()


def test_images_without_records_are_plain_files(tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "a.jpg"
    photo.parent.mkdir()
    photo.write_bytes(HANDS[0].path.read_bytes())
    for resumed in (0, 0):
        result = handprep.prepare(tmp_path / "photos", tmp_path / "out", CROP, record=False)
        assert result.resumed == resumed
    assert (tmp_path / "out" / "a.png").read_bytes() == encode(CROP.run(photo), "png")
    assert result.rows[0].score is not None
