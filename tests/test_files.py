"""Files are written whole or not at all, and only inside of the folder that was given."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from handprep.errors import OutputError
from handprep.files import atomic_write, check_regular, make_folder, output_error, remove
from handprep.prepared.storage import Storage


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_by_a_whole_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    atomic_write(path, b"new")

    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["a.png"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "a.png").symlink_to("mine")

    atomic_write(tmp_path / "a.png", b"new")

    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not (tmp_path / "a.png").is_symlink()


def test_a_folder_in_the_way_is_told_and_left(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()

    with pytest.raises(OutputError, match=r"a\.png cannot be written: that is a folder"):
        atomic_write(tmp_path / "a.png", b"new")

    assert names_in(tmp_path) == ["a.png"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_full_or_read_only_disk_concerns_all_files(number: int) -> None:
    assert output_error("a.png", OSError(number, os.strerror(number))).concerns_all


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EIO])
def test_what_only_closing_tells_is_our_error_and_leaves_the_old_file(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on network file systems, which keep what is written until then."""
    (tmp_path / "a.png").write_bytes(b"old")
    plain_open = Path.open

    class Failing(io.FileIO):
        def close(self) -> None:
            was_open = not self.closed
            super().close()
            if was_open:
                raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", lambda path, mode: Failing(str(path), mode))
    with pytest.raises(OutputError, match=r"a\.png cannot be written") as caught:
        atomic_write(tmp_path / "a.png", b"new")
    monkeypatch.setattr(Path, "open", plain_open)

    assert caught.value.concerns_all
    assert names_in(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def held_open(monkeypatch: pytest.MonkeyPatch, times: int) -> list[Path]:
    """Rename as Windows does where another program holds the old file open so often; return the tries."""
    plain, tries = Path.replace, list[Path]()

    def replace(path: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) > times:
            return plain(path, target)
        error = PermissionError(errno.EACCES, "Access is denied")
        error.winerror = 32  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr(Path, "replace", replace)
    return tries


def test_a_file_that_a_scanner_holds_open_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = held_open(monkeypatch, times=3)

    atomic_write(tmp_path / "a.png", b"new")

    assert len(tries) == 4
    assert (tmp_path / "a.png").read_bytes() == b"new"


def test_a_file_that_a_spreadsheet_holds_open_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_open(monkeypatch, times=99)

    with pytest.raises(OutputError, match=r"another program, such as a spreadsheet .* holds it open"):
        atomic_write(tmp_path / "manifest.csv", b"new")

    assert names_in(tmp_path) == []


def test_a_durable_file_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, plain = [], os.fsync

    def fsync(number: int) -> None:
        synced.append((os.fstat(number).st_size, (tmp_path / "a.png").exists()))
        plain(number)

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_write(tmp_path / "a.png", b"new", durable=True)

    assert synced == [(3, False)]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("b")])
def test_what_is_no_file_is_not_written_in_place(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "a")

    with pytest.raises(
        OutputError, match=r"a is (no regular file|a link, which is not followed)\. Remove it"
    ):
        check_regular(tmp_path / "a")
    check_regular(tmp_path / "gone")


def test_a_folder_whose_path_is_too_long_is_left_to_its_files(tmp_path: Path) -> None:
    Storage(tmp_path).make_folders(["rock", "x" * 300, ("y" * 250 + "/") * 20])

    assert (tmp_path / "rock").is_dir()


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/rock").symlink_to(tmp_path)

    with pytest.raises(OutputError, match="out/rock is a link that could lead out of"):
        make_folder(tmp_path / "out", "rock/deeper")

    assert names_in(tmp_path) == ["out"]


def test_what_is_gone_already_needs_no_removing(tmp_path: Path) -> None:
    remove(tmp_path / "gone")

    with pytest.raises(OutputError):
        remove(tmp_path)
