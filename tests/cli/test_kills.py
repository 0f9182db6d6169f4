"""Runs that are killed at random moments end, carried on, as if they had not been."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.kills import CHEAP, killed_runs, small_photos

KILLS = int(os.environ.get("HANDPREP_TEST_KILLS", "3"))  # 50 before a release: see kills.py


@pytest.mark.slow
def test_killed_at_random_moments_they_are_carried_on_to_the_same_bytes(tmp_path: Path) -> None:
    src = small_photos(tmp_path / "photos", 200, (60, 45))

    kills = killed_runs(KILLS, CHEAP, src, tmp_path, seed=1)

    assert len(kills) == KILLS
    assert any(kill.landed for kill in kills)  # a stalled machine may let one run end before it is killed
