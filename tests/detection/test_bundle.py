"""Bundles are plain zip files whose members lie aligned."""

from __future__ import annotations

import io
import struct
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from handprep.detection.mediapipe import bundle


@settings(max_examples=40, deadline=None)
@given(
    content=st.dictionaries(
        st.text("abcé_.", min_size=1, max_size=9), st.binary(max_size=23), min_size=1, max_size=4
    )
)
def test_members_lie_aligned_and_uncompressed(content: dict[str, bytes]) -> None:
    raw = bundle(content)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == content
        for info in archive.infolist():
            name_length, extra_length = struct.unpack_from("<HH", raw, info.header_offset + 26)
            start = info.header_offset + 30 + name_length + extra_length
            assert start % 4 == 0
            assert raw[start : start + len(content[info.filename])] == content[info.filename]
            field, length = struct.unpack_from("<HH", raw, info.header_offset + 30 + name_length)
            assert (field, length + 4) == (0xD935, extra_length)  # one whole field: no bare zeros
