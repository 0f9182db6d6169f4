"""Which photos a folder holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handprep.errors import InputError
from handprep.prepared.listing import check_class_level, listing, origin_and_label
from tests.permissions import as_nobody, folder_for_all


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def sources(folder: Path, without: Path | None = None) -> list[str]:
    return list(listing(folder, without=without).sources)


def test_a_photo_belongs_to_the_class_of_its_folder_and_the_origin_above(tmp_path: Path) -> None:
    make(tmp_path / "hands", "train/cgi/rock/a.jpg", "cgi/paper/b.jpg", "paper/c.jpg", "d.jpg")

    listed = listing(tmp_path / "hands")

    assert {source: origin_and_label(source, listed.whole) for source in listed.sources} == {
        "train/cgi/rock/a.jpg": ("train/cgi", "rock"),
        "cgi/paper/b.jpg": ("cgi", "paper"),
        "paper/c.jpg": ("hands", "paper"),
        "d.jpg": ("hands", ""),
    }


def test_the_origin_is_the_real_name_of_a_folder_given_as_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make(tmp_path / "hands", "rock/a.jpg"))

    assert listing(Path()).whole == "hands"


def test_endings_count_in_any_case_and_other_files_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "a.JPG", "b.Jpeg", "c.png", "d.HEIC", "notes.txt", "jpg", "e.jpg.txt")

    found = listing(tmp_path)

    assert list(found.sources) == ["a.JPG", "b.Jpeg", "c.png", "d.HEIC"]
    assert found.ignored == 3


def test_hidden_files_and_folders_do_not_count_at_all(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", ".b.jpg", ".thumbnails/c.jpg", "__MACOSX/d.jpg")

    found = listing(tmp_path)

    assert list(found.sources) == ["a.jpg"]
    assert found.ignored == 0


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
                found = listing(folder)
        finally:
            (folder / "closed").chmod(0o755)

    assert list(found.sources) == ["open/a.jpg"]
    assert found.unread == (f"the folder {folder}/closed cannot be read: Permission denied",)


def test_a_name_that_is_not_utf8_is_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"fist\xff.jpg")
    make(tmp_path, name)

    assert sources(tmp_path) == [name]
    assert (tmp_path / listing(tmp_path).sources[0]).read_bytes() == b"x"


@pytest.mark.parametrize(("name", "problem"), [("gone", "does not exist"), ("file", "is not a folder")])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    make(tmp_path, "file")

    with pytest.raises(InputError, match=f"{name} {problem}: give the folder"):
        listing(tmp_path / name)


@pytest.mark.parametrize(
    ("level", "expected"),
    [(-1, ("seq/hello", "clip01")), (-2, ("seq", "hello")), (1, ("photos", "seq")), (2, ("seq", "hello"))],
)
def test_any_folder_on_the_way_may_be_the_class(level: int, expected: tuple[str, str]) -> None:
    assert origin_and_label("seq/hello/clip01/frame.jpg", "photos", level) == expected


@pytest.mark.parametrize("level", [0, True, 1.0, "1", None])
def test_what_is_no_level_is_refused(level: object) -> None:
    with pytest.raises(InputError, match="class_level must be 1 for the folders at the top"):
        check_class_level(level)


def test_a_folder_that_can_be_listed_but_not_entered_is_told() -> None:
    with folder_for_all() as folder:
        make(folder, "open/a.jpg", "half/b.jpg", "half/deep/c.jpg")
        (folder / "half").chmod(0o644)  # as chmod -R 644 leaves it
        try:
            with as_nobody():
                found = listing(folder, without=folder / "out")
        finally:
            (folder / "half").chmod(0o755)

    assert "open/a.jpg" in found.sources
    assert "half/deep/c.jpg" not in found.sources
    assert found.unread == (f"the folder {folder}/half/deep cannot be read: Permission denied",)


def test_a_tree_deeper_than_paths_may_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.jpg")
    monkeypatch.chdir(tmp_path)
    for _ in range(20):
        Path("x" * 250).mkdir()
        os.chdir("x" * 250)

    found = listing(tmp_path)
    for _ in range(20):  # who tidies up by paths cannot
        os.chdir("..")
        Path("x" * 250).rmdir()

    assert found.sources == ("a.jpg",)
    assert len(found.unread) == 1
    assert "File name too long" in found.unread[0]
