"""The page: what it holds, what it must not let through, and that it is the same for the same folder."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handprep import html_report, images, prepare
from handprep.errors import OutputError
from handprep.html_report.contents import histogram
from handprep.pipeline import Pipeline
from handprep.text import printable
from handprep.transforms.resize import ResizePad
from tests.html_report.pages import CLOSING, MARKUP, Parsed, noise, odd_folder, parsed, row
from tests.prepared.folders import CROP, HANDS, RESIZE, copied, picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``photos`` of every kind, ``prepared`` with a report."""
    place = tmp_path_factory.mktemp("report")
    prepare(odd_folder(place / "photos"), place / "prepared", CROP, report=True)
    return place


@pytest.fixture(scope="module")
def page(folder: Path) -> Parsed:
    return parsed((folder / "prepared/report.html").read_bytes())


def rendered(rows: list[object], photos: Path = Path("gone"), outputs: Path = Path("gone")) -> bytes:
    return html_report.render(rows, photos, outputs, RESIZE, "abc")  # type: ignore[arg-type]


class TestWhatItHolds:
    def test_every_photo_with_what_became_of_it(self, folder: Path, page: Parsed) -> None:
        result = prepare(folder / "photos", folder / "prepared", CROP)  # reads what is there

        data = page.data
        statuses = [name for name, _ in data["statuses"]]
        told = {(r["name"], statuses[r["status"]], r["score"], data["labels"][r["label"]]) for r in page.rows}
        assert told == {(r.source, r.status, r.score, r.label) for r in result.rows}
        assert (
            dict(map(tuple, data["statuses"]))
            == result.counts
            == {
                "done": 10,
                "no-hand": 2,
                "skipped": 0,
                "failed": 2,
            }
        )

    def test_that_hands_were_not_looked_for(self, tmp_path: Path) -> None:
        copied(tmp_path / "photos", HANDS[:1])
        prepare(tmp_path / "photos", tmp_path / "prepared", RESIZE, report=True)

        data = parsed((tmp_path / "prepared/report.html").read_bytes()).data
        assert data["tables"][1] == {
            "title": "Hands found",
            "cells": None,
            "instead": "Hands were not looked for.",
        }
        assert sum(data["histogram"]) == 0

    def test_a_thumbnail_of_each_missed_photo_and_on_sheets_of_each_output(self, page: Parsed) -> None:
        data = page.data
        for found in page.rows:
            if found["name"] in (f"far/rock/{MARKUP}", "near/<b>class/truncated.jpg"):
                assert "cannot be read" in found["photo"]["problem"]
                assert found["prepared"] is None
            else:
                for kind in ("photo", "prepared"):
                    assert base64.b64decode(found[kind]["webp"])[8:12] == b"WEBP"
        on_sheets = [page.rows[number]["name"] for sheet in data["sheets"] for number in sheet["rows"]]
        assert sorted(on_sheets) == sorted(r["name"] for r in page.rows if r["output"])

    def test_a_hands_landmarks_in_thousandths_of_the_photos_width(self, folder: Path, page: Parsed) -> None:
        for found in page.rows:
            if found["score"] is None:
                assert "points" not in found["photo"]
                continue
            photo = images.read(folder / "photos" / found["name"])
            hand = CROP[0].run(photo).hand
            there = CROP[:1].run(photo).to_photo(hand.landmarks) * 1000 / photo.size[0]
            np.testing.assert_allclose(np.reshape(found["photo"]["points"], (21, 2)), there, atol=0.51)
            assert found["photo"]["height"] == round(1000 * photo.size[1] / photo.size[0])

    def test_without_a_record_the_hands_box(self, tmp_path: Path) -> None:
        src = copied(tmp_path / "photos", HANDS[:1])
        result = prepare(src, tmp_path / "prepared", CROP, record=False)
        (found,) = parsed(rendered(list(result.rows), src, tmp_path / "prepared")).rows
        x0, y0, x1, y1 = result.rows[0].box
        width = result.rows[0].photo[0]
        np.testing.assert_allclose(
            found["photo"]["points"], np.array([x0, y0, x1, y1]) * 1000 / width, atol=0.51
        )

    def test_parameters_that_make_the_same_pipeline(self, page: Parsed) -> None:
        assert Pipeline.from_json(page.data["pipeline"]["json"]) == CROP
        assert page.data["pipeline"]["text"] == repr(CROP)
        assert page.data["pipeline"]["fingerprint"] == f"{CROP.fingerprint()}.png"

    def test_addresses_of_outputs_that_cannot_be_other_than_that(self, folder: Path) -> None:
        names = ["javascript:alert(1)/a b.png", "near/#?%.png", os.fsdecode(b"far/\xff.png"), "ä.png"]
        rows = [row(f"{name}.jpg", output=name) for name in sorted(names)]

        addresses = [r["output"] for r in parsed(rendered(rows)).rows]

        assert sorted(addresses) == [
            "./%C3%A4.png",
            "./far/%FF.png",
            "./javascript%3Aalert%281%29/a%20b.png",
            "./near/%23%3F%25.png",
        ]

    def test_scores_are_counted_by_twentieths(self) -> None:
        scores = [0.0, 0.0499, 0.05, 0.15, 0.1499, 0.9, 0.95, 0.9499, 1.0]
        counted = {part: count for part, count in enumerate(histogram(scores)) if count}
        assert counted == {0: 2, 1: 1, 2: 1, 3: 1, 18: 2, 19: 2}


