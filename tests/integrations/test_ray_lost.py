"""Jobs and nodes that are killed midway, and photos that kill: nothing is lost, nothing there twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'handprep[ray]'")

from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

import handprep
from handprep.integrations.ray import prepare
from handprep.pipeline import Pipeline
from handprep.sample import Sample
from handprep.transforms.base import Transform
from handprep.transforms.crop import HandCropper
from handprep.transforms.greyscale import Greyscale
from handprep.transforms.resize import ResizePad
from tests.integrations.clusters import hands, one_node, ray, rows, two_nodes
from tests.prepared.folders import RESIZE, copied, identities, leftovers, outputs, picture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*"),  # Ray's of itself
]

STUDY = Pipeline([HandCropper(search=False), ResizePad(64), Greyscale()])
BATCH = 4
SECONDS = 120  # more than any of this takes on a busy machine


@dataclass(frozen=True, slots=True)
class Witnessed(Transform):
    """Leaves a file for each node that has prepared a photo."""

    folder: str

    def apply(self, sample: Sample) -> Sample:
        Path(self.folder, ray.get_runtime_context().get_node_id()).touch()
        return sample


@dataclass(frozen=True, slots=True)
class Deadly(Transform):
    """Ends its process at photos of one pixel, as a crash in a decoder does."""

    def apply(self, sample: Sample) -> Sample:
        if sample.size == (1, 1):
            os._exit(1)
        return sample


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hands(tmp_path_factory.mktemp("photos") / "photos", times=6)


@pytest.fixture(scope="module")
def expected(src: Path) -> dict[str, bytes]:
    handprep.prepare(src, src.parent / "at-once", STUDY)
    return outputs(src.parent / "at-once")


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


def wait_for(dst: Path, images: int) -> None:
    """Wait until so many images are there."""
    end = time.monotonic() + SECONDS
    while len(outputs(dst)) < images:
        assert time.monotonic() < end, f"only {len(outputs(dst))} images are there"
        time.sleep(0.05)


def wait_for_silence(dst: Path, seconds: float = 3) -> None:
    """Wait until nothing has been written for so long."""
    seen, since = -1, time.monotonic()
    while time.monotonic() < since + seconds:
        now = len(list(dst.rglob("*")))
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.1)


def assert_each_once(src: Path, dst: Path, expected: dict[str, bytes]) -> None:
    assert outputs(dst).keys() == expected.keys()
    for name, content in outputs(dst).items():  # the records name another pipeline where one looks on
        np.testing.assert_array_equal(handprep.read(content).image, handprep.read(expected[name]).image)
    assert [row.source for row in rows(dst)] == sorted(str(p.relative_to(src)) for p in src.rglob("*.jpg"))
    assert sorted(row.output for row in rows(dst)) == sorted(expected)
    assert leftovers(dst) == []


JOB = """
import sys
from handprep.integrations.ray import prepare
from tests.integrations.clusters import one_node
from tests.integrations.test_ray_lost import BATCH, STUDY

with one_node():
    prepare(sys.argv[1], sys.argv[2], STUDY, batch_size=BATCH)
"""


@pytest.fixture
def job(src: Path, dst: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A job in a process of its own, with its own cluster."""
    command = [sys.executable, "-W", "ignore", "-c", JOB, str(src), str(dst)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def test_a_killed_job_is_carried_on(
    src: Path, dst: Path, expected: dict[str, bytes], job: subprocess.Popen[bytes]
) -> None:
    wait_for(dst, images=40)
    job.send_signal(signal.SIGKILL)
    job.wait()
    wait_for_silence(dst)  # its actors end a moment later
    finished = len(outputs(dst))
    assert finished < len(expected)
    before = identities(dst)

    with one_node():
        result = prepare(src, dst, STUDY, batch_size=BATCH)

    assert result.resumed == finished
    assert_each_once(src, dst, expected)
    again = {name for name, identity in identities(dst).items() if identity != before.get(name)}
    assert len(again) == len(expected) - finished


def test_a_lost_node_loses_nothing(src: Path, dst: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    seen, left = tmp_path / "seen", []
    seen.mkdir()
    with two_nodes() as (cluster, other):

        def kill() -> None:
            while not (seen / other.node_id).exists():
                time.sleep(0.05)
            wait_for(dst, images=24)
            left.append(len(outputs(dst)))
            cluster.remove_node(other, allow_graceful=False)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        result = prepare(src, dst, Pipeline([Witnessed(str(seen)), *STUDY.transforms]), batch_size=BATCH)
        killer.join(SECONDS)
        assert [node["Alive"] for node in ray.nodes() if node["NodeID"] == other.node_id] == [False]

    assert left[0] < len(expected)
    assert len(list(seen.iterdir())) == 2
    assert result.counts["failed"] == 0
    assert_each_once(src, dst, expected)


def test_a_photo_that_ends_every_process_fails_alone(tmp_path: Path, dst: Path) -> None:
    src = copied(tmp_path / "photos")
    picture(src / "far/rock/deadly.png", size=(1, 1))
    with one_node():
        result = prepare(src, dst, Pipeline([Deadly(), *RESIZE.transforms]), concurrency=1)

    (failed,) = (row for row in rows(dst) if row.status == "failed")
    assert failed.source == "far/rock/deadly.png"
    assert failed.message.startswith("each process that prepared it died")
    assert result.counts["done"] == len(outputs(dst)) == 9
    assert leftovers(dst) == []


def test_photos_beside_a_deadly_one_are_prepared_on_a_store_too(tmp_path: Path) -> None:
    src = copied(tmp_path / "photos")
    picture(src / "near/scissors/z-deadly.png", size=(1, 1))  # behind most of the others
    store = SubTreeFileSystem(str(tmp_path), LocalFileSystem())
    with one_node():
        result = prepare(
            "photos",
            "prepared",
            Pipeline([Deadly(), *RESIZE.transforms]),
            concurrency=1,
            batch_size=16,
            filesystem=store,
        )
    assert [row.source for row in result.failed] == ["near/scissors/z-deadly.png"]
    assert result.counts["done"] == len(outputs(tmp_path / "prepared")) == 9
