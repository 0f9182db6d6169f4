"""What is known of photos without reading them: kept, shared by processes, and never believed too much."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import random
from pathlib import Path

import pytest

from handprep.prepared.index import SLACK, TICK, Index, Known, stamp_of
from handprep.prepared.origin import digest_of
from tests.prepared.counting import settled

NAME = "fünf Finger \U0001f590.jpg"


def photo_in(folder: Path, name: str = "rock/a.jpg", content: bytes = b"a photo") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return settled(path)


def added(index: Index, photo: str) -> str:
    digest = digest_of(Path(photo).read_bytes())
    index.add(photo, Known(*stamp_of(Path(photo).stat()), digest))
    return digest


def digest_known(index: Index, photo: str) -> str | None:
    known = index.now(photo)
    return known and known.digest


def file_of(cache: Path) -> Path:
    return cache / "photos" / "index.jsonl"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos of hands"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_photo_is_known_from_then_on_in_this_process_and_in_others(root: Path, cache: Path) -> None:
    photo = photo_in(root)
    index = Index(file_of(cache), str(root))
    assert digest_known(index, photo) is None

    digest = added(index, photo)

    assert digest_known(index, photo) == digest
    assert digest_known(Index(file_of(cache), str(root)), photo) == digest
    assert digest_known(pickle.loads(pickle.dumps(index)), photo) == digest


@pytest.mark.parametrize("name", [f"rock/{NAME}", "rock/a\nb.jpg", os.fsdecode(b"rock/\xff.jpg")])
def test_odd_names_are_known(name: str, root: Path, cache: Path) -> None:
    photo = photo_in(root, name)
    digest = added(Index(file_of(cache), str(root)), photo)
    assert digest_known(Index(file_of(cache), str(root)), photo) == digest


def test_a_changed_photo_is_not_known(root: Path, cache: Path) -> None:
    photo, index = photo_in(root), Index(file_of(cache), str(root))
    digest = added(index, photo)

    settled(Path(photo), seconds=500)  # another time
    assert digest_known(index, photo) is None
    assert added(index, photo) == digest

    time_of = Path(photo).stat()
    photo_in(root, content=b"another size")
    os.utime(photo, ns=(time_of.st_atime_ns, time_of.st_mtime_ns))
    assert digest_known(index, photo) is None
    assert added(index, photo) != digest

    Path(photo).with_name("new").write_bytes(b"another file")  # of the same size and time
    os.utime(Path(photo).with_name("new"), ns=(time_of.st_atime_ns, time_of.st_mtime_ns))
    Path(photo).with_name("new").replace(photo)
    assert digest_known(index, photo) is None

    Path(photo).unlink()
    assert digest_known(index, photo) is None


def test_a_photo_that_was_changed_just_now_is_read_again(root: Path, cache: Path) -> None:
    """It could be changed once more within the same tick of the file system's clock."""
    photo, index = photo_in(root), Index(file_of(cache), str(root))
    Path(photo).write_bytes(b"changed")

    added(index, photo)
    assert digest_known(index, photo) is None

    for seconds in (2 * TICK / 1e9, -1e6):  # later, and with a time in the future, as after a wrong time zone
        settled(Path(photo), seconds)
        digest = added(index, photo)
        assert digest_known(index, photo) == digest


def test_what_others_append_is_read_on_request(root: Path, cache: Path) -> None:
    first, second = Index(file_of(cache), str(root)), Index(file_of(cache), str(root))
    photos = [photo_in(root, f"rock/{number}.jpg") for number in range(3)]
    digest = added(first, photos[0])
    added(second, photos[1])

    assert digest_known(second, photos[0]) is None
    assert second.refresh() > 0
    assert digest_known(second, photos[0]) == digest
    assert second.refresh() == 0
    added(first, photos[2])
    second.refresh()
    assert digest_known(second, photos[2]) == digest


