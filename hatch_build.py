"""Make the README's links and the project's URLs absolute where the repository's address is known.

With ``HANDPREP_REPOSITORY=https://github.com/OWNER/NAME`` in the environment of the build, a package index
can show the README's images and follow its links. Without it the links stay relative and the project has no
URLs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = re.compile(r"\]\((?!https?://|#)([^)\s]+)\)")
IMAGES = (".png", ".jpg", ".svg")


class RepositoryHook(MetadataHookInterface):
    """The metadata that pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the README and the URLs."""
        address = os.environ.get("HANDPREP_REPOSITORY", "").rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["urls"] = {}
        if address:
            text = RELATIVE.sub(lambda link: f"]({_absolute(address, link[1])})", text)
            owner, name = address.split("/")[-2:]
            metadata["urls"] = {
                "Homepage": address,
                "Documentation": f"https://{owner.lower()}.github.io/{name}/",
                "Changelog": f"{address}/blob/HEAD/CHANGELOG.md",
                "Issues": f"{address}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def _absolute(address: str, target: str) -> str:
    if target.startswith("../../"):  # GitHub's own pages, such as ../../actions
        return f"{address}/{target.removeprefix('../../')}"
    return f"{address}/{'raw' if target.endswith(IMAGES) else 'blob'}/HEAD/{target}"
