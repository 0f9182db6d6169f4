"""Hostile indexes in a folder of prepared images that is carried on: ``python -m tests.fuzz.index``."""

from __future__ import annotations

import csv
import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from handprep import prepare
from handprep.errors import HandprepError
from handprep.pipeline import Pipeline
from handprep.prepared.index import Index
from handprep.prepared.listing import INDEX
from handprep.prepared.run import MANIFEST
from handprep.transforms.resize import ResizePad
from tests.fuzz.campaign import main, scratch
from tests.fuzz.mutation import mutated
from tests.prepared.folders import picture

TINY = Pipeline([ResizePad(4)])
SOURCES = ("rock/a.png", "rock/b.bmp", "paper/a.png", "paper/a.bmp", "c.png")
VICTIM = b"what lies beside the folder of images"
NAMES = (
    *("../victim.png", "/etc/passwd", "..", ".", "", "a/../../victim.png", "rock//a.png", "rock"),
    *("notes.txt", "\0", "a\0.png", "rock/a.png", "rock/a.jpg.png", MANIFEST, INDEX, "x" * 300),
    *("x" * 300 + "/a.png", "\ud800.png", "x/" * 3000 + "a", "link/victim.png", "\udcff.png", "ROCK/A.png"),
    *("rock/a.png/b.png", "rock\\a.png"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 2**63, 2**70, 10**400, 0.5, float("nan"), float("inf"), "", "done", "failed"),
    *("HandNotFoundError", [], {}, [1], [1, 2, 3, 4], {"a": 1}, [None] * 4, "0" * 32),
)
TOKENS = (
    *(b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN"),
    *(b"\n", b"\r", b"1e999", b"9" * 5000, b"[" * 5000, b"\xff\xfe", b"\0"),
    *(json.dumps(name).encode() for name in NAMES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A folder of photos, what became of it, and the index of that."""

    src: Path
    dst: Path
    outputs: dict[str, bytes]
    others: dict[str, bytes]
    index: bytes


@cache
def finished_run() -> Run:
    """Prepare a folder of photos, with a victim beside the images and a link to it in them."""
    root = scratch()
    src, dst = root / "photos", root / "prepared"
    for number, name in enumerate(SOURCES):
        picture(src / name, (40 * number, 99, 9), (6, 5))
    (src / "rock/broken.png").write_bytes(b"no picture")
    dst.mkdir()
    (root / "victim.png").write_bytes(VICTIM)
    (dst / "notes.txt").write_bytes(b"mine")
    (dst / "link").symlink_to(root)
    prepare(src, dst, TINY, workers=1)
    lines = [json.loads(line) for line in (dst / INDEX).read_bytes().splitlines() if line]
    whole = [json.dumps({**line, "inode": 1, "modified": 1, "milliseconds": 1.0}).encode() for line in lines]
    return Run(
        src=src,
        dst=dst,
        outputs=_pictures(dst),
        others=_others(root, src, dst),
        index=b"\n".join(sorted(whole)) + b"\n",
    )


def _pictures(dst: Path) -> dict[str, bytes]:
    found = [*dst.glob("*.png"), *(dst / "rock").iterdir(), *(dst / "paper").iterdir()]
    return {str(path.relative_to(dst)): path.read_bytes() for path in found}


def _others(root: Path, src: Path, dst: Path) -> dict[str, bytes]:
    photos = {str(p): p.read_bytes() for p in src.rglob("*") if p.is_file()}
    return photos | {str(p): p.read_bytes() for p in (root / "victim.png", dst / "notes.txt")}


def whole() -> bytes:
    """Return the index as it should be."""
    return finished_run().index


def make(random: Random) -> bytes:
    """Return an index with values exchanged, lines damaged, or both."""
    lines = whole().splitlines(keepends=True)
    if random.random() < 0.7:
        for _ in range(random.choice((1, 1, 2, 4))):
            lines[random.randrange(len(lines))] = _changed(random.choice(lines), random)
    content = b"".join(lines)
    return content if random.random() < 0.5 else mutated(content, random, [content], TOKENS)


def _changed(line: bytes, random: Random) -> bytes:
    """Exchange some values of a line."""
    told = json.loads(line)
    for _ in range(random.choice((1, 1, 2, 3))):
        value = random.choice(NAMES if random.random() < 0.5 else VALUES)
        told[random.choice([*told, "surplus", "message"])] = deepcopy(value)
    return json.dumps(told).encode() + b"\n"


def check(content: bytes) -> str:
    """Carry the run on: it ends as if there were no index, and touches nothing that is not its own."""
    run = finished_run()
    (run.dst / INDEX).write_bytes(content)
    index = Index(run.dst / INDEX, str(run.src))
    known = sum(index.last(str(run.src / name)) is not None for name in SOURCES)
    try:
        result = prepare(run.src, run.dst, TINY, workers=1)
    except HandprepError as error:
        assert _others(run.dst.parent, run.src, run.dst) == run.others, "files of others were touched"
        return f"{type(error).__name__}: {error}"
    assert _others(run.dst.parent, run.src, run.dst) == run.others, "files of others were touched"
    assert _pictures(run.dst) == run.outputs, "an image is missing, surplus or another"
    with (run.dst / MANIFEST).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(run.outputs) + 1 == len(result.rows)
    assert {row["output"] for row in rows} == {"", *run.outputs}
    assert result.resumed == len(run.outputs), "what its own record shows to be finished was made again"
    return f"carried on, {known} photos were known"


if __name__ == "__main__":
    raise SystemExit(main("index"))
