"""Fetching the public sets: what is verified, and what people are told. No network is asked."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from handprep.errors import HandprepError, InputError, OutputError

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from experiment import fetch
from experiment.public import SETS, PublicSet

COUNTS = {"paper": 1, "rock": 2}


def archive(path: Path, names: list[str]) -> str:
    """Write a zip file of tiny files and return its sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as content:
        for name in names:
            content.writestr(name, f"content of {name}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def public(tmp_path: Path) -> PublicSet:
    """A set whose archive lies in tmp_path already."""
    names = ["rps/rock/a.png", "rps/rock/b.png", "rps/paper/c.PNG", "rps/README.txt", "rps/other/d.png"]
    digest = archive(tmp_path / fetch.ARCHIVES / "rps.zip", names)
    return PublicSet(
        folder="train/cgi",
        counts=COUNTS,
        licence="Someone, CC0",
        page="https://example.org/rps",
        archive=("https://example.org/rps.zip", digest),
    )


@pytest.fixture
def sets(public: PublicSet, monkeypatch: pytest.MonkeyPatch) -> PublicSet:
    """The same set, and no other."""
    monkeypatch.setattr(fetch, "SETS", (public,))
    return public


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_archive_that_is_there_is_verified_and_unpacked(sets, tmp_path, capsys):
    assert fetch.main([str(tmp_path)]) == 0
    assert files(tmp_path / "train" / "cgi") == ["paper/c.PNG", "rock/a.png", "rock/b.png"]
    assert "train/cgi: 3 photos (Someone, CC0)" in capsys.readouterr().out


def test_an_archive_with_another_sha256_is_refused(sets, tmp_path, capsys):
    archive(tmp_path / fetch.ARCHIVES / "rps.zip", ["rps/rock/evil.png"])
    assert fetch.main([str(tmp_path)]) == 1
    assert "instead of " + sets.archive[1] in capsys.readouterr().err
    assert not (tmp_path / "train" / "cgi").exists()


def test_paths_of_an_archive_lead_nowhere_else(tmp_path):
    archive(tmp_path / "evil.zip", ["../../rock/a.png", "/rock/b.png", "x/paper/../../../c.png"])
    fetch.unpack(tmp_path / "evil.zip", tmp_path / "in" / "cgi", COUNTS)
    assert files(tmp_path) == ["evil.zip", "in/cgi/rock/a.png", "in/cgi/rock/b.png"]


def test_a_huge_member_of_an_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "MOST_BYTES", 10)
    archive(tmp_path / "huge.zip", ["rps/rock/a.png"])
    with pytest.raises(InputError, match="no such photo"):
        fetch.unpack(tmp_path / "huge.zip", tmp_path / "cgi", COUNTS)
    assert not (tmp_path / "cgi").exists()


def test_wrong_numbers_are_told_by_class(sets, tmp_path, capsys):
    fetch.main([str(tmp_path)])
    (tmp_path / "train/cgi/rock/a.png").unlink()
    assert fetch.main([str(tmp_path)]) == 1
    assert "paper 1, rock 1 instead of paper 1, rock 2" in capsys.readouterr().err


def test_a_photo_that_changed_since_is_found(sets, tmp_path, capsys):
    fetch.main([str(tmp_path)])
    assert fetch.main([str(tmp_path)]) == 0
    (tmp_path / "train/cgi/rock/a.png").write_bytes(b"another")
    assert fetch.main([str(tmp_path)]) == 1
    assert "train/cgi/rock/a.png" in capsys.readouterr().err


def test_sums_are_as_sha256sum_writes_them(sets, tmp_path):
    fetch.main([str(tmp_path)])
    digest = hashlib.sha256(b"content of rps/paper/c.PNG").hexdigest()
    assert f"{digest}  train/cgi/paper/c.PNG\n" in (tmp_path / fetch.SUMS).read_text()


def test_where_a_download_fails_people_are_told_how_to_do_it_by_hand(sets, tmp_path, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("pooch.retrieve", refused)
    (tmp_path / fetch.ARCHIVES / "rps.zip").unlink()
    with pytest.raises(OutputError, match=r"no route to host(.|\n)*put it at .*rps\.zip, and give the same"):
        fetch._fetch(sets, tmp_path, None)


def test_a_set_without_address_is_described(sets, tmp_path, monkeypatch, capsys):
    unknown = replace(sets, folder="test/group-b", archive=None, advice="Sort them by hand.")
    monkeypatch.setattr(fetch, "SETS", (unknown,))
    assert fetch.main([str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "https://example.org/rps" in said
    assert str(tmp_path / "test/group-b") in said
    assert "paper (1), rock (2). Sort them by hand." in said


def test_a_set_on_kaggle_without_kagglehub_is_described(sets, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # as if it were not installed
    monkeypatch.setattr(fetch, "SETS", (replace(sets, archive=None, kaggle="someone/rps"),))
    assert fetch.main([str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "pip install kagglehub" in said
    assert "https://example.org/rps" in said


def test_the_topmost_folders_of_classes_are_taken(tmp_path):
    for name in (
        "set/rock/a.jpg",
        "set/rock/b.jpg",
        "set/paper/c.jpg",
        "set/copies/rock/d.jpg",
        "set/rock/x.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    fetch.take_folders(tmp_path / "set", tmp_path / "train" / "hands", COUNTS)
    assert files(tmp_path / "train" / "hands") == ["paper/c.jpg", "rock/a.jpg", "rock/b.jpg"]
    assert fetch.verify(tmp_path / "train" / "hands", COUNTS) == 3


def test_a_set_without_a_class_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "set/rock").mkdir(parents=True)
    with pytest.raises(HandprepError, match="no folder paper"):
        fetch.take_folders(tmp_path / "set", tmp_path / "hands", COUNTS)
    assert not (tmp_path / "hands").exists()


@pytest.mark.parametrize("text", ["train/webcam", "train/webcam=name", "nowhere=a/b"])
def test_a_wrong_kaggle_option_is_refused(text, tmp_path, capsys):
    with pytest.raises(SystemExit):
        fetch.main([str(tmp_path), "--kaggle", text])
    assert "GROUP=OWNER/NAME" in capsys.readouterr().err


def test_the_studys_own_origins_have_its_numbers():
    counts = {public.folder: sum(public.counts.values()) for public in SETS}
    assert counts["train/cgi"] == 2520
    assert counts["train/hands"] == 2188
    assert sum(counts.values()) == 7331