def test_damaged_lines_do_not_count_and_spoil_no_others(root: Path, cache: Path) -> None:
    photos = [photo_in(root, f"rock/{number}.jpg", bytes([number])) for number in range(20)]
    index = Index(file_of(cache), str(root))
    digests = {photo: added(index, photo) for photo in photos}
    content, chance = file_of(cache).read_bytes(), random.Random(0)
    for _ in range(200):
        start = chance.randrange(len(content))
        end = min(len(content), start + chance.randrange(40))
        file_of(cache).write_bytes(content[:start] + chance.randbytes(chance.randrange(9)) + content[end:])
        read = Index(file_of(cache), str(root))
        # a digit of a digest may be another one by now: there is no picture of that name, so no harm is done
        right = [photo for photo in photos if digest_known(read, photo) == digests[photo]]
        assert len(right) >= len(photos) - 3
        for photo in photos:
            digest = digest_known(read, photo)
            assert digest is None or len(digest) == 32


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "", "g" * 32, "a" * 31, None, 7])
def test_a_digest_that_is_none_does_not_become_a_path(digest: object, root: Path, cache: Path) -> None:
    photo = photo_in(root)
    added(Index(file_of(cache), str(root)), photo)
    lines = [json.loads(line) for line in file_of(cache).read_bytes().split(b"\n") if line]
    lines[-1]["digest"] = digest
    file_of(cache).write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert digest_known(Index(file_of(cache), str(root)), photo) is None


def test_a_torn_line_does_not_spoil_the_next_one(root: Path, cache: Path) -> None:
    photos = [photo_in(root, f"rock/{number}.jpg") for number in range(3)]
    digest = added(Index(file_of(cache), str(root)), photos[0])
    added(Index(file_of(cache), str(root)), photos[1])
    whole = file_of(cache).read_bytes()
    file_of(cache).write_bytes(whole[:-20])  # its writer was killed

    added(Index(file_of(cache), str(root)), photos[2])

    read = Index(file_of(cache), str(root))
    assert [digest_known(read, photo) for photo in photos] == [digest, None, digest]


def test_outdated_lines_are_cleaned_up_and_others_notice(root: Path, cache: Path) -> None:
    photos = [photo_in(root, f"rock/{number}.jpg") for number in range(2)]
    other = Index(file_of(cache), str(root))
    digest = added(other, photos[0])
    index = Index(file_of(cache), str(root))
    for seconds in range(1000, 1000 + 3 * SLACK):
        settled(Path(photos[1]), seconds)
        added(index, photos[1])
    other.refresh()
    before = file_of(cache).stat().st_size

    cleaned = Index(file_of(cache), str(root))

    assert file_of(cache).stat().st_size < before / 10
    assert [digest_known(cleaned, photo) for photo in photos] == [digest, digest]
    settled(Path(photos[1]))
    added(cleaned, photos[1])
    assert digest_known(other, photos[1]) is None
    other.refresh()
    assert digest_known(other, photos[1]) == digest


def test_a_file_without_outdated_lines_is_left_alone(root: Path, cache: Path) -> None:
    index = Index(file_of(cache), str(root))
    for number in range(2 * SLACK):
        added(index, photo_in(root, f"rock/{number}.jpg"))
    before = file_of(cache).stat()

    Index(file_of(cache), str(root))

    assert file_of(cache).stat().st_ino == before.st_ino


def append_all(cache: str, root: str, photos: list[str], together: object) -> None:
    index = Index(file_of(Path(cache)), root)
    together.wait()  # type: ignore[attr-defined]
    for photo in photos:
        added(index, photo)


def test_processes_that_append_at_once_spoil_nothing(root: Path, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    photos = [photo_in(root, f"rock/{number}.jpg") for number in range(300)]
    together = context.Barrier(3)
    processes = [
        context.Process(target=append_all, args=(str(cache), str(root), photos[part::3], together))
        for part in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0

    index = Index(file_of(cache), str(root))
    assert all(digest_known(index, photo) for photo in photos)
