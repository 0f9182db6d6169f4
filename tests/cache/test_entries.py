"""A picture and its hands in one PNG file: nothing is lost, and no damage goes unseen."""

from __future__ import annotations

import io
import random
from dataclasses import fields, replace

import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from handprep.cache.entries import DamagedError, from_png, to_png
from handprep.images.arrays import channels_of
from handprep.sample import Hand, Sample
from tests.cache.counting import CROP, HANDS

PICTURE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
ALPHA = PICTURE[..., 2]
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def assert_same(hand: Hand, other: Hand) -> None:
    for field in fields(Hand):
        value, expected = getattr(other, field.name), getattr(hand, field.name)
        assert type(value) is type(expected)
        if isinstance(expected, np.ndarray):
            assert value.dtype == expected.dtype
            np.testing.assert_array_equal(value, expected)
        else:
            assert value == expected


@pytest.mark.parametrize(
    ("sample", "mode"),
    [
        (Sample(image=PICTURE), "RGB"),
        (Sample(image=PICTURE[..., 0]), "L"),
        (Sample(image=PICTURE, alpha=ALPHA, transparent=True), "RGBA"),
        (Sample(image=PICTURE[..., 0], alpha=ALPHA, transparent=True), "LA"),
    ],
)
def test_every_mode_comes_back(sample: Sample, mode: str) -> None:
    prepared = from_png(to_png(sample), with_hands=True)

    assert type(prepared.picture) is PIL.Image.Image
    assert prepared.picture.mode == mode
    assert prepared.picture.info == {}
    np.testing.assert_array_equal(np.asarray(prepared.picture), channels_of(sample))
    assert prepared.hands is None


def test_found_hands_come_back_to_the_last_bit() -> None:
    sample = CROP.run(HANDS[0].path)
    prepared = from_png(to_png(sample), with_hands=True)

    assert sample.hands
    assert prepared.hands is not None
    assert len(prepared.hands) == len(sample.hands)
    for hand, other in zip(sample.hands, prepared.hands, strict=True):
        assert_same(hand, other)


@given(
    arrays(np.float32, (21, 2), elements=FLOATS),
    arrays(np.float32, (21, 3), elements=FLOATS),
    st.floats(0, 1),
)
def test_any_numbers_come_back_to_the_last_bit(
    landmarks: np.ndarray, world: np.ndarray, score: float
) -> None:
    hands = (
        Hand(box=(0.1, 1 / 3, 7.0, 5.0), score=score, landmarks=landmarks, world=world, handedness="Left"),
        Hand(box=(0.0, 0.0, 1.0, 1e-300), score=score, palm_score=score, view="padded 0.5"),
    )
    prepared = from_png(to_png(Sample(image=PICTURE, hands=hands)), with_hands=True)

    assert prepared.hands is not None
    for hand, other in zip(hands, prepared.hands, strict=True):
        assert_same(hand, other)


def test_a_box_of_numpy_numbers_comes_back_as_plain_ones() -> None:
    box = tuple(np.array([0.1, 0.2, 3, 4], np.float32))
    hand = Hand(box=box, score=np.float32(0.3))  # type: ignore[arg-type] - as an own detector may
    prepared = from_png(to_png(Sample(image=PICTURE, hands=(hand,))), with_hands=True)

    assert prepared.hands is not None
    assert prepared.hands[0].box == box
    assert prepared.hands[0].score == np.float32(0.3)


def test_no_hands_and_hands_not_looked_for_are_told_apart() -> None:
    for hands in (None, ()):
        content = to_png(Sample(image=PICTURE, hands=hands))
        assert from_png(content, with_hands=True).hands == hands
        assert from_png(content, with_hands=False).hands is None


def test_other_programs_see_a_png() -> None:
    with PIL.Image.open(io.BytesIO(to_png(Sample(image=PICTURE, hands=())))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), PICTURE)


def test_the_same_sample_becomes_the_same_bytes() -> None:
    sample = CROP.run(HANDS[0].path)
    assert to_png(sample) == to_png(replace(sample, source="elsewhere"))


@pytest.mark.parametrize("lenient", [False, True])
def test_no_damage_goes_unseen(lenient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)  # as some programs set it
    hand = Hand(box=(0.0, 1.0, 2.0, 3.0), score=0.5)
    content = to_png(Sample(image=PICTURE, hands=(hand,)))
    chance = random.Random(0)
    damaged = [content[:end] for end in range(len(content))]
    for _ in range(2000):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))

    seen = 0
    for each in damaged:
        try:
            prepared = from_png(each, with_hands=True)
        except DamagedError:
            seen += 1
            continue
        assert prepared.hands is not None  # a bit that means nothing to us
        assert_same(hand, prepared.hands[0])
        np.testing.assert_array_equal(np.asarray(prepared.picture), PICTURE)
    assert seen > 0.98 * len(damaged)  # all but the CRC that is there for other programs


@pytest.mark.parametrize("content", [b"", b"no PNG", bytes(4096)])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(DamagedError):
        from_png(content, with_hands=False)
    with pytest.raises(DamagedError, match="not written by handprep"):
        buffer = io.BytesIO()
        PIL.Image.fromarray(PICTURE).save(buffer, "PNG")
        from_png(buffer.getvalue(), with_hands=False)
