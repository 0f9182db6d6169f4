"""The journal of a folder of outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handprep.errors import OutputError
from handprep.folder.journal import Entry, Journal, Stamp
from handprep.manifest import Row


def stamp_of(path: Path) -> Stamp:
    stamp = Stamp.of(path)
    assert stamp is not None
    return stamp


def entry(source: str, output: str = "", fingerprint: str = "f", stamp: Stamp | None = None) -> Entry:
    row = Row(source=source, output=output, status="done" if output else "skipped", box=(0.5, 1, 2, 3))
    return Entry(row=row, fingerprint=fingerprint, photo=stamp, output=stamp)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"content")
    return path


def test_a_file_is_the_same_until_its_content_changes(file: Path) -> None:
    stamp = stamp_of(file)
    assert stamp.still_of(file)

    os.utime(file, (1, 1))
    assert stamp.still_of(file)

    file.write_bytes(b"CONTENT")
    assert not stamp.still_of(file)


def test_a_copy_is_the_same_and_a_longer_or_missing_file_is_not(file: Path, tmp_path: Path) -> None:
    stamp = stamp_of(file)
    (tmp_path / "copy").write_bytes(b"content")
    (tmp_path / "longer").write_bytes(b"content, and more")

    assert stamp.still_of(tmp_path / "copy")
    assert not stamp.still_of(tmp_path / "longer")
    assert not stamp.still_of(tmp_path / "gone")


def test_what_is_no_file_has_no_stamp(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for ever

    assert Stamp.of(tmp_path / "pipe.jpg") is None
    assert Stamp.of(tmp_path) is None
    assert Stamp.of(tmp_path / "gone") is None


def test_entries_are_there_again_after_a_kill(file: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"fist\xff\xe2\x82\xac.jpg")  # no UTF-8, and a sign that is
    first, second = entry(name, "a.png", stamp=stamp_of(file)), entry("b.jpg")
    journal = Journal(tmp_path / "journal")
    journal.append(first)
    journal.append(second)  # and it is never closed, as when the process is killed

    again = Journal(tmp_path / "journal")

    assert again.entries == {name: first, "b.jpg": second}
    assert again.written == {"a.png": stamp_of(file)}
    assert again.appended == set()
    journal.close()
    again.close()


def test_the_last_entry_of_a_photo_counts_but_every_output_is_remembered(file: Path, tmp_path: Path) -> None:
    stamp = stamp_of(file)
    journal = Journal(tmp_path / "journal")
    journal.append(entry("a.jpg", "a.png", stamp=stamp))
    journal.append(entry("a.jpg", "a.jpg.png", stamp=stamp))
    journal.close()

    again = Journal(tmp_path / "journal")

    assert again.entries["a.jpg"].row.output == "a.jpg.png"
    assert set(again.written) == {"a.png", "a.jpg.png"}
    again.close()


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_last_line_is_cut_off_and_replaced(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    torn = entry("a.jpg").to_line() + entry("b.jpg").to_line()[:-cut]
    path.write_bytes(torn)

    journal = Journal(path)
    assert set(journal.entries) == {"a.jpg"}
    journal.append(entry("c.jpg"))
    journal.close()

    assert path.read_bytes() == entry("a.jpg").to_line() + entry("c.jpg").to_line()


@pytest.mark.parametrize(
    "damage",
    [b"\0" * 50, b"[]", b"{}", b'{"row": 1, "photo": 2}', b"\xff\xfe", b"", b"[" * 100_000, b"null", b"7"],
)
def test_damaged_lines_do_not_count_and_do_not_spoil_the_others(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(entry("a.jpg").to_line() + damage + b"\n" + entry("b.jpg").to_line())

    journal = Journal(path)

    assert set(journal.entries) == {"a.jpg", "b.jpg"}
    journal.close()


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"not a line of a journal")
    (tmp_path / "journal").symlink_to("mine")

    with pytest.raises(OutputError, match="journal is a link, which is not followed"):
        Journal(tmp_path / "journal")

    assert (tmp_path / "mine").read_bytes() == b"not a line of a journal"


def test_compacting_leaves_the_given_entries_and_can_be_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    for number in range(5):
        journal.append(entry("a.jpg", fingerprint=str(number)))
    journal.compact(list(journal.entries.values()))
    journal.append(entry("b.jpg"))
    journal.close()

    assert path.read_bytes() == entry("a.jpg", fingerprint="4").to_line() + entry("b.jpg").to_line()


class TestFinished:
    """When a photo need not be prepared again."""

    @pytest.fixture
    def output(self, tmp_path: Path) -> Path:
        path = tmp_path / "a.png"
        path.write_bytes(b"output")
        return path

    @pytest.fixture
    def done(self, file: Path, output: Path) -> Entry:
        row = Row(source="a.jpg", output="a.png", status="done")
        return Entry(row=row, fingerprint="f", photo=stamp_of(file), output=stamp_of(output))

    def test_it_is_finished_as_long_as_nothing_changes(self, done: Entry, file: Path) -> None:
        assert done.is_finished("f", file, "a.png", file.parent)

    def test_other_parameters(self, done: Entry, file: Path) -> None:
        assert not done.is_finished("g", file, "a.png", file.parent)

    def test_another_name(self, done: Entry, file: Path) -> None:
        assert not done.is_finished("f", file, "a.jpg.png", file.parent)

    def test_another_photo(self, done: Entry, file: Path) -> None:
        file.write_bytes(b"another")
        assert not done.is_finished("f", file, "a.png", file.parent)

    def test_a_missing_output(self, done: Entry, file: Path, output: Path) -> None:
        output.unlink()
        assert not done.is_finished("f", file, "a.png", file.parent)

    def test_an_output_that_something_else_wrote_to(self, done: Entry, file: Path, output: Path) -> None:
        output.write_bytes(b"OUTPUT")
        assert not done.is_finished("f", file, "a.png", file.parent)
