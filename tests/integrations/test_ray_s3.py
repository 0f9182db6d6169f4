"""Photos and outputs in an object store: moto's S3, which lies in memory, as S3 itself would be asked."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'handprep[ray]'")
pytest.importorskip("moto", reason="moto is not installed: pip install 'moto[server]'")

from pyarrow import fs

import handprep
from handprep.errors import InputError
from handprep.integrations.ray import prepare
from tests.integrations.clusters import one_node, rows
from tests.prepared.folders import CROP, HANDS, copied, outputs, picture

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")]

BUCKET = "hands"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Address of an S3 of our own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def store(endpoint: str) -> fs.FileSystem:
    store = fs.S3FileSystem(
        access_key="key",
        secret_key="secret",
        endpoint_override=endpoint,
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    store.create_dir(BUCKET)
    return store


def put(folder: Path, store: fs.FileSystem, to: str) -> None:
    for path in folder.rglob("*.*"):
        with store.open_output_stream(f"{BUCKET}/{to}/{path.relative_to(folder)}") as stream:
            stream.write(path.read_bytes())


def get(store: fs.FileSystem, source: str, to: Path) -> Path:
    fs.copy_files(f"{BUCKET}/{source}", str(to), source_filesystem=store)
    return to


def test_a_bucket_is_prepared_as_a_folder_is_and_carried_on(
    endpoint: str, store: fs.FileSystem, tmp_path: Path
) -> None:
    src = copied(tmp_path / "photos")
    (src / "far/paper/text.jpg").write_text("this is no picture")
    put(src, store, "photos")
    handprep.prepare(src, tmp_path / "at-once", CROP)
    options = f"?scheme=http&endpoint_override={endpoint}&region=us-east-1"
    read_from, write_to = (f"s3://key:secret@{BUCKET}/{name}{options}" for name in ("photos", "prepared"))

    with one_node():
        first = prepare(read_from, write_to, CROP, concurrency=1, batch_size=4)
        picture(src / "near/rock/new.png")
        put(src / "near", store, "photos/near")  # which makes them all newer
        second = prepare(read_from, write_to, CROP, concurrency=1)
        names = {info.path for info in store.get_file_info(fs.FileSelector(BUCKET, recursive=True))}

    assert outputs(get(store, "prepared", tmp_path / "got")).items() >= outputs(tmp_path / "at-once").items()
    assert first.folder == f"s3://{BUCKET}/prepared"
    assert (first.resumed, second.resumed) == (0, len(HANDS))  # newer, but of the same content
    assert second.counts["done"] + second.counts["no-hand"] == len(HANDS) + 1
    (failed,) = (row for row in rows(tmp_path / "got") if row.status == "failed")
    assert failed.message.startswith(f"s3://{BUCKET}/photos/far/paper/text.jpg cannot be read: no known kind")
    assert not any(name.endswith(".tmp") for name in names)


def test_a_bucket_that_is_not_there_is_one_error_without_the_secret(endpoint: str, tmp_path: Path) -> None:
    options = f"?scheme=http&endpoint_override={endpoint}&region=us-east-1"
    with pytest.raises(InputError, match="s3://gone/photos does not exist") as caught:
        prepare(f"s3://key:secret@gone/photos{options}", tmp_path, CROP)
    assert "secret" not in str(caught.value)
