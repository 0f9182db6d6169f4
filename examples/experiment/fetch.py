"""The public sets that the study used or that stand in for its own: fetched where possible, and verified.

    python examples/run_experiment.py fetch DIR

What cannot be fetched is described, with where to get it and where to put it. The same command again then
verifies all that is there. Photos of people are among the sets: mind their licences.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from experiment.files import write_whole
from experiment.public import SETS, PublicSet
from handprep.errors import HandprepError, InputError, MissingExtraError, OutputError

ENDINGS = (".jpg", ".jpeg", ".png")
ARCHIVES = ".archives"  # folder for downloads
SUMS = "SHA256SUMS"  # as sha256sum --check reads it
MOST_BYTES = 5_000_000  # of one photo in an archive: these have at most 200,000


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch and verify all sets and return the exit status: 0 when everything is there and right."""
    options = _parser().parse_args(arguments)
    try:
        missing = [public for public in SETS if not _settle(public, options.out, dict(options.kaggle))]
        verify_sums(options.out)
    except HandprepError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 1
    return 1 if missing else 0


def _settle(public: PublicSet, out: Path, names: Mapping[str, str]) -> bool:
    """Make sure of one set, say how it stands, and tell whether it is complete."""
    folder, own = out / public.folder, names.get(public.folder)
    try:
        if not folder.exists():
            _fetch(public, out, own)
        count = verify(folder, None if own else public.counts)
    except (InputError, OutputError, MissingExtraError) as error:
        print(f"{public.folder}: {error}", file=sys.stderr)
        return False
    print(f"{public.folder}: {count} photos ({own or public.licence})")
    return True


def _fetch(public: PublicSet, out: Path, own: str | None) -> None:
    if own or public.kaggle:
        take_folders(
            Path(_from_kaggle(own or public.kaggle or "", public)), out / public.folder, public.counts
        )
    elif public.archive:
        unpack(_downloaded(public, out / ARCHIVES), out / public.folder, public.counts)
    else:
        raise InputError(f"missing, and has to be downloaded by hand. {by_hand(public, out)}")


def by_hand(public: PublicSet, out: Path) -> str:
    """Return what to do where a set cannot be fetched."""
    classes = ", ".join(f"{label} ({count})" for label, count in public.counts.items())
    return (
        f"Get the photos at {public.page} ({public.licence}) and put them into {out / public.folder}, a "
        f"folder for each class: {classes}. {public.advice}".rstrip()
    )


def verify(folder: Path, counts: Mapping[str, int] | None) -> int:
    """Return how many photos a group holds.

    Raises
    ------
    InputError
        If the numbers are not those given.
    """
    found = {path.name: len(list(_photos(path))) for path in sorted(folder.iterdir()) if path.is_dir()}
    if counts is not None and found != dict(counts):
        raise InputError(
            f"{folder} holds {_told(found)} instead of {_told(counts)}. Delete it and download it again, or "
            "complete it"
        )
    return sum(found.values())


def verify_sums(out: Path) -> int:
    """Compare all photos with the file of digests from the first time, write it where it is not there yet.

    Returns
    -------
    int
        How many photos were compared; 0 the first time.

    Raises
    ------
    InputError
        If a photo is missing or has changed since.
    """
    sums = {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for public in SETS
        for path in _photos(out / public.folder)
    }
    known_file, known = out / SUMS, {}
    if known_file.exists():
        lines = known_file.read_text(encoding="utf-8").splitlines()
        known = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    wrong = [name for name, digest in known.items() if sums.get(name) != digest]
    if wrong:
        raise InputError(
            f"{len(wrong)} of {len(known)} photos are missing or changed since {known_file} was "
            f"written; the first is {wrong[0]}. Download their group again, or delete {SUMS} if you meant to "
            "change them"
        )
    if sums:
        text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
        write_whole(known_file, text.encode())
    return len(known)


def unpack(archive: Path, folder: Path, counts: Mapping[str, int]) -> None:
    """Unpack the photos of an archive into folders of classes: all of them or none.

    Only files that lie in a folder with a class's name are taken, and no path of the archive is used.
    """
    part = _emptied(folder)
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            path = PurePosixPath(member.filename)
            wanted = path.parent.name in counts and path.suffix.lower() in ENDINGS
            if not wanted or member.is_dir():
                continue
            if member.file_size > MOST_BYTES:
                raise InputError(
                    f"{archive} holds {member.filename} of {member.file_size} bytes, which is no such photo"
                )
            write_whole(part / path.parent.name / path.name, content.read(member))
    part.rename(folder)


def take_folders(source: Path, folder: Path, counts: Mapping[str, int]) -> None:
    """Copy the photos from the topmost folders that have the classes' names: all of them or none."""
    part = _emptied(folder)
    for label in counts:
        named = [path for path in source.rglob(label) if path.is_dir()]
        if not named:
            raise InputError(f"{source} has no folder {label}")
        for photo in _photos(min(named, key=lambda path: (len(path.parts), path))):
            write_whole(part / label / photo.name, photo.read_bytes())
    part.rename(folder)


def _emptied(folder: Path) -> Path:
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def _downloaded(public: PublicSet, folder: Path) -> Path:
    """Return the archive, downloaded unless it lies there already; its sha256 is checked in any case."""
    assert public.archive
    address, digest = public.archive
    path = folder / PurePosixPath(address).name
    if not path.exists():
        _download(address, path, public)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise InputError(
            f"{path} has sha256 {found} instead of {digest}. Delete it and run the command again"
        )
    return path


def _download(address: str, path: Path, public: PublicSet) -> None:
    import pooch  # noqa: PLC0415 - only where something is fetched

    try:
        pooch.retrieve(address, None, fname=path.name, path=path.parent, progressbar=sys.stderr.isatty())
    except (OSError, ValueError) as error:  # requests' errors are OSErrors
        raise OutputError(
            f"{address} cannot be downloaded: {error}\nDownload it elsewhere, put it at {path}, and give "
            f"the same "
            f"command again. ({public.licence})"
        ) from error


def _from_kaggle(name: str, public: PublicSet) -> str:
    try:
        import kagglehub  # noqa: PLC0415 - only where something is fetched
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is on Kaggle, and kagglehub is not installed. pip install kagglehub, or by hand: get "
            f"the photos at {public.page} and put them into {public.folder}, a folder for each class"
        ) from error
    download: Callable[[str], str] = kagglehub.dataset_download
    try:
        return download(name)
    except Exception as error:
        raise OutputError(
            f"{name} cannot be fetched from Kaggle: {error}\nBy hand: get the photos at {public.page} and "
            f"put them "
            f"into {public.folder}, a folder for each class"
        ) from error


def _photos(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS)


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in sorted(counts.items())) or "nothing"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_experiment.py fetch",
        description="Fetch the public sets of the experiment into a folder that --data takes, and verify "
        "counts and sha256. It says what you have to download by hand.",
    )
    parser.add_argument("out", type=Path, help="folder to fill, and to verify when it is full")
    parser.add_argument(
        "--kaggle",
        type=_pair,
        action="append",
        default=[],
        metavar="GROUP=OWNER/NAME",
        help="take a group from another set on Kaggle that has folders rock, paper and scissors, such as "
        "train/webcam=OWNER/NAME; its numbers are then not checked",
    )
    return parser


def _pair(text: str) -> tuple[str, str]:
    folder, _, name = text.partition("=")
    known = [public.folder for public in SETS]
    if folder not in known or "/" not in name:
        raise argparse.ArgumentTypeError(
            f"must be GROUP=OWNER/NAME with a group of {', '.join(known)}, not {text!r}"
        )
    return folder, name
