"""The samples in the package are three of the repository's rendered hands, with the same ground truth."""

from __future__ import annotations

import json

import pytest

from handprep.samples import FOLDER, PHOTOS
from tests.rendered import RENDERED

ROWS = json.loads((FOLDER / "annotations.json").read_text())


def test_there_is_one_of_each_class():
    assert [row["class"] for row in ROWS] == ["rock", "paper", "scissors"]
    assert {FOLDER / row["file"] for row in ROWS} == set(PHOTOS.rglob("*.jpg"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["class"])
def test_they_are_the_files_of_the_repository(row):
    assert row in json.loads((RENDERED / "annotations.json").read_text())
    for name in (row["file"], row["mask"]):
        assert (FOLDER / name).read_bytes() == (RENDERED / name).read_bytes()
