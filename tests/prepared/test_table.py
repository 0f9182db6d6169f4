"""The detection table."""

from __future__ import annotations

import csv
import io
import os

from handprep.prepared.manifest import Row
from handprep.prepared.table import detection_table


def row(origin: str, label: str, status: str = "done", source: str = "") -> Row:
    box = (0.0, 0.0, 1.0, 1.0) if status == "done" else None
    return Row(source=source, status=status, origin=origin, label=label, box=box)


ROWS = [
    *[row("cgi", "rock")] * 2,
    row("cgi", "rock", "no-hand"),
    *[row("cgi", "paper")] * 4,
    row("hands", "rock"),
    row("hands", "rock", "failed"),
    row("hands", "rock", "skipped"),
]

TEXT = """\
Photos
origin  paper  rock  total
cgi         4     3      7
hands       0     3      3
total       4     6     10

Hands found
origin        paper        rock        total
cgi     4 (100.0 %)  2 (66.7 %)   6 (85.7 %)
hands             -  1 (50.0 %)   1 (50.0 %)
total   4 (100.0 %)  3 (60.0 %)   7 (77.8 %)

Failed photos
origin  paper  rock  total
cgi         0     0      0
hands       0     1      1
total       0     1      1
"""


def aligned(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def test_the_text_has_origins_by_classes_with_totals_and_per_cent() -> None:
    text = detection_table(ROWS).text()

    assert aligned(text) == aligned(TEXT)
    assert text.isascii()


def test_the_csv_is_rectangular_and_says_which_table_each_row_is_of() -> None:
    content = detection_table(ROWS).csv().decode()

    assert list(csv.reader(io.StringIO(content))) == [
        ["table", "origin", "paper", "rock", "total"],
        ["photos", "cgi", "4", "3", "7"],
        ["photos", "hands", "0", "3", "3"],
        ["photos", "total", "4", "6", "10"],
        ["found", "cgi", "4", "2", "6"],
        ["found", "hands", "0", "1", "1"],
        ["found", "total", "4", "3", "7"],
        ["per cent found", "cgi", "100.0", "66.7", "85.7"],
        ["per cent found", "hands", "", "50.0", "50.0"],
        ["per cent found", "total", "100.0", "60.0", "77.8"],
        ["failed", "cgi", "0", "0", "0"],
        ["failed", "hands", "0", "1", "1"],
        ["failed", "total", "0", "1", "1"],
    ]


def test_the_markdown_has_all_tables() -> None:
    assert detection_table(ROWS).markdown() == (
        "## Photos\n\n"
        "| origin | paper | rock | total |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| cgi | 4 | 3 | 7 |\n"
        "| hands | 0 | 3 | 3 |\n"
        "| total | 4 | 6 | 10 |\n\n"
        "## Hands found\n\n"
        "| origin | paper | rock | total |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| cgi | 4 (100.0 %) | 2 (66.7 %) | 6 (85.7 %) |\n"
        "| hands | - | 1 (50.0 %) | 1 (50.0 %) |\n"
        "| total | 4 (100.0 %) | 3 (60.0 %) | 7 (77.8 %) |\n\n"
        "## Failed photos\n\n"
        "| origin | paper | rock | total |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| cgi | 0 | 0 | 0 |\n"
        "| hands | 0 | 1 | 1 |\n"
        "| total | 0 | 1 | 1 |\n"
    )


def test_names_cannot_break_the_tables() -> None:
    odd = os.fsdecode(b"a|b\nc\xff_*")
    table = detection_table([row(odd, odd)])

    assert r"a\|b\\nc\\udcff\_\*" in table.markdown()
    assert all(line.startswith(("|", "##")) or not line for line in table.markdown().splitlines())
    assert "a|b\\nc\\udcff_*" in table.text()
    assert [len(line) for line in csv.reader(io.StringIO(table.csv().decode()))] == [4] * 7


def test_where_no_hand_was_looked_for_none_is_said_to_be_missing() -> None:
    table = detection_table([Row(source="a.jpg", status="done", origin="photos", label="rock")])

    assert not table.looked
    assert table.text().endswith("Hands were not looked for.")
    assert table.markdown().endswith("\n\nHands were not looked for.\n")
    assert table.csv() == b"table,origin,rock,total\nphotos,photos,1,1\nphotos,total,1,1\n"


def test_nor_is_any_where_a_photo_failed_meanwhile() -> None:
    plain = [Row(source=f"{status}.jpg", status=status, origin="photos") for status in ("done", "failed")]

    assert not detection_table(plain).looked
    assert "Hands found" not in detection_table(plain).text()


def test_no_photos_make_a_table_of_nothing() -> None:
    assert aligned(detection_table([]).text())[:3] == [["Photos"], ["origin", "total"], ["total", "0"]]
