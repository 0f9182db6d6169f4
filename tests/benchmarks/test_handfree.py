"""The gathering of hand-free pictures, without a network: what is listed, computed and unpacked."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks import computed_pictures, handfree

ALL = computed_pictures.NAMES
ENTRIES = [(package, digest) for package in handfree.packages() for digest in package.pictures]


def jpeg(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def package(contents: dict[str, bytes]) -> handfree.Package:
    pictures = {hashlib.sha256(content).hexdigest()[:16]: path for path, content in contents.items()}
    return handfree.Package(index="npm", name="@scope/some@1.0", licence="CC0-1.0", pictures=pictures)


@pytest.fixture(autouse=True)
def few_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computed_pictures, "NAMES", computed_pictures.NAMES[::20])


def give(monkeypatch: pytest.MonkeyPatch, archive: Path, *listed: handfree.Package) -> None:
    monkeypatch.setattr(handfree, "packages", lambda: list(listed))
    monkeypatch.setattr(handfree, "_download", lambda package, folder: archive)


def tarball(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_the_list_is_long_enough_and_names_each_picture_once() -> None:
    digests = [digest for _, digest in ENTRIES]
    assert len(digests) >= 350
    assert len(set(digests)) == len(digests)
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests)
    names = [package.file_name(digest) for package, digest in ENTRIES]
    assert len(set(names)) == len(names)


def test_every_package_is_pinned_and_states_its_licence() -> None:
    for package in handfree.packages():
        pin = {"pypi": "==", "npm": "@", "debian": ""}[package.index]
        assert pin in package.name[1:]
        assert package.licence


def test_computed_pictures_are_always_the_same_and_all_different() -> None:
    images = {name: computed_pictures.picture(name) for name in ALL}
    assert all(image.shape == (480, 640, 3) and image.dtype == np.uint8 for image in images.values())
    assert len({image.tobytes() for image in images.values()}) == len(images)
    again = computed_pictures.picture("skin-shapes-03")
    np.testing.assert_array_equal(again, images["skin-shapes-03"])


@pytest.mark.parametrize("kind", ["tgz", "whl"])
def test_listed_pictures_are_taken_out_of_an_archive_and_made_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    contents = {
        "package/a/Large One.jpg": jpeg(1280, 960, (200, 10, 10)),
        "package/b.jpg": jpeg(64, 48, (1, 2, 3)),
    }
    archive = tmp_path / f"some.{kind}"
    if kind == "tgz":
        tarball(archive, contents | {"package/c.jpg": jpeg(9, 9, (0, 0, 0))})
    else:
        with zipfile.ZipFile(archive, "w") as wheel:
            for name, content in contents.items():
                wheel.writestr(name, content)
    give(monkeypatch, archive, package(contents))
    paths = [p for p in handfree.gather(tmp_path / "out") if not p.name.startswith("computed--")]
    sizes = {}
    for path in paths:
        with Image.open(path) as image:
            sizes[path.name.rsplit("-", 1)[0]] = image.size
    assert sizes == {"scope-some--large-one": (640, 480), "scope-some--b": (64, 48)}


def test_a_picture_that_changed_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looked_at = package({"package/a.jpg": jpeg(64, 48, (1, 2, 3))})
    give(monkeypatch, tarball(tmp_path / "some.tgz", {"package/a.jpg": jpeg(64, 48, (9, 9, 9))}), looked_at)
    paths = handfree.gather(tmp_path / "out")
    assert all(path.name.startswith("computed--") for path in paths)
    assert "left out 1 pictures of @scope/some@1.0" in caplog.text


def test_a_package_that_cannot_be_had_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(handfree.shutil, "which", lambda command: None)
    paths = handfree.gather(tmp_path / "out")
    assert len(paths) == len(computed_pictures.NAMES)
    assert "there is no npm here" in caplog.text


def test_a_second_run_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {"package/a.jpg": jpeg(64, 48, (1, 2, 3))}
    give(monkeypatch, tarball(tmp_path / "some.tgz", contents), package(contents))
    first = handfree.gather(tmp_path / "out")
    monkeypatch.setattr(handfree, "_download", lambda package, folder: pytest.fail("nothing is missing"))
    assert handfree.gather(tmp_path / "out") == first
