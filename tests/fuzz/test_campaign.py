"""What a campaign of damaged inputs sees, and a short one of every target. The long ones are run by hand."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import bombs, broken, settings
from tests.fuzz.campaign import Progress, campaign, input_of, target_of
from tests.fuzz.seeds import seeds

FINDINGS = Path(__file__).with_name("findings")  # TARGET/WHAT-IT-WAS.bin
SHORT = {"reader": 2000, "settings": 1000, "index": 150, "record": 1500, "network": 60, "bombs": 40}


@pytest.mark.parametrize("name", SHORT)
def test_a_short_campaign_finds_nothing(name: str, tmp_path: Path) -> None:
    progress = campaign(name, count=SHORT[name], seed=1, folder=tmp_path)

    assert progress.findings == []
    assert progress.done == progress.outcomes.total() == SHORT[name]
    assert len(progress.outcomes) > 2  # else the inputs are all alike, and test nothing


@pytest.mark.parametrize("name", SHORT)
def test_an_input_as_it_should_be_passes(name: str) -> None:
    assert "Error" not in target_of(name).check(target_of(name).whole())


@pytest.mark.parametrize(
    "file", sorted(FINDINGS.rglob("*.bin")), ids=lambda file: f"{file.parent.name}/{file.stem}"
)
def test_what_was_found_once_does_not_come_back(file: Path) -> None:
    target_of(file.parent.name).check(file.read_bytes())


@pytest.mark.parametrize("name", bombs.LISTED)
def test_small_files_that_took_minutes_or_gigabytes_are_refused(name: str) -> None:
    assert bombs.check(bombs.LISTED[name]()).startswith("a photo.jpg cannot be read: ")


def test_every_kind_of_damage_is_found_and_the_rest_is_still_tried(tmp_path: Path) -> None:
    wanted = 25
    made = Counter(input_of("broken", 0, index)[0] for index in range(wanted))
    assert set(made) == set(range(6))

    progress = campaign("broken", count=wanted, seed=0, folder=tmp_path, patience=2)

    assert progress.outcomes["good"] == made[broken.GOOD]
    problems = Counter(finding["problem"].partition(":")[0] for finding in progress.findings)
    assert problems["the process ended with -6"] == made[broken.CRASHES]
    assert problems["no answer for 2 s"] == made[broken.HANGS]
    assert problems["ValueError"] == made[broken.RAISES]
    assert problems["SystemExit"] == made[broken.EXITS]
    assert problems.total() == wanted - made[broken.GOOD]
    for finding in progress.findings:
        kept = tmp_path / f"broken-0-{finding['index']}.bin"
        assert kept.read_bytes() == input_of("broken", 0, finding["index"])
    hung = next(f["index"] for f in progress.findings if f["problem"].startswith("no answer"))
    assert "broken.py" in (tmp_path / f"broken-0-{hung}.txt").read_text()  # where it hung


def test_a_campaign_is_carried_on_and_ends_as_if_it_had_been_one(tmp_path: Path) -> None:
    for count in (30, 100):
        parted = campaign("record", count=count, seed=3, folder=tmp_path / "parted")
    once = campaign("record", count=100, seed=3, folder=tmp_path / "once")

    assert parted.outcomes == once.outcomes
    assert parted.done == 100
    assert Progress.of(tmp_path / "parted" / "record-3.json").outcomes == once.outcomes


def test_inputs_follow_from_target_seed_and_number() -> None:
    for name in SHORT:
        assert input_of(name, 1, 7) == input_of(name, 1, 7)
        assert len({input_of(name, seed, index) for seed in (1, 2) for index in range(8)}) > 8


def test_the_picture_files_are_of_many_kinds_and_all_are_read() -> None:
    reader = target_of("reader")
    outcomes = {kind: reader.check(content) for kind, content in seeds().items()}
    assert len(outcomes) > 50
    unread = {kind for kind, outcome in outcomes.items() if not outcome.startswith("picture")}
    assert unread == {"ppm plain", "tiff lab"}  # which are not understood, and say so


def test_what_a_pipelines_text_makes_happen_is_seen() -> None:
    settings.check(settings.whole())  # starts the watch
    for happens in (
        lambda: __import__("this_is_no_module"),
        lambda: Path("/nowhere").read_bytes(),
        lambda: eval("1 + 1"),
        lambda: compile("1", "", "eval"),
    ):
        heard = pytest.raises(AssertionError, match="made this happen")
        with heard, settings.nothing_happens(), suppress(ImportError, OSError):
            happens()
    with settings.nothing_happens():
        sum(range(3))


def test_hostile_pipelines_are_of_every_kind() -> None:
    made = [settings.make(Random(number)) for number in range(400)]
    for name in ("os.system", "__class__", "/etc/passwd"):
        assert any(name.encode() in content for content in made), name
