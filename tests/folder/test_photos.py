"""Which photos a folder holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handprep.errors import InputError
from handprep.folder.photos import walk
from tests.permissions import as_nobody, folder_for_all


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def sources(folder: Path, without: Path | None = None) -> list[str]:
    return [photo.source for photo in walk(folder, without=without).photos]


def test_a_photo_belongs_to_the_class_of_its_folder_and_the_origin_above(tmp_path: Path) -> None:
    make(tmp_path / "hands", "train/cgi/rock/a.jpg", "cgi/paper/b.jpg", "paper/c.jpg", "d.jpg")

    found = {photo.source: (photo.origin, photo.label) for photo in walk(tmp_path / "hands").photos}

    assert found == {
        "train/cgi/rock/a.jpg": ("train/cgi", "rock"),
        "cgi/paper/b.jpg": ("cgi", "paper"),
        "paper/c.jpg": ("hands", "paper"),
        "d.jpg": ("hands", ""),
    }


def test_the_origin_is_the_real_name_of_a_folder_given_as_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make(tmp_path / "hands", "rock/a.jpg"))

    assert walk(Path()).photos[0].origin == "hands"


def test_photos_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    make(tmp_path, "b/2.jpg", "b/1.jpg", "a/3.jpg", "b.jpg")

    assert sources(tmp_path) == ["a/3.jpg", "b.jpg", "b/1.jpg", "b/2.jpg"]


def test_endings_count_in_any_case_and_other_files_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "a.JPG", "b.Jpeg", "c.png", "d.HEIC", "notes.txt", "jpg", "e.jpg.txt")

    found = walk(tmp_path)

    assert [photo.source for photo in found.photos] == ["a.JPG", "b.Jpeg", "c.png", "d.HEIC"]
    assert found.ignored == 3


def test_hidden_files_and_folders_do_not_count_at_all(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", ".b.jpg", ".thumbnails/c.jpg", "__MACOSX/d.jpg")

    found = walk(tmp_path)

    assert [photo.source for photo in found.photos] == ["a.jpg"]
    assert found.ignored == 0


def test_a_folder_named_like_a_photo_is_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "x.jpg/a.jpg")

    assert sources(tmp_path) == ["x.jpg/a.jpg"]


def test_links_to_folders_and_files_are_followed(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/a.jpg", "photos/b.jpg")
    (tmp_path / "photos/rock").symlink_to("../elsewhere")
    (tmp_path / "photos/c.jpg").symlink_to("../elsewhere/a.jpg")

    assert sources(tmp_path / "photos") == ["b.jpg", "c.jpg", "rock/a.jpg"]


def test_a_link_back_up_is_not_followed_round_and_round(tmp_path: Path) -> None:
    make(tmp_path, "rock/a.jpg")
    (tmp_path / "rock/up").symlink_to("..")
    (tmp_path / "self").symlink_to(".")

    assert sources(tmp_path) == ["rock/a.jpg"]


def test_a_link_that_leads_nowhere_is_a_photo_so_that_it_fails_and_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")

    assert sources(tmp_path) == ["gone.jpg", "loop.jpg"]


def test_a_folder_to_leave_out_is_left_out_wherever_it_turns_up(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "out/b.png", "out/rock/c.png")
    (tmp_path / "again").symlink_to("out")
    (tmp_path / "deeper").symlink_to("out/rock")

    assert sources(tmp_path, without=tmp_path / "out") == ["a.jpg"]


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_read() -> None:
    with folder_for_all() as folder:
        make(folder, "open/a.jpg", "closed/b.jpg")
        (folder / "closed").chmod(0)
        try:
            with as_nobody():
                found = walk(folder)
        finally:
            (folder / "closed").chmod(0o755)

    assert [photo.source for photo in found.photos] == ["open/a.jpg"]
    assert found.unread == (f"the folder {folder}/closed cannot be read: Permission denied",)


def test_a_name_that_is_not_utf8_is_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"fist\xff.jpg")
    make(tmp_path, name)

    assert sources(tmp_path) == [name]
    assert walk(tmp_path).photos[0].path.read_bytes() == b"x"


@pytest.mark.parametrize(("name", "problem"), [("gone", "does not exist"), ("file", "is not a folder")])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    make(tmp_path, "file")

    with pytest.raises(InputError, match=f"{name} {problem}: give the folder"):
        walk(tmp_path / name)
