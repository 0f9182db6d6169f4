"""Photos that cannot be read or written have a row with the reason, and do not stop the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handprep import prepare
from tests.permissions import as_nobody, folder_for_all
from tests.prepared.folders import CROP, HANDS, RESIZE, copied, leftovers, manifest, outputs, picture


@pytest.fixture
def src(tmp_path: Path) -> Path:
    return copied(tmp_path / "photos")


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "prepared"


def test_each_has_a_row_with_its_reason_and_the_others_are_done(src: Path, dst: Path) -> None:
    (src / "empty.jpg").touch()
    (src / "text.jpg").write_text("this is no picture")
    (src / "truncated.jpg").write_bytes(HANDS[0].path.read_bytes()[:5000])
    (src / "loop.png").symlink_to("loop.png")
    (src / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(src / "pipe.png")

    result = prepare(src, dst, CROP)

    reasons = {row.source: row.message for row in result.failed}
    assert set(reasons) == {"empty.jpg", "text.jpg", "truncated.jpg", "loop.png", "gone.png", "pipe.png"}
    for source, reason in reasons.items():
        assert str(src / source) in reason
    assert "links lead round in a circle" in reasons["loop.png"]
    assert "no such file" in reasons["gone.png"]
    assert result.counts["done"] == len(HANDS) == len(outputs(dst))
    assert not leftovers(dst)


def test_odd_shapes_and_names_are_prepared(tmp_path: Path, dst: Path) -> None:
    odd = tmp_path / "photos"
    picture(odd / "dot.png", size=(1, 1))
    picture(odd / "tall.png", size=(1, 20_000))
    picture(odd / "folder.jpg/inside.png")
    picture(odd / os.fsdecode(b"fist\xff.png"))
    picture(odd / "a,b\nc|d.png")

    result = prepare(odd, dst, CROP)

    assert [row.message for row in result.rows] == [""] * 5
    assert set(outputs(dst)) == {
        *("dot.png", "tall.png", "folder.jpg/inside.png"),
        *(os.fsdecode(b"fist\xff.png"), "a,b\nc|d.png"),
    }
    assert {r"fist\udcff.png", "a,b\nc|d.png"} <= {row["source"] for row in manifest(dst)}
    assert prepare(odd, dst, CROP).resumed == 5


def test_a_photo_that_vanishes_meanwhile(src: Path, dst: Path) -> None:
    for number in range(30):
        picture(src / f"far/paper/{number}.png")
    victims = sorted(src.rglob("*.jpg"))[-2:]

    def vanish(done: int, total: int) -> None:
        for victim in victims:
            victim.unlink(missing_ok=True)

    result = prepare(src, dst, RESIZE, workers=1, progress=vanish)

    assert [row.source for row in result.failed] == [str(victim.relative_to(src)) for victim in victims]


def test_a_photo_without_permission() -> None:
    with folder_for_all() as folder:
        picture(folder / "photos/a.png")
        picture(folder / "photos/b.png").chmod(0)
        (folder / "prepared").mkdir()
        (folder / "prepared").chmod(0o777)
        with as_nobody():
            result = prepare(folder / "photos", folder / "prepared", RESIZE)

    assert [(row.source, "no permission" in row.message) for row in result.failed] == [("b.png", True)]


def test_a_folder_in_the_place_of_an_output(src: Path, dst: Path) -> None:
    name = sorted(src.rglob("*.jpg"))[0].relative_to(src).with_suffix(".png")
    (dst / name).mkdir(parents=True)

    result = prepare(src, dst, RESIZE)

    assert [(row.output, row.status) for row in result.failed] == [("", "failed")]
    assert "that is a folder" in result.failed[0].message


def test_failed_photos_are_tried_again_and_lose_their_old_output(src: Path, dst: Path) -> None:
    photo = sorted(src.rglob("*.jpg"))[0]
    output = dst / photo.relative_to(src).with_suffix(".png")
    prepare(src, dst, RESIZE)
    good = photo.read_bytes()

    photo.write_bytes(b"damaged")
    assert len(prepare(src, dst, RESIZE).failed) == 1
    assert not output.exists()

    photo.write_bytes(good)
    result = prepare(src, dst, RESIZE)
    assert not result.failed
    assert result.resumed == len(HANDS) - 1
    assert output.exists()
