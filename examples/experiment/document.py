"""A document of headings, paragraphs, lists, tables and figures, written as Markdown and as one HTML file."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; font-size: .9rem }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .7rem; text-align: right }
th:first-child, td:first-child { text-align: left }
td { white-space: nowrap }
img { max-width: 100% } figure { margin: 1rem 0 } figcaption { color: #555; font-size: .9rem }
.warning { border-left: 4px solid #d55e00; background: #fdf3ec; padding: .5rem 1rem }
code { background: #f3f3f3; padding: 0 .2rem }
"""
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 3."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, in which `code` and **bold** mean what they do in Markdown."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column names the rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """An image file beside the document, and what it shows."""

    path: Path
    caption: str


Block: TypeAlias = Heading | Paragraph | Items | Table | Figure


def markdown(blocks: Sequence[Block]) -> str:
    """Return a document as Markdown, with figures as links to files beside it."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Paragraph(text, warning):
            return f"> {text}" if warning else text
        case Items(texts):
            return "\n".join(f"- {text}" for text in texts)
        case Figure(path, caption):
            return f"![{caption}]({path.name})"
        case Table(head, rows):
            lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
            return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def as_html(title: str, blocks: Sequence[Block]) -> str:
    """Return a document as one HTML file that holds its figures and asks no server."""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n"
        + "\n".join(_html(block) for block in blocks)
        + "\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case Paragraph(text, warning):
            return f'<p class="warning">{_inline(text)}</p>' if warning else f"<p>{_inline(text)}</p>"
        case Items(texts):
            return "<ul>" + "".join(f"<li>{_inline(text)}</li>" for text in texts) + "</ul>"
        case Figure(path, caption):
            content = base64.b64encode(path.read_bytes()).decode()
            shown = html.escape(caption)
            return (
                f'<figure><img alt="{shown}" src="data:{KINDS[path.suffix]};base64,{content}">'
                f"<figcaption>{shown}</figcaption></figure>"
            )
        case Table(head, rows):
            top = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
            body = "".join(
                "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
            )
            return f"<table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table>"


def _inline(text: str) -> str:
    """Return text as HTML.

    >>> _inline("**a** < `b`")
    '<strong>a</strong> &lt; <code>b</code>'
    """
    escaped = html.escape(text, quote=False)
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", bold)
