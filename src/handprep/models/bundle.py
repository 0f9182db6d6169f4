"""MediaPipe's ``.task`` bundles: plain zip files of networks that are mapped into memory where they lie."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

ALIGNMENT = 4  # bytes, of each member's first byte in the file (mediapipe's model_asset_bundle_utils)
_LOCAL_HEADER = 30  # bytes before the name, in APPNOTE 4.3.7
_ALIGNMENT_FIELD = 0xD935  # APPNOTE 4.6.1: "Data Stream Alignment"
_FIELD_HEADER = struct.Struct("<HHH")  # id, bytes that follow, alignment


def write(target: Path, members: Mapping[str, Path]) -> None:
    """Write a bundle of files, in the given order.

    The bytes depend on names and contents alone: no dates, no file modes.

    Parameters
    ----------
    target
        The bundle.
    members
        The files by their names in the bundle.
    """
    offset = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as bundle:
        for name, file in members.items():
            data = file.read_bytes()
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # Unix, so that Windows writes the same
            info.extra = _aligning(offset + _LOCAL_HEADER + len(name.encode()))
            bundle.writestr(info, data)
            offset += _LOCAL_HEADER + len(name.encode()) + len(info.extra) + len(data)


def _aligning(data_start: int) -> bytes:
    """Return the extra field that moves data to the next multiple of `ALIGNMENT`.

    It must be a whole field with a header: bare zero bytes, which Python's zipfile lets pass, make
    mediapipe's reader refuse the bundle.
    """
    padding = -(data_start + _FIELD_HEADER.size) % ALIGNMENT
    return _FIELD_HEADER.pack(_ALIGNMENT_FIELD, 2 + padding, ALIGNMENT) + bytes(padding)


def holds_exactly(path: Path, members: Mapping[str, tuple[int, str]]) -> bool:
    """Tell whether a file is a bundle of just these members, none compressed, each with its content.

    Parameters
    ----------
    path
        The file.
    members
        Bytes and sha256 by name.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            found = bundle.infolist()
            if sorted(info.filename for info in found) != sorted(members):
                return False
            return all(
                info.compress_type == zipfile.ZIP_STORED
                and info.file_size == members[info.filename][0]  # before reading it
                and hashlib.sha256(bundle.read(info)).hexdigest() == members[info.filename][1]
                for info in found
            )
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        return False  # no zip, a broken or an encrypted one
