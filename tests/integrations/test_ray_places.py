"""Where photos and outputs of a Ray job lie, and the record beside them; no cluster is needed for these."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'handprep[ray]'")

from pyarrow import fs

from handprep.errors import InputError, OutputError
from handprep.folder.journal import Entry, Stamp
from handprep.integrations.ray import record
from handprep.integrations.ray.addresses import check_distinct, place_at
from handprep.integrations.ray.attempts import ATTEMPTS, Attempts
from handprep.integrations.ray.local import LocalPlace
from handprep.integrations.ray.place import Place
from handprep.integrations.ray.remote import RemotePlace
from handprep.manifest import Row


@pytest.fixture(params=["local", "remote"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The same folder, known to be local or not."""
    (tmp_path / "whole").mkdir()
    if request.param == "local":
        return place_at(tmp_path / "whole")
    return place_at("whole", fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()))


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


class TestPlaces:
    def test_both_kinds_find_the_same_photos(self, place: Place, tmp_path: Path) -> None:
        make(tmp_path / "whole", "b/rock/1.JPG", "a.png", ".hidden.png", ".dot/c.png", "__MACOSX/d.png")
        make(tmp_path / "whole", "notes.txt", "out/e.png", "outer/f.png")
        out = place_at(
            "whole/out" if isinstance(place, RemotePlace) else tmp_path / "whole/out",
            place.filesystem if isinstance(place, RemotePlace) else None,
        )

        listed = place.photos(without=out)

        assert listed.sources == ("a.png", "b/rock/1.JPG", "outer/f.png")
        assert (listed.whole, listed.ignored) == ("whole", 1)

    def test_what_is_written_is_held_until_it_changes(self, place: Place, tmp_path: Path) -> None:
        place.make_folders(["rock"])
        stamp = place.write("rock/a.png", b"content")
        for look in (pickle.loads(pickle.dumps(place)) for _ in range(2)):  # as in another process
            assert look.holds("rock/a.png", stamp)
            assert look.read("rock/a.png") == b"content"
            assert look.names_in("rock") == ["a.png"]
            assert not look.holds("rock/b.png", stamp)

        (tmp_path / "whole/rock/a.png").write_bytes(b"something else")
        assert not pickle.loads(pickle.dumps(place)).holds("rock/a.png", stamp)
        place.remove("rock/a.png")
        place.remove("rock/a.png")
        assert place.names_in("rock") == place.names_in("gone") == []

    def test_what_interrupted_writes_left_behind_is_removed(self, place: Place, tmp_path: Path) -> None:
        place.make_folders(["rock"])
        make(tmp_path / "whole", "rock/.handprep-1-a.tmp")
        pickle.loads(pickle.dumps(place)).make_folders(["rock"])
        assert place.names_in("rock") == []

    def test_what_cannot_be_written_is_one_error(self, place: Place, tmp_path: Path) -> None:
        make(tmp_path / "whole", "rock")
        with pytest.raises(OutputError, match=r"whole/rock/a\.png cannot be written"):
            place.write("rock/a.png", b"content")

    def test_a_folder_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        for gone in (
            place_at(tmp_path / "gone"),
            place_at("gone", fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())),
        ):
            with pytest.raises(
                InputError, match="gone does not exist: give the folder that holds the photos"
            ):
                gone.photos(without=gone)

    def test_outputs_do_not_go_to_the_photos(self, place: Place, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"the folder of photos.*: give another for the outputs"):
            check_distinct(place, place)


class TestAddresses:
    def test_paths_and_file_uris_are_local(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for where in (tmp_path / "a", "a", (tmp_path / "a").as_uri()):
            place = place_at(where)
            assert isinstance(place, LocalPlace)
            assert place.folder == tmp_path / "a"
        assert isinstance(place_at(str(tmp_path), fs.LocalFileSystem()), LocalPlace)

    def test_a_uri_is_named_without_its_secrets(self) -> None:
        place = place_at("s3://key:secret@bucket/photos/?region=us-east-1")
        assert place.name == "s3://bucket/photos"

    @pytest.mark.parametrize("uri", ["foo://key:secret@bucket/a", "s3://key:secret@bucket/a?nonsense=secret"])
    def test_a_uri_of_no_known_kind_is_refused_without_its_secrets(self, uri: str) -> None:
        with pytest.raises(InputError, match=r"cannot be used: .* Give a local path or a URI") as caught:
            place_at(uri)
        assert "secret" not in str(caught.value)


class TestRecord:
    @pytest.fixture
    def entries(self) -> list[Entry]:
        stamp = Stamp(size=1, modified=2, inode=2**64 - 1, digest="ab")
        done = Row(
            source="b.jpg", output="b.png", status="done", box=(0.5, 1, 2, 3), score=0.25, view="as-is"
        )
        skipped = Row(source=os.fsdecode(b"fist\xff.jpg"), status="skipped", message="no hand \ud800")
        return [
            Entry(row=skipped, fingerprint="f", photo=stamp, output=None),
            Entry(row=done, fingerprint="f", photo=stamp, output=replace(stamp, inode=0)),
            Entry(row=Row(source="a.jpg", status="failed"), fingerprint="g", photo=None, output=None),
        ]

    def test_entries_come_back_as_they_were(self, place: Place, entries: list[Entry]) -> None:
        place.make_folders([record.PARTS])
        place.write(f"{record.PARTS}/a", record.to_bytes(record.table_of(entries[:1])))
        place.write(f"{record.PARTS}/b", record.to_bytes(record.table_of(entries[1:])))
        place.write(f"{record.PARTS}/c", b"damaged")

        table = record.load(place, ["a", "b", "c", "gone"])

        assert list(record.entries_of(table)) == entries

    def test_they_are_put_in_the_order_of_their_names(self, entries: list[Entry]) -> None:
        names = sorted(entry.row.source for entry in entries)
        table = record.in_order(record.table_of(entries), names)
        assert [entry.row.source for entry in record.entries_of(table)] == names

    def test_a_missing_or_doubled_entry_is_noticed(self, entries: list[Entry]) -> None:
        names = sorted(entry.row.source for entry in entries)
        for wrong in (entries[1:], [*entries, entries[0]], [*entries[1:], entries[1]]):
            with pytest.raises(OutputError, match=r"entries for 3 photos\. Did another run write"):
                record.in_order(record.table_of(wrong), names)

    def test_bytes_of_names_sort_as_the_names_do(self) -> None:
        names = ["a", "b/c", "é", "手", "\udcff", "\ue000", "😀"]
        assert sorted(map(record.to_key, names)) == [record.to_key(name) for name in sorted(names)]
        assert [record.from_key(record.to_key(name)) for name in names] == names


def test_attempts_outlive_those_who_count(place: Place) -> None:
    place.make_folders([ATTEMPTS])
    assert [Attempts(place, "run").begin("1") for _ in range(3)] == [1, 2, 3]
    assert (Attempts(place, "run").begin("2"), Attempts(place, "other").begin("1")) == (1, 1)
    Attempts(place, "run").end("1")
    assert Attempts(place, "run").begin("1") == 1
