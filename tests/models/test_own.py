"""A model file of one's own: known by its path, told apart by its content."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import pytest

from handprep import models, prepare
from handprep.configurable import Configurable
from handprep.errors import InputError, ModelError
from handprep.pipeline import Pipeline
from handprep.transforms.crop import HandCropper
from tests.rendered import photos


def test_its_name_leads_to_it_and_to_its_content(tmp_path):
    file = tmp_path / "hands.onnx"
    file.write_bytes(b"weights")
    name = models.own_file(file)
    assert models.fetch(name) == file
    assert models.fingerprint(name) == hashlib.sha256(b"weights").hexdigest()


def test_a_file_that_is_replaced_has_another_fingerprint(tmp_path):
    file = tmp_path / "hands.onnx"
    file.write_bytes(b"weights")
    before = models.fingerprint(models.own_file(file))
    (tmp_path / "new").write_bytes(b"others!")  # as long
    (tmp_path / "new").replace(file)
    assert models.fingerprint(models.own_file(file)) == hashlib.sha256(b"others!").hexdigest() != before


def test_a_relative_path_is_one_of_the_current_folder(tmp_path, monkeypatch):
    prints = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hands.onnx").write_text(name)
        monkeypatch.chdir(tmp_path / name)
        prints.append(models.fingerprint(models.own_file("hands.onnx")))
    assert prints[0] != prints[1]


@pytest.mark.parametrize("ask", [models.fetch, models.fingerprint])
def test_a_missing_file_is_named_with_the_place_where_it_was_looked_for(tmp_path, monkeypatch, ask):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "hands.onnx"
    with pytest.raises(ModelError, match=re.escape(f"hands.onnx is not there (looked for at {file})")):
        ask(models.own_file("hands.onnx"))
    with pytest.raises(ModelError, match="is a folder"):
        ask(models.own_file(tmp_path))


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 3000, "a\0b", "\ud800", "\x1b[2J.onnx"])
def test_what_can_be_no_path_is_a_file_that_is_not_there(path):
    with pytest.raises(ModelError, match="is not there") as caught:
        models.fetch(models.own_file(path))
    assert str(caught.value).isprintable()


def test_a_name_that_is_no_such_file_stays_unknown():
    with pytest.raises(InputError, match=r"unknown model 'hands\.onnx'"):
        models.fetch("hands.onnx")


@dataclass(frozen=True, slots=True)
class Bring(Configurable):
    """A detector that finds nothing, with a model file of its own."""

    model: str

    @property
    def model_files(self):
        return frozenset({models.own_file(self.model)})

    def detect(self, image):
        return ()


def test_a_pipeline_with_another_content_at_the_same_path_is_another(tmp_path):
    file = tmp_path / "hands.onnx"
    file.write_bytes(b"weights")
    pipeline = Pipeline([HandCropper(detector=Bring(str(file)))])
    before = pipeline.fingerprint()
    assert pipeline.fingerprint() == before
    file.write_bytes(b"better weights")
    assert pipeline.fingerprint() != before


def test_a_folder_is_not_begun_without_the_file(tmp_path):
    pipeline = Pipeline([HandCropper(detector=Bring(str(tmp_path / "hands.onnx")), search=False)])
    with pytest.raises(ModelError, match=r"hands\.onnx is not there"):
        prepare(photos()[0].path.parent, tmp_path / "out", pipeline)
