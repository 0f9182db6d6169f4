"""Which pictures the report shows."""

from __future__ import annotations

from handprep.html_report.selection import (
    LOWEST_SCORES,
    ON_A_SHEET,
    Picture,
    select,
)
from tests.html_report.pages import row


def done(source: str, score: float | None = 0.9) -> object:
    return row(source, "done", output=f"{source}.png", box=(0.0, 0.0, 1.0, 1.0), score=score)


def test_a_few_photos_are_all_shown_on_their_sheets_and_in_the_list() -> None:
    rows = [done("rock/a.jpg"), row("rock/b.jpg", output="rock/b.png"), row("paper/c.jpg", "failed")]

    sheets, pictures = select(rows, most=100)  # type: ignore[arg-type]

    assert [(sheet.label, sheet.rows, sheet.total) for sheet in sheets] == [("rock", [0, 1], 2)]
    assert set(pictures) == {
        Picture(row=0, prepared=True),
        Picture(row=0, prepared=False),
        Picture(row=1, prepared=True),
        Picture(row=1, prepared=False),
        Picture(row=2, prepared=False),
    }
    assert len(pictures) == 5


def test_a_frame_without_a_hand_is_shown_as_it_was_prepared() -> None:
    frames = [row(f"a.mp4#{n:06d}", output=f"a.mp4/{n:06d}.png", clip="a.mp4") for n in range(100)]

    _, pictures = select([*frames, row("b.mp4", "failed", clip="b.mp4")], most=1000)

    assert set(pictures) == {Picture(row=n, prepared=True) for n in range(100)}


def test_a_sheet_shows_some_from_everywhere() -> None:
    rows = [done(f"rock/{number:04}.jpg") for number in range(1000)]

    ((sheet,), _) = select(rows, most=10_000)  # type: ignore[arg-type]

    assert sheet.total == 1000
    assert len(sheet.rows) == ON_A_SHEET
    steps = {after - before for before, after in zip(sheet.rows, sheet.rows[1:], strict=False)}
    assert steps <= {1000 // ON_A_SHEET, 1000 // ON_A_SHEET + 1}


def test_of_photos_with_a_hand_the_list_shows_the_lowest_scores() -> None:
    rows = [done(f"rock/{number:04}.jpg", 1 - number / 2000) for number in range(2000)]

    _, pictures = select(rows, most=10_000)  # type: ignore[arg-type]

    shown = {picture.row for picture in pictures}
    assert set(range(2000 - LOWEST_SCORES, 2000)) <= shown
    assert len(shown) <= LOWEST_SCORES + ON_A_SHEET


def test_hands_found_only_by_search_are_shown_too_whatever_their_score() -> None:
    rows = [done(f"rock/{number:04}.jpg", 0.5) for number in range(2000)]
    rows.append(
        row("rock/z.jpg", "done", output="z.png", box=(0.0, 0.0, 1.0, 1.0), score=0.99, view="padded")
    )

    _, pictures = select(rows, most=10_000)  # type: ignore[arg-type]

    assert {Picture(row=2000, prepared=True), Picture(row=2000, prepared=False)} <= set(pictures)


def test_with_too_little_room_sheets_come_first_and_then_missed_photos_from_everywhere() -> None:
    rows = [done("a/hand.jpg"), *(row(f"b/{number:03}.jpg") for number in range(100))]

    _, pictures = select(rows, most=11)  # type: ignore[arg-type]

    assert len(pictures) == 11
    assert pictures[0] == Picture(row=0, prepared=True)
    assert [picture.row for picture in pictures[1:]] == [1 + 5 + 10 * part for part in range(10)]


def test_no_room_means_no_pictures() -> None:
    sheets, pictures = select([done("a/hand.jpg"), row("b/wall.jpg")], most=0)  # type: ignore[list-item]

    assert pictures == []
    assert len(sheets) == 1
