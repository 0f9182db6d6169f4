"""Drawn hands: what is seen of them, on images of every size and skin of every tone.

``python -m tests.test_drawing`` draws the stored images anew; look at them before you keep them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from handprep import Greyscale, Hand, InputError, ResizePad, Sample, draw, drawing, geometry, images
from tests import rendered

STORED = Path(__file__).parent / "drawings"
HANDS = {hand.path.stem: hand for hand in rendered.photos()}
# Dark and light skin; as small as training images are, as photos from the web are, as from a telephone.
CASES = [(name, size) for name in ("paper-001", "scissors-020") for size in (64, 480, 4000)]
SKIN = [(45, 34, 30), (92, 56, 38), (141, 85, 54), (198, 134, 66), (224, 172, 105), (255, 224, 196)]


def a_sample(name="paper-001", size=480):
    """A rendered hand with its true landmarks."""
    truth = HANDS[name]
    hand = Hand(
        landmarks=truth.landmarks,
        box=geometry.enclosing_box(truth.landmarks),
        handedness=truth.handedness,
        score=0.98,
    )
    return ResizePad(size).apply(replace(images.read(truth.path), hands=(hand,)))


def as_stored(name, size):
    drawn = draw(a_sample(name, size), label=False)  # OpenCV 4 and 5 write with different fonts
    return drawn if size <= 480 else cv2.resize(drawn, (400, 400), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_hands_look_as_in_the_stored_images(name, size):
    stored = np.asarray(PIL.Image.open(STORED / f"{name}-{size}.png"))
    difference = np.abs(as_stored(name, size).astype(int) - stored)
    # JPEG decoders and versions of OpenCV differ by a level or two, and at the edges of lines by more.
    assert difference.mean() < 1.5
    assert np.mean(difference > 60) < 0.002


@pytest.mark.parametrize("skin", SKIN, ids=str)
@pytest.mark.parametrize(
    "colour", [*drawing.FINGER_COLOURS, drawing.PALM_COLOUR, drawing.ALPHA_COLOUR], ids=str
)
def test_a_line_or_its_halo_stands_out_from_skin_of_any_tone(skin, colour):
    def luminance(levels):  # relative luminance and contrast of WCAG 2.1, which asks 3 of graphics
        part = np.array(levels) / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    def contrast(one, other):
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    assert max(contrast(colour, skin), contrast(drawing.HALO, skin)) >= 3
    assert contrast(colour, drawing.HALO) >= 3


def test_the_image_itself_stays_as_it_is():
    sample = a_sample()
    before = sample.image.copy()
    draw(sample)[:] = 0
    np.testing.assert_array_equal(sample.image, before)


def test_without_hands_nothing_is_drawn():
    sample = replace(a_sample(), hands=())
    np.testing.assert_array_equal(draw(sample), sample.image)
    np.testing.assert_array_equal(draw(sample.image.copy()), sample.image)


def test_every_kind_of_image_can_be_drawn_on_with_hands_given():
    sample, path = a_sample(), HANDS["paper-001"].path
    np.testing.assert_array_equal(draw(np.asarray(sample), sample.hand), draw(sample))
    assert draw(path, sample.hands).shape == (360, 480, 3)
    assert draw(Greyscale().apply(sample)).shape == (480, 480, 3)


def test_parts_can_be_left_out():
    sample = a_sample()
    plain = draw(sample, bones=False, box=False, label=False)
    np.testing.assert_array_equal(plain, sample.image)
    for part in ("bones", "box", "label"):
        shown = {"bones": False, "box": False, "label": False, part: True}
        assert (draw(sample, **shown) != plain).any()


def test_a_hand_without_landmarks_shows_its_box():
    sample = replace(a_sample(), hands=(Hand(box=(100, 120, 200, 260), score=0.5),))
    changed = np.argwhere((draw(sample, box=False, label=False) != sample.image).any(axis=2))
    assert np.abs(changed.min(0) - (120, 100)).max() <= 4
    assert np.abs(changed.max(0) - (260, 200)).max() <= 4


@pytest.mark.parametrize("far", [1e5, 1e30])
def test_landmarks_far_outside_draw_what_lies_inside(far):
    sample = a_sample()
    points = sample.hand.landmarks.copy()
    points[8] = far, -far
    box = geometry.enclosing_box(points)
    assert draw(sample, replace(sample.hand, landmarks=points, box=box)).shape == sample.image.shape


def test_an_alpha_is_shown_as_outline_or_tint():
    alpha = np.zeros((100, 200), np.uint8)
    alpha[30:70, 50:150] = 255
    sample = Sample(image=np.full((100, 200, 3), 200, np.uint8), alpha=alpha)
    outlined, tinted = draw(sample), draw(sample, alpha="tint")
    assert (outlined[30, 100] != 200).any()
    assert (outlined[50, 100] == 200).all()
    assert (tinted[50, 100] == 200).all()
    assert (tinted[10, 100] != 200).any()
    np.testing.assert_array_equal(draw(sample, alpha=None), sample.image)


def test_a_transparent_image_lies_on_a_checkerboard():
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, 20:] = 255
    drawn = draw(Sample(image=np.full((40, 40, 3), 7, np.uint8), alpha=alpha, transparent=True))
    assert set(drawn[:, :20].flat) == {204, 255}
    assert set(drawn[:, 20:].flat) == {7}


@pytest.mark.parametrize("wrong", [{"hands": ["hand"]}, {"alpha": "edge"}, {"width": 0}, {"width": "2"}])
def test_a_wrong_parameter_is_refused(wrong):
    with pytest.raises(InputError):
        draw(np.zeros((9, 9, 3), np.uint8), **wrong)


if __name__ == "__main__":
    STORED.mkdir(exist_ok=True)
    for case in CASES:
        PIL.Image.fromarray(as_stored(*case)).save(STORED / "{}-{}.png".format(*case), optimize=True)
