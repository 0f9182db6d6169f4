"""Files are written whole or not at all, and only inside of the folder that was given."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from handprep.errors import OutputError
from handprep.writing import below, is_hopeless, make_folder, remove, write_whole


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_by_a_whole_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    write_whole(path, b"new")

    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["a.png"]


def test_a_file_is_announced_before_it_gets_its_name(tmp_path: Path) -> None:
    path, told = tmp_path / "a.png", []

    write_whole(path, b"new", announce=lambda found: told.append((path.exists(), found)))

    ((existed, found),) = told
    assert not existed
    now = path.stat()
    assert (found.st_ino, found.st_mtime_ns, found.st_size) == (now.st_ino, now.st_mtime_ns, 3)


def test_an_announcement_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def refuse(_: os.stat_result) -> None:
        raise OutputError("no room in the journal")

    with pytest.raises(OutputError, match="no room in the journal"):
        write_whole(path, b"new", announce=refuse)

    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.png"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "a.png").symlink_to("mine")

    write_whole(tmp_path / "a.png", b"new")

    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not (tmp_path / "a.png").is_symlink()


def test_a_folder_in_the_way_is_told_and_left(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()

    with pytest.raises(OutputError, match=r"a\.png cannot be written: that is a folder"):
        write_whole(tmp_path / "a.png", b"new")

    assert names_in(tmp_path) == ["a.png"]


def test_a_name_that_is_too_long_concerns_that_file_alone(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the name is too long") as caught:
        write_whole(tmp_path / ("a" * 300), b"new")

    assert not is_hopeless(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_or_read_only_disk_concerns_all_files(number: int) -> None:
    error = OutputError("cannot be written")
    error.__cause__ = OSError(number, os.strerror(number))

    assert is_hopeless(error)


def test_folders_are_made_along_the_way(tmp_path: Path) -> None:
    made = make_folder(tmp_path / "new/out", "cgi/rock")

    assert made == tmp_path / "new/out/cgi/rock"
    assert made.is_dir()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/rock").symlink_to(tmp_path)

    with pytest.raises(OutputError, match="out/rock is a link that could lead out of"):
        make_folder(tmp_path / "out", "rock/deeper")

    assert names_in(tmp_path) == ["out"]


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "rock").write_bytes(b"mine")

    with pytest.raises(OutputError, match="rock cannot be written: what should be a folder is a file"):
        make_folder(tmp_path, "rock")


@pytest.mark.parametrize(
    "name",
    [
        *("../a.png", "rock/../../a.png", "/etc/passwd", "", "rock//a.png", ".", "rock/..", "rock/./a.png"),
        *(
            "a\0.png",
            "rock\0/a.png",
            "x" * 300 + "/a.png",
            "x/" * 3000 + "a.png",
            "\ud800.png",
            "rock/\ud800",
        ),
    ],
)
def test_recorded_names_that_lead_elsewhere_are_not_below(tmp_path: Path, name: str) -> None:
    (tmp_path / "rock").mkdir()

    assert below(tmp_path, name) is None


def test_recorded_names_are_not_followed_through_links(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/rock").symlink_to(tmp_path)
    (tmp_path / "a.png").write_bytes(b"mine")

    assert below(tmp_path / "out", "rock/a.png") is None
    assert below(tmp_path, "a.png") == tmp_path / "a.png"


def test_what_is_gone_already_needs_no_removing(tmp_path: Path) -> None:
    remove(tmp_path / "gone")

    with pytest.raises(OutputError):
        remove(tmp_path)
