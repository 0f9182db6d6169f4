"""The page around the report's contents: markup, style and script from the files beside this one."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from string import Template
from typing import Any

# The browser runs this one script and this one style, shows images that are in the page, fetches nothing,
# and makes no markup of text.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def page(contents: Mapping[str, Any]) -> bytes:
    """Return the whole page; names and messages get in as JSON alone, which the script shows as text."""
    files = importlib.resources.files("handprep.html_report")
    # newlines as a browser's parser counts them, also where a checkout has them as \r\n
    style, script, markup = (
        files.joinpath(f"page.{kind}").read_text(encoding="ascii") for kind in ("css", "js", "html")
    )
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    data = json.dumps(contents, separators=(",", ":")).replace(
        "<", "\\u003c"
    )  # so nothing can end its element
    parts = {"policy": POLICY.format(*digests), "style": style, "script": script, "data": data}
    return Template(markup).substitute(parts).encode("ascii")
