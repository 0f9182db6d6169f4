"""Hostile journals in a folder of outputs, which is then carried on: ``python -m tests.fuzz.journal``."""

from __future__ import annotations

import csv
import json
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from handprep.errors import HandprepError
from handprep.folder import JOURNAL, MANIFEST, prepare
from handprep.folder.journal import Journal
from handprep.pipeline import Pipeline
from handprep.transforms.resize import ResizePad
from tests.folder.folders import picture
from tests.fuzz.campaign import main, scratch
from tests.fuzz.mutation import mutated

TINY = Pipeline([ResizePad(4)])
VICTIM = b"what lies beside the folder of outputs"
NAMES = (
    *("../victim.png", "/etc/passwd", "..", ".", "", "a/../../victim.png", "rock//a.png", "rock"),
    *("notes.txt", "\0"),
    *("a\0.png", "rock/a.png", "rock/a.jpg.png", MANIFEST, JOURNAL, "x" * 300, "x" * 300 + "/a.png"),
    *("\ud800.png",),
    *("x/" * 3000 + "a", "link/victim.png", "\udcff.png", "ROCK/A.png", "rock/a.png/b.png", "rock\\a.png"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 2**63, 2**70, 10**400, 0.5, float("nan"), float("inf"), "", "done", "failed"),
    *("no-hand",),
    *([], {}, [1], [1, 2, 3, 4], ["a", "b", "c", "d"], {"a": 1}, [None] * 4),
    *({"a": 1, "b": 2, "c": 3, "d": 4},),
)
TOKENS = (
    *(b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN"),
    *(b"\n", b"\r"),
    *(b"1e999", b"9" * 5000, b"[" * 5000, b"\xff\xfe", b"\0", *(json.dumps(name).encode() for name in NAMES)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A folder of photos, what became of it, and a journal of that whose stamps go by content alone."""

    src: Path
    dst: Path
    outputs: dict[str, bytes]
    others: dict[str, bytes]
    journal: bytes


@cache
def finished_run() -> Run:
    """Prepare a folder of photos, with a victim beside the outputs and a link to it in them."""
    root = scratch()
    src, dst = root / "photos", root / "prepared"
    for number, name in enumerate(("rock/a.png", "rock/b.bmp", "paper/a.png", "paper/a.bmp", "c.png")):
        picture(src / name, (40 * number, 99, 9), (6, 5))
    (src / "rock/broken.png").write_bytes(b"no picture")
    dst.mkdir()
    (root / "victim.png").write_bytes(VICTIM)
    (dst / "notes.txt").write_bytes(b"mine")
    (dst / "link").symlink_to(root)
    prepare(src, dst, TINY, workers=1)
    journal = Journal(dst / JOURNAL)
    journal.close()
    lines = []
    for entry in journal.entries.values():
        photo, output = (
            stamp and replace(stamp, modified=1, inode=1) for stamp in (entry.photo, entry.output)
        )
        row = replace(entry.row, milliseconds=1.0, message="" if output else "no picture")
        lines.append(replace(entry, row=row, photo=photo, output=output).to_line())
    return Run(
        src=src,
        dst=dst,
        outputs=_pictures(dst),
        others=_others(root, src, dst),
        journal=b"".join(sorted(lines)),
    )


def _pictures(dst: Path) -> dict[str, bytes]:
    return {str(p.relative_to(dst)): p.read_bytes() for p in dst.glob("*.png")} | {
        str(p.relative_to(dst)): p.read_bytes()
        for folder in ("rock", "paper")
        for p in (dst / folder).iterdir()
    }


def _others(root: Path, src: Path, dst: Path) -> dict[str, bytes]:
    photos = {str(p): p.read_bytes() for p in src.rglob("*") if p.is_file()}
    return photos | {str(p): p.read_bytes() for p in (root / "victim.png", dst / "notes.txt")}


def whole() -> bytes:
    """Return the journal as it should be."""
    return finished_run().journal


def make(random: Random) -> bytes:
    """Return a journal with values exchanged, lines damaged, or both."""
    lines = whole().splitlines(keepends=True)
    if random.random() < 0.7:
        for _ in range(random.choice((1, 1, 2, 4))):
            lines[random.randrange(len(lines))] = _changed(random.choice(lines), random)
    content = b"".join(lines)
    return content if random.random() < 0.5 else mutated(content, random, [content], TOKENS)


def _changed(line: bytes, random: Random) -> bytes:
    """Exchange some values of an entry."""
    tree = json.loads(line)
    for _ in range(random.choice((1, 1, 2, 3))):
        parts = [
            part for part in (tree, tree["row"], tree["output"], tree["photo"]) if isinstance(part, dict)
        ]
        part = random.choice(parts)
        value = random.choice(NAMES if random.random() < 0.5 else VALUES)
        part[random.choice([*part, "surplus"])] = deepcopy(value)
    return json.dumps(tree).encode() + b"\n"


def check(content: bytes) -> str:
    """Carry the run on: it ends as if there were no journal, and touches nothing that is not its own."""
    run = finished_run()
    (run.dst / JOURNAL).write_bytes(content)
    try:
        result = prepare(run.src, run.dst, TINY, workers=1)
    except HandprepError as error:
        assert _others(run.dst.parent, run.src, run.dst) == run.others, "files of others were touched"
        return f"{type(error).__name__}: {error}"
    assert _others(run.dst.parent, run.src, run.dst) == run.others, "files of others were touched"
    assert _pictures(run.dst) == run.outputs, "an output is missing, surplus or another"
    with (run.dst / MANIFEST).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(run.outputs) + 1 == len(result.rows)
    assert {row["output"] for row in rows} == {"", *run.outputs}
    return f"carried on, {result.resumed} photos were finished"


if __name__ == "__main__":
    raise SystemExit(main("journal"))
