"""Clips that tests write: frames of a known brightness, and what can be wrong with a clip."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FPS = 25.0
STEP = 8  # of brightness from frame to frame, more than codecs lose


def write(path: Path, images: Iterable[NDArray[np.uint8]], codec: str = "MJPG", fps: float = FPS) -> Path:
    """Write RGB or grey images as a clip; the codec must suit the ending."""
    images = iter(images)
    first = next(images)
    height, width = first.shape[:2]
    code = cv2.VideoWriter_fourcc(*codec)  # type: ignore[attr-defined]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, (width, height), first.ndim == 3)
    assert writer.isOpened(), f"this OpenCV cannot write {codec}"
    for image in chain([first], images):
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image)
    writer.release()
    return path


def counted(count: int, width: int = 64, height: int = 48) -> list[NDArray[np.uint8]]:
    """Return frames whose right half has one brightness, STEP times their number; the left is a noisy red."""
    frames, rng = [], np.random.default_rng(0)
    for number in range(count):
        frame = np.full((height, width, 3), STEP * number % 256, np.uint8)
        frame[:, : width // 2] = rng.integers((150, 0, 0), (250, 40, 40), (height, width // 2, 3))
        frames.append(frame)
    return frames


def turned_by_metadata(path: Path) -> None:
    """Mark an MP4 as one that players turn by 90° clockwise, as phones do: the matrix of its track header."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40  # version and flags, times, ids, layer, volume
    numbers = (0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 48 << 16, 0, 1 << 30)
    content[matrix : matrix + 36] = b"".join(number.to_bytes(4, "big") for number in numbers)
    path.write_bytes(content)


def drop_frames(path: Path, numbers: Container[int]) -> None:
    """Make frames of an AVI empty chunks, as programs write that could not keep up with a webcam."""
    content = path.read_bytes()
    start, end = content.index(b"movi") - 8, content.index(b"idx1")
    at, number, frames, index = start + 12, 0, b"movi", b""
    while at < end:
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        frame = b"" if number in numbers else content[at + 8 : at + 8 + length]
        index += b"00dc" + struct.pack("<III", 16, len(frames), len(frame))
        frames += b"00dc" + len(frame).to_bytes(4, "little") + frame + bytes(len(frame) % 2)
        at, number = at + 8 + length + length % 2, number + 1
    lists = [b"LIST" + len(frames).to_bytes(4, "little") + frames]
    lists += [b"idx1" + len(index).to_bytes(4, "little") + index]
    whole = content[8:start] + b"".join(lists)
    path.write_bytes(b"RIFF" + len(whole).to_bytes(4, "little") + whole)
