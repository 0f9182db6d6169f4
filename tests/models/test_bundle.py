"""Bundles are plain zip files whose members lie aligned."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handprep.models import fetching

CONTENT = {
    "hand_detector.tflite": b"\x1c\0\0\0TFL3" * 11 + b"odd",
    "hand_landmarks_detector.tflite": b"TFL3" * 7,
}


def written(folder: Path, content: dict[str, bytes]) -> Path:
    """Write a bundle of files with the given content."""
    files = {name: folder / f"part-{number}" for number, name in enumerate(content)}
    for name, file in files.items():
        file.write_bytes(content[name])
    fetching.write_bundle(folder / "made.task", files)
    return folder / "made.task"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.dictionaries(
        st.text("abcé_.", min_size=1, max_size=9), st.binary(max_size=23), min_size=1, max_size=4
    )
)
def test_members_lie_aligned_and_uncompressed(tmp_path: Path, content: dict[str, bytes]) -> None:
    file = written(tmp_path, content)
    raw = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == content
        for info in archive.infolist():
            name_length, extra_length = struct.unpack_from("<HH", raw, info.header_offset + 26)
            start = info.header_offset + 30 + name_length + extra_length
            assert start % 4 == 0
            assert raw[start : start + len(content[info.filename])] == content[info.filename]
            field, length = struct.unpack_from("<HH", raw, info.header_offset + 30 + name_length)
            assert (field, length + 4) == (0xD935, extra_length)  # one whole field: no bare zeros


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, CONTENT).read_bytes()
    assert written(tmp_path, CONTENT).read_bytes() == first
