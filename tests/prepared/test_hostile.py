"""Hostile names and links: whatever the folders hold, nothing outside of the folder of outputs is written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from handprep import prepare
from handprep.errors import OutputError
from tests.prepared.folders import RESIZE, outputs, picture

ODD = (
    *("...png", "..a.png", "a..png", " .png", "-rf.png", "~.png", "$HOME.png", "`id`.png", "a;b|c&d.png"),
    *("%2e%2e.png",),
    *("..\\..\\victim.png", "C:\\victim.png", "a:b.png", "\x1b[2J.png", "a\nb.png", "\u202egnp.exe.png"),
    *("*.png",),
    *("CON.png", "nul.png", "aux.jpg.png", "COM1.png", "LPT9.png", "con/a.png", "manifest.csv.png"),
    *("detection.md.png",),
    *(os.fsdecode(b"\xff\xfe.png"), "x" * 251 + ".png", "%s%n.png", "{0}.png", "a.png ", "manifest.png"),
)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a file beside the folders, which must stay as it is; so must all else there."""
    path = tmp_path / "victim.png"
    path.write_bytes(b"mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.png").write_bytes(b"mine too")
    return path


def around(root: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return what lies beside the folder of outputs: every file with its time and inode, and all folders."""
    found = {}
    for path in root.rglob("*"):
        if not path.is_relative_to(root / "prepared"):
            stat = path.lstat()
            found[str(path)] = (path.read_bytes() if path.is_file() else b"", stat.st_mtime_ns, stat.st_ino)
    return found


def test_no_name_of_a_photo_leads_out_of_the_folder(tmp_path: Path, victim: Path) -> None:
    for name in ODD:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(tmp_path / "photos" / "made.png").rename(path)
    (tmp_path / "photos" / "up").symlink_to(tmp_path / "elsewhere")  # photos may lie behind links
    before = around(tmp_path)

    result = prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)

    assert around(tmp_path) == before
    assert [row.source for row in result.failed] == ["up/b.png"]  # which is no picture
    assert set(outputs(tmp_path / "prepared")) == {
        name for name in ODD if name.endswith("png") and not name.startswith(".")
    }
    assert prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE).resumed == result.counts["done"]
    assert around(tmp_path) == before


@pytest.mark.parametrize("name", [".handprep.jsonl", ".handprep.lock"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_place_of_a_file_that_is_written_in_place_is_refused(
    name: str, there: bool, tmp_path: Path, victim: Path
) -> None:
    picture(tmp_path / "photos/a.png")
    (tmp_path / "prepared").mkdir()
    (tmp_path / "prepared" / name).symlink_to(victim if there else tmp_path / "new")
    before = around(tmp_path)

    with pytest.raises(OutputError, match=rf"{name} is a link, which is not followed"):
        prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)

    assert around(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["a.png", "manifest.csv", "detection.csv", "detection.md", ".handprep-1-a.tmp"]
)
@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_links_in_place_of_files_that_are_replaced_are_not_written_through(
    name: str, make: object, tmp_path: Path, victim: Path
) -> None:
    picture(tmp_path / "photos/a.png")
    (tmp_path / "prepared").mkdir()
    make(victim, tmp_path / "prepared" / name)  # type: ignore[operator]
    before = around(tmp_path)

    result = prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)

    assert result.counts["done"] == 1
    assert around(tmp_path) == before
    assert not (tmp_path / "prepared" / name).is_symlink()


@pytest.mark.parametrize("folder", ["rock", "rock/deep"])
def test_folders_that_are_links_are_refused_wherever_they_lead(
    folder: str, tmp_path: Path, victim: Path
) -> None:
    picture(tmp_path / "photos" / "rock" / "deep" / "a.png")
    for target in (tmp_path / "elsewhere", tmp_path / "new", tmp_path / "photos"):
        (tmp_path / "prepared" / folder).parent.mkdir(parents=True)
        (tmp_path / "prepared" / folder).symlink_to(target)
        before = around(tmp_path)
        with pytest.raises(OutputError, match="is a link that could lead out"):
            prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)
        assert around(tmp_path) == before
        shutil.rmtree(tmp_path / "prepared")


def test_a_folder_of_the_reports_name_is_told_and_left(tmp_path: Path) -> None:
    picture(tmp_path / "photos/manifest.csv/a.png")

    with pytest.raises(OutputError, match=r"manifest\.csv cannot be written: that is a folder"):
        prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)


def test_a_name_too_long_for_its_new_ending_fails_alone(tmp_path: Path) -> None:
    picture(tmp_path / "photos/a.png")
    photo = picture(tmp_path / "photos/b.bmp")
    photo.rename(photo.with_name("x" * 251 + ".bmp"))
    picture(tmp_path / "photos/b.jpg").rename(
        photo.with_name("x" * 251 + ".jpg")
    )  # so both keep their endings

    result = prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)

    assert result.counts == {"done": 1, "no-hand": 0, "skipped": 0, "failed": 2}
    assert all("the name is too long" in row.message for row in result.failed)


def test_a_folder_of_photos_that_vanishes_meanwhile(tmp_path: Path) -> None:
    for number in range(40):
        picture(tmp_path / f"photos/rock/{number}.png")
    kept = shutil.copytree(tmp_path / "photos", tmp_path / "kept")

    def vanish(done: int, total: int) -> None:
        shutil.rmtree(tmp_path / "photos", ignore_errors=True)

    result = prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE, workers=1, progress=vanish)

    assert 1 <= result.counts["done"] < 40
    assert all("no such file" in row.message for row in result.failed)
    kept.rename(tmp_path / "photos")
    again = prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE)
    assert again.counts["done"] == 40
    assert again.resumed == result.counts["done"]


def test_a_path_too_long_among_the_outputs_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = picture(tmp_path / "photos/a.png")
    monkeypatch.chdir(tmp_path / "photos")
    for _ in range(14):
        Path("x" * 250).mkdir()
        os.chdir("x" * 250)
    shutil.copy(short, "b.png")
    os.chdir(tmp_path)
    outputs_in = tmp_path.joinpath(*["y" * 250] * 3)

    result = prepare(tmp_path / "photos", outputs_in, RESIZE)

    assert result.counts == {"done": 1, "no-hand": 0, "skipped": 0, "failed": 1}
    assert "the name is too long" in result.failed[0].message
    assert (outputs_in / "a.png").exists()
