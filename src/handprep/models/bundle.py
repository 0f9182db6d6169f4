"""MediaPipe's ``.task`` bundles: plain zip files of networks that are mapped into memory where they lie."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

ALIGNMENT = 4  # bytes, of each member's first byte in the file (mediapipe's model_asset_bundle_utils)
_LOCAL_HEADER = 30  # bytes before the name, in APPNOTE 4.3.7
_ALIGNMENT_FIELD = 0xD935  # APPNOTE 4.6.1: "Data Stream Alignment"
_FIELD_HEADER = struct.Struct("<HHH")  # id, bytes that follow, alignment


def write(target: Path, members: Mapping[str, Path]) -> None:
    """Write a bundle of files, given by their names in it; the bytes depend on names and contents alone."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as bundle:
        for name, file in members.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # Unix, so that Windows writes the same
            data_start = bundle.start_dir + _LOCAL_HEADER + len(name.encode()) + _FIELD_HEADER.size
            padding = -data_start % ALIGNMENT
            # a whole field: mediapipe's reader refuses bare zero bytes, which zipfile lets pass
            info.extra = _FIELD_HEADER.pack(_ALIGNMENT_FIELD, 2 + padding, ALIGNMENT) + bytes(padding)
            bundle.writestr(info, file.read_bytes())
