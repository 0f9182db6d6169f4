"""Parameters are all there is: repr, equality, pickle and JSON come from them."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

import handprep
from handprep import transforms
from handprep.configurable import Configurable
from handprep.detection.litert import LiteRTDetector
from handprep.detection.search import SearchingDetector
from handprep.detection.views import View
from handprep.errors import InputError
from handprep.transforms.base import Transform

PARTS = [
    handprep.HandCropper(margin=0.3, upright=True, mirror="right"),
    handprep.HandCropper(detector=SearchingDetector(LiteRTDetector(presence=0.4), views=(View(pad=0.5),))),
    handprep.BackgroundRemover(background=(1, 2, 3)),
    handprep.ResizePad((30, 40), fill=(9, 9, 9)),
    handprep.ResizePad(64),
    handprep.Greyscale(channels=3),
    handprep.Pipeline([handprep.ResizePad(64), handprep.Greyscale()]),
    handprep.study_pipeline(),
    LiteRTDetector(max_hands=1),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_a_part_survives_json_pickle_and_its_own_repr(part):
    names = {
        **vars(handprep),
        **vars(transforms),
        **{c.__name__: c for c in (LiteRTDetector, SearchingDetector, View)},
    }
    assert Configurable.from_dict(part.to_dict()) == part
    assert pickle.loads(pickle.dumps(part)) == part
    assert eval(repr(part), names) == part
    assert hash(part) == hash(pickle.loads(pickle.dumps(part)))


def test_numbers_of_numpy_and_names_of_colours_are_what_they_stand_for():
    given = handprep.ResizePad(np.int64(64), fill=np.array([255, 255, 255], np.uint8))
    assert given == handprep.ResizePad(64, fill="white") == handprep.ResizePad((64, 64), fill="#fff")
    assert repr(given) == repr(handprep.ResizePad(64, fill=(255, 255, 255)))
    assert given.to_dict() == handprep.ResizePad(64, fill="white").to_dict()
    cropper = handprep.HandCropper(margin=np.float32(0.5), confidence=np.int64(1))
    assert Configurable.from_dict(json.loads(json.dumps(cropper.to_dict()))) == cropper
    assert LiteRTDetector(max_hands=np.int32(3)) == LiteRTDetector(max_hands=3)
    with pytest.raises(InputError, match=r"fill must be a grey or .* not 'skin'"):
        handprep.ResizePad(64, fill="skin")


def test_the_one_parameter_that_everyone_gives_needs_no_name():
    assert handprep.Grayscale(3) == handprep.Greyscale(channels=3)
    assert handprep.HandCropper("openvino-f32") == handprep.HandCropper(detector="openvino-f32")


def test_a_class_of_the_same_name_replaces_nothing_and_is_refused_in_json():
    @dataclass(frozen=True, slots=True)
    class ResizePad(Transform):
        size: int = 3

    assert type(Configurable.from_dict(handprep.ResizePad(64).to_dict())) is handprep.ResizePad
    with pytest.raises(InputError, match=r"ResizePad has the name of a class in handprep\.transforms"):
        ResizePad().to_dict()
    assert repr(ResizePad()).endswith("ResizePad(size=3)")


@pytest.mark.parametrize(
    "data",
    [
        {"name": "os.system", "parameters": {"command": "true"}},
        {"name": "LiteRTDetector", "parameters": {}},
        {"name": "ResizePad", "parameters": {"size": 64, "colour": 3}},
        {"name": "ResizePad", "parameters": {"size": "64"}},
        {"name": "ResizePad", "parameters": [64]},
        {"name": ["ResizePad"], "parameters": {}},
        {"name": "ResizePad"},
        "ResizePad",
        None,
    ],
)
def test_settings_that_name_anything_else_are_refused(data):
    with pytest.raises(InputError):
        Transform.from_dict(data)


@dataclass(frozen=True, slots=True)
class Shouted(Configurable):
    """A part that does not look at the kind of its parameter before it uses it."""

    word: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "word", self.word.upper())


@pytest.mark.parametrize("word", [3, None, [1]])
def test_a_parameter_of_an_entirely_different_kind_is_refused(word):
    with pytest.raises(InputError, match="Shouted cannot be built from these parameters"):
        Configurable.from_dict({"name": "Shouted", "parameters": {"word": word}})


def test_parts_too_deep_within_each_other_are_refused_before_python_gives_up():
    part = {"name": "ResizePad", "parameters": {"size": 8}}
    for _ in range(30):
        part = {"name": "Pipeline", "parameters": {"transforms": [part]}}
    assert Transform.from_dict(part).run(np.zeros((4, 4, 3), np.uint8)).size == (8, 8)
    for _ in range(100):
        part = {"name": "Pipeline", "parameters": {"transforms": [part]}}
    with pytest.raises(InputError, match="more than 100 levels deep"):
        Transform.from_dict(part)
