"""Check what lies in the wheel and the sdist: what git tracks of what belongs there, and nothing else.

python .ci/contents.py FOLDER    a folder that holds one of each
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "src/handprep/"
NETWORK = "handprep/segmentation/hand_matte.onnx"
KINDS = {".py", ".html", ".css", ".js", ".onnx", ".LICENSE", ".md", ".jpg", ".png", ".json"}
NEEDED = {"handprep/py.typed", NETWORK, "handprep/segmentation/hand_matte.LICENSE"}
OF_BUILD = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}

OF_SOURCE = ("src/handprep/", "tests/", "docs/", "examples/")
BESIDE = {
    *(".gitignore", "CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "hatch_build.py", "mkdocs.yml"),
    "pyproject.toml",
}
LEFT_OUT = {"examples/train_matte/hand_matte.fp16.pt"}  # only a further training starts from it

WHEEL_BYTES, SDIST_BYTES = 3_500_000, 8_000_000
FILE_BYTES = 300_000  # any file but the network


def main(folder: Path) -> str | None:
    """Return what is wrong, for `sys.exit`."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    problems = [*_of_wheel(wheel), *_of_sdist(sdist)]
    if problems:
        return "\n".join(problems)
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes; {sdist.name}: {sdist.stat().st_size:,} bytes")
    return None


def _tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return set(listed.stdout.split("\0")) - {""}


def _of_wheel(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    about = "-".join(wheel.name.split("-")[:2]) + ".dist-info/"
    package = {name.removeprefix("src/") for name in _tracked() if name.startswith(PACKAGE)}
    strange = {name for name in package if Path(name).suffix not in KINDS} - NEEDED
    return [
        *_differences(wheel.name, set(sizes), package | NEEDED | {about + name for name in OF_BUILD}),
        *(f"{wheel.name}: {name} is of no kind that belongs into the package" for name in sorted(strange)),
        *_too_large(wheel, WHEEL_BYTES, sizes),
    ]


def _of_sdist(sdist: Path) -> list[str]:
    top = sdist.name.removesuffix(".tar.gz") + "/"
    with tarfile.open(sdist) as archive:
        sizes = {member.name.removeprefix(top): member.size for member in archive if not member.isdir()}
    tracked = _tracked()
    wanted = {name for name in tracked if name.startswith(OF_SOURCE)} - LEFT_OUT | BESIDE | {"PKG-INFO"}
    gone = [f"{name} is to be left out, but git tracks no such file" for name in sorted(LEFT_OUT - tracked)]
    return [*gone, *_differences(sdist.name, set(sizes), wanted), *_too_large(sdist, SDIST_BYTES, sizes)]


def _differences(archive: str, found: set[str], wanted: set[str]) -> list[str]:
    return [
        *(f"{archive} holds {name}, which does not belong there" for name in sorted(found - wanted)),
        *(f"{archive} lacks {name}" for name in sorted(wanted - found)),
    ]


def _too_large(archive: Path, limit: int, sizes: dict[str, int]) -> list[str]:
    problems = [
        f"{archive.name}: {name} has {size:,} bytes; put more than {FILE_BYTES:,} there only on purpose"
        for name, size in sizes.items()
        if size > FILE_BYTES and not name.endswith(NETWORK)
    ]
    if archive.stat().st_size > limit:
        problems.append(f"{archive.name} has {archive.stat().st_size:,} bytes, more than {limit:,}")
    return problems


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
