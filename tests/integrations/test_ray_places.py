"""Where photos and outputs of a Ray job lie, and the record beside them; no cluster is needed for these."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'handprep[ray]'")

from pyarrow import fs

from handprep.errors import InputError, OutputError
from handprep.integrations.ray import prepare
from handprep.integrations.ray.remote import RemoteStorage, storage_at
from handprep.pipeline import Pipeline
from handprep.prepared.storage import Storage


@pytest.fixture(params=["local", "remote"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """The same folder, known to be local or not."""
    (tmp_path / "whole").mkdir()
    if request.param == "local":
        return storage_at(tmp_path / "whole")
    return storage_at("whole", fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()))


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


class TestPlaces:
    def test_both_kinds_find_the_same_photos(self, place: Storage, tmp_path: Path) -> None:
        make(tmp_path / "whole", "b/rock/1.JPG", "a.png", ".hidden.png", ".dot/c.png", "__MACOSX/d.png")
        make(tmp_path / "whole", "notes.txt", "out/e.png", "outer/f.png")
        out = storage_at(
            "whole/out" if isinstance(place, RemoteStorage) else tmp_path / "whole/out",
            place._filesystem if isinstance(place, RemoteStorage) else None,
        )

        listed = place.photos(without=out)

        assert listed.sources == ("a.png", "b/rock/1.JPG", "outer/f.png")
        assert (listed.whole, listed.ignored) == ("whole", 1)

    def test_what_is_written_can_be_read_in_any_process(self, place: Storage, tmp_path: Path) -> None:
        place.make_folders(["rock"])
        place.write("rock/a.png", b"content")
        look = pickle.loads(pickle.dumps(place))
        assert look.read("rock/a.png") == look.read_photo("rock/a.png")[0] == b"content"
        assert list(look.names()) == ["rock/a.png"]
        assert look.read("rock/b.png") is None

        place.remove("rock/a.png")
        place.remove("rock/a.png")
        assert list(pickle.loads(pickle.dumps(place)).names()) == []

    def test_what_interrupted_writes_left_behind_is_removed(self, place: Storage, tmp_path: Path) -> None:
        place.make_folders(["rock"])
        make(tmp_path / "whole", "rock/.handprep-1-a.tmp")
        pickle.loads(pickle.dumps(place)).make_folders(["rock"])
        assert list(pickle.loads(pickle.dumps(place)).names()) == []

    def test_what_cannot_be_written_is_one_error(self, place: Storage, tmp_path: Path) -> None:
        make(tmp_path / "whole", "rock")
        with pytest.raises(OutputError, match=r"whole/rock/a\.png cannot be written"):
            place.write("rock/a.png", b"content")

    def test_a_folder_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        for gone in (
            storage_at(tmp_path / "gone"),
            storage_at("gone", fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())),
        ):
            with pytest.raises(
                InputError, match="gone does not exist: give the folder that holds the photos"
            ):
                gone.photos(without=gone)

    def test_outputs_do_not_go_to_the_photos(
        self, place: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError, match=r"the folder of photos.*: give another for the outputs"):
            prepare("whole", "whole", Pipeline([]), filesystem=getattr(place, "_filesystem", None))


class TestAddresses:
    def test_paths_and_file_uris_are_local(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for where in (tmp_path / "a", "a", (tmp_path / "a").as_uri()):
            place = storage_at(where)
            assert isinstance(place, Storage)
            assert place.folder == str(tmp_path / "a")
        assert isinstance(storage_at(str(tmp_path), fs.LocalFileSystem()), Storage)

    def test_a_uri_is_named_without_its_secrets(self) -> None:
        place = storage_at("s3://key:secret@bucket/photos/?region=us-east-1")
        assert place.name == "s3://bucket/photos"

    @pytest.mark.parametrize("uri", ["foo://key:secret@bucket/a", "s3://key:secret@bucket/a?nonsense=secret"])
    def test_a_uri_of_no_known_kind_is_refused_without_its_secrets(self, uri: str) -> None:
        with pytest.raises(InputError, match=r"cannot be used: .* Give a local path or a URI") as caught:
            storage_at(uri)
        assert "secret" not in str(caught.value)
