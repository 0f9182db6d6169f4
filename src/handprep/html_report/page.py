"""The page around the report's contents: markup, style and script from the files beside this one."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from string import Template
from typing import Any


def page(contents: Mapping[str, Any]) -> bytes:
    """Return the whole page.

    Names and messages get in as JSON alone, which the script shows as text. The policy lets the browser
    run this one script and this one style, show pictures that are in the page, and fetch nothing.
    """
    style, script = _part("page.css"), _part("page.js")
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",  # so that no text can become markup
            "trusted-types 'none'",
        ]
    )
    parts = {"policy": policy, "style": style, "script": script, "data": _embedded(contents)}
    return Template(_part("page.html")).substitute(parts).encode("ascii")


def _part(name: str) -> str:
    # newlines as a browser's parser counts them, also where a checkout has them as \r\n
    return importlib.resources.files("handprep.html_report").joinpath(name).read_text(encoding="ascii")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _embedded(contents: Mapping[str, Any]) -> str:
    """Return JSON that can stand in a script element: it holds nothing that could end this."""
    return json.dumps(contents, separators=(",", ":")).replace("<", "\\u003c")
