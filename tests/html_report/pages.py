"""Reports for tests: rows, folders of odd photos, and what a page holds as a browser would parse it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from handprep.prepared.manifest import Row
from tests.prepared.folders import HANDS, copied, picture

MARKUP = "<img src=x onerror=alert(1)>.jpg"
CLOSING = "near/<i>/script><script>alert(2)<!--/</script><b>bold&amp;.jpg"  # "</script>" is in a path


@dataclass
class Parsed(HTMLParser):
    """The elements and the script blocks of a page.

    Attributes
    ----------
    tags
        Name and attributes of each element.
    blocks
        Type and text of each script or style element.
    """

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    blocks: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag in ("script", "style")
        if self._inside:
            self.blocks.append((dict(attrs).get("type") or tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            kind, text = self.blocks[-1]
            self.blocks[-1] = (kind, text + data)

    @property
    def data(self) -> dict[str, Any]:
        """The page's JSON."""
        (text,) = [text for kind, text in self.blocks if kind == "application/json"]
        loaded: dict[str, Any] = json.loads(text)
        return loaded

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The page's rows by the names of their columns, each with its images or None."""
        data = self.data
        return [
            dict(zip(data["columns"], values, strict=True))
            | {kind: images.get(str(index)) for kind, images in data["images"].items()}
            for index, values in enumerate(data["rows"])
        ]


def parsed(page: bytes) -> Parsed:
    """Return what a page holds."""
    parser = Parsed()
    parser.feed(page.decode("ascii"))
    parser.close()
    return parser


def odd_folder(folder: Path) -> Path:
    """Make a folder of nine hands, walls without a hand, broken photos, and names with markup."""
    copied(folder)
    for number, label in enumerate(("rock", "paper")):
        picture(folder / f"near/{label}/wall-{number}.png", (90 + 60 * number, 120, 60))
    shutil.copy(HANDS[0].path, _made(folder / CLOSING))
    _made(folder / "far/rock" / MARKUP).write_text("no picture")
    _made(folder / "near/<b>class/truncated.jpg").write_bytes(HANDS[1].path.read_bytes()[:4000])
    return folder


def noise(path: Path, size: int = 300, seed: int = 0) -> Path:
    """Write a picture that no compression makes small."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(_made(path))
    return path


def row(source: str, status: str = "no-hand", **told: Any) -> Row:
    """Return a row with the origin and class that its source says."""
    *origin, label, _ = ("photos", *source.split("/"))
    return Row(source=source, status=status, origin=origin[-1] if origin else "", label=label, **told)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
