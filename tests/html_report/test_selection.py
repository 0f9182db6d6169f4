"""Which pictures the report shows."""

from __future__ import annotations

from handprep.html_report.contents import ON_A_SHEET, sheets
from handprep.html_report.thumbnails import LOWEST_SCORES, wanted
from handprep.prepared.manifest import Row
from tests.html_report.pages import row


def done(source: str, score: float | None = 0.9) -> Row:
    return row(source, "done", output=f"{source}.png", box=(0.0, 0.0, 1.0, 1.0), score=score)


def chosen(rows: list[Row], most: int) -> list[tuple[int, str]]:
    return [*wanted(rows, sheets(rows), most)]


def test_a_few_photos_are_all_shown_on_their_sheets_and_in_the_list() -> None:
    rows = [done("rock/a.jpg"), row("rock/b.jpg", output="rock/b.png"), row("paper/c.jpg", "failed")]

    assert sheets(rows) == [{"label": "rock", "rows": [0, 1], "total": 2}]
    assert sorted(chosen(rows, 100)) == [
        *((0, "photo"), (0, "prepared"), (1, "photo"), (1, "prepared"), (2, "photo"))
    ]


def test_a_frame_without_a_hand_is_shown_as_it_was_prepared() -> None:
    frames = [row(f"a.mp4#{n:06d}", output=f"a.mp4/{n:06d}.png", clip="a.mp4") for n in range(100)]

    shown = chosen([*frames, row("b.mp4", "failed", clip="b.mp4")], 1000)

    assert sorted(shown) == [(n, "prepared") for n in range(100)]


def test_a_sheet_shows_some_from_everywhere() -> None:
    (sheet,) = sheets([done(f"rock/{number:04}.jpg") for number in range(1000)])

    assert sheet["total"] == 1000
    assert len(sheet["rows"]) == ON_A_SHEET
    steps = {after - before for before, after in zip(sheet["rows"], sheet["rows"][1:], strict=False)}
    assert steps <= {1000 // ON_A_SHEET, 1000 // ON_A_SHEET + 1}


def test_of_photos_with_a_hand_the_list_shows_the_lowest_scores() -> None:
    rows = [done(f"rock/{number:04}.jpg", 1 - number / 2000) for number in range(2000)]

    shown = {index for index, _ in chosen(rows, 10_000)}

    assert set(range(2000 - LOWEST_SCORES, 2000)) <= shown
    assert len(shown) <= LOWEST_SCORES + ON_A_SHEET


def test_hands_found_only_by_search_are_shown_too_whatever_their_score() -> None:
    rows = [done(f"rock/{number:04}.jpg", 0.5) for number in range(2000)]
    rows.append(
        row("rock/z.jpg", "done", output="z.png", box=(0.0, 0.0, 1.0, 1.0), score=0.99, view="padded")
    )

    assert {(2000, "prepared"), (2000, "photo")} <= set(chosen(rows, 10_000))


def test_with_too_little_room_sheets_come_first_and_then_missed_photos_from_everywhere() -> None:
    rows = [done("a/hand.jpg"), *(row(f"b/{number:03}.jpg") for number in range(100))]

    shown = chosen(rows, 11)

    assert shown == [(0, "prepared"), *((1 + 5 + 10 * part, "photo") for part in range(10))]


def test_no_room_means_no_images() -> None:
    assert chosen([done("a/hand.jpg"), row("b/wall.jpg")], 0) == []