class TestNames:
    def test_markup_in_names_is_only_ever_json(self, page: Parsed) -> None:
        assert {f"far/rock/{MARKUP}", CLOSING} <= {r["name"] for r in page.rows}
        assert "<b>class" in page.data["labels"]
        assert not {"img", "b", "i"} & {tag for tag, _ in page.tags}
        assert [kind for kind, _ in page.blocks] == ["style", "application/json", "script"]

    @settings(deadline=None)  # other work on the machine must not fail it
    @given(
        names=st.lists(
            st.text(st.characters(exclude_characters="\x00"), min_size=1)
            | st.sampled_from(["</script>", "<!--<script>", "]]>", "$data", "\u2028", os.fsdecode(b"\xff")]),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    def test_any_name_comes_out_as_it_is_printed(self, names: list[str]) -> None:
        rows = [row(name, "skipped", message=name, view=name) for name in sorted(names)]

        page = parsed(rendered(rows))

        assert [r["name"] for r in page.rows] == [printable(name) for name in sorted(names)]
        assert [r["message"] for r in page.rows] == [r["view"] for r in page.rows]
        assert [kind for kind, _ in page.blocks] == ["style", "application/json", "script"]


class TestItsPolicy:
    def test_only_this_style_and_this_script_and_no_address(self, page: Parsed) -> None:
        (policy,) = [
            attributes["content"]
            for tag, attributes in page.tags
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy is not None
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == "'none'"
        assert rules["img-src"] == "data:"
        for kind in ("style", "script"):
            (text,) = [text for found, text in page.blocks if found == kind]
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert rules[f"{kind}-src"] == f"'sha256-{digest}'"

    def test_no_element_names_another_file(self, page: Parsed) -> None:
        named = [
            attributes[name]
            for _, attributes in page.tags
            for name in ("src", "href", "srcset", "action", "data")
            if attributes.get(name)
        ]
        assert named
        assert all(address and address.startswith(("#", "data:")) for address in named)

    def test_no_attribute_holds_script_or_style(self, page: Parsed) -> None:
        for _, attributes in page.tags:
            assert not [name for name in attributes if name.startswith("on") or name == "style"]


class TestItsSize:
    def test_images_are_as_large_as_all_fit_and_of_noise_the_first_ones_are_shown(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [row(f"rock/{number:03}.png") for number in range(40)]
        for number, missed in enumerate(rows):
            noise(tmp_path / missed.source, seed=number)
        counts = []
        for limit in (3_000_000, 600_000, 120_000):
            monkeypatch.setattr(html_report, "MAX_BYTES", limit)
            page = rendered(rows, tmp_path)
            assert len(page) <= limit
            counts.append(len(parsed(page).data["images"]["photo"]))
            assert [bool(found["photo"]) for found in parsed(page).rows] == [
                n < counts[-1] for n in range(40)
            ]
        assert counts[0] == 40 > counts[1] > counts[2] > 0

    def test_problems_count_as_well(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        deep = tmp_path.joinpath(*["ü" * 100] * 8)
        rows = [row(f"rock/{number:03}.png", "failed", message="gone") for number in range(40)]
        monkeypatch.setattr(html_report, "MAX_BYTES", 100_000)

        page = rendered(rows, deep)

        assert len(page) <= 100_000
        assert all("no such file" in found["photo"]["problem"] for found in parsed(page).rows)

    def test_hands_count_as_well(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        src = tmp_path / "photos"
        for number in range(30):
            copied(src / f"{number:02}", HANDS[:1])
        rows = list(prepare(src, tmp_path / "prepared", CROP).rows)
        for limit in (60_000, 600_000):
            monkeypatch.setattr(html_report, "MAX_BYTES", limit)
            page = rendered(rows, src, tmp_path / "prepared")
            assert len(page) <= limit
            assert parsed(page).data["images"]["prepared"]
        assert all(len(found["photo"]["points"]) == 42 for found in parsed(page).rows)

    def test_where_text_alone_fills_it_there_are_no_pictures(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        picture(tmp_path / "rock/a.png")
        monkeypatch.setattr(html_report, "MAX_BYTES", 1000)

        data = parsed(rendered([row("rock/a.png", output="rock/a.png")], tmp_path, tmp_path)).data

        assert data["images"] == {"photo": {}, "prepared": {}}
        assert data["sheets"] == [{"label": "rock", "total": 1, "rows": [0]}]


class TestPrepare:
    def test_the_same_folder_gives_the_same_bytes(self, folder: Path) -> None:
        first = (folder / "prepared/report.html").read_bytes()

        result = prepare(folder / "photos", folder / "prepared", CROP, report=True, workers=1)

        assert result.resumed == 12  # failed ones are tried again, and take another time
        again = parsed((folder / "prepared/report.html").read_bytes()).data
        before = parsed(first).data
        failed = [n for n, values in enumerate(before["rows"]) if values[1] == 3]
        column = before["columns"].index("milliseconds")
        for number in failed:
            again["rows"][number][column] = before["rows"][number][column]
        assert again == before

    def test_a_report_can_be_asked_for_later(self, tmp_path: Path) -> None:
        src, dst = copied(tmp_path / "photos", HANDS[:3]), tmp_path / "prepared"
        prepare(src, dst, RESIZE)
        assert not (dst / "report.html").exists()

        prepare(src, dst, RESIZE, report=True)
        page = parsed((dst / "report.html").read_bytes())
        assert len(page.rows) == 3
        assert all(found["prepared"]["webp"] for found in page.rows)

    def test_a_failure_to_write_it_leaves_no_half_of_it(self, tmp_path: Path) -> None:
        src, dst = copied(tmp_path / "photos", HANDS[:1]), tmp_path / "prepared"
        (dst / "report.html").mkdir(parents=True)

        with pytest.raises(OutputError, match=r"report\.html cannot be written: that is a folder"):
            prepare(src, dst, RESIZE, report=True)

        assert (dst / "manifest.csv").exists()
        assert not list(dst.glob("*.tmp"))

    def test_files_that_went_away_meanwhile_are_told_and_stop_nothing(self, tmp_path: Path) -> None:
        src, dst = copied(tmp_path / "photos", HANDS[:2]), tmp_path / "prepared"
        picture(src / "near/rock/wall.png")
        result = prepare(src, dst, Pipeline([*CROP.transforms[:1], ResizePad(32)]))
        shutil.rmtree(src)
        (dst / result.rows[0].output).unlink()

        found = parsed(rendered(list(result.rows), src, dst)).rows

        images_ = [row[kind] for row in found for kind in ("photo", "prepared")]
        problems = [image["problem"] for image in images_ if image and "problem" in image]
        assert len(problems) == 4
        assert all("no such file" in problem for problem in problems)
