"""Check the README in a wheel, rendered as PyPI renders it: it shows its images and has no dead link.

HANDPREP_REPOSITORY=ADDRESS python .ci/readme.py WHEEL    ADDRESS as when the wheel was built
"""

from __future__ import annotations

import os
import re
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from readme_renderer import markdown

ROOT = Path(__file__).parents[1]
IMAGE = "docs/assets/before-after.png"


def main(wheel: str) -> str | None:
    """Return what is wrong, for `sys.exit`."""
    address = os.environ["HANDPREP_REPOSITORY"]
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        page = markdown.render(HeaderParser().parsestr(archive.read(name).decode()).get_payload())
    assert page is not None, "readme_renderer needs cmarkgfm: pip install 'readme_renderer[md]'"
    targets = re.findall(r'(?:href|src)="([^"]+)"', page)
    problems = [f"{target} is relative" for target in targets if not target.startswith(("https://", "#"))]
    for kind in ("blob", "raw"):
        prefix = f"{address}/{kind}/HEAD/"
        files = {
            target.removeprefix(prefix).partition("#")[0] for target in targets if target.startswith(prefix)
        }
        problems += [f"{file} does not exist" for file in sorted(files) if not (ROOT / file).exists()]
    if f'src="{address}/raw/HEAD/{IMAGE}"' not in page:
        problems.append(f"{IMAGE} is not shown")
    print(f"README as PyPI shows it: {len(targets)} links and images")
    return "\n".join(problems) or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
