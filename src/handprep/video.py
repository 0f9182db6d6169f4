"""Frames of clips, cameras and animations as samples, one at a time."""

import math
import os
import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import BinaryIO, TypeAlias

import cv2
import numpy as np

from handprep import images
from handprep.configurable import check_range, check_whole, is_whole
from handprep.errors import ImageError, InputError
from handprep.images import decoding
from handprep.sample import Image, Sample
from handprep.text import printable

HELD = 3  # times its pixels that a frame counts, as decoders keep several: 8K passes the limit
LONGEST = 1e9  # seconds
CLOSE = 1e-6  # seconds that rounding may take
# What a clip begins with. FFmpeg would also take playlists, which are text that names other files and hosts.
CONTAINER = re.compile(
    rb"....(?:ftyp|moov|mdat|wide|free|skip)|\x1aE\xdf\xa3|RIFF....AVI |OggS|FLV\x01|0&\xb2u\x8ef\xcf\x11"
    rb"|\0\0\x01[\xb0\xb3\xba]|\0\0\0\x01|G.{187}G|....G.{191}G|YUV4MPEG2|DKIF|\x06\x0e\+4",
    re.DOTALL,
)
STILLS = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|BM|II[*+]|MM\0[*+]|RIFF....WEBP|....ftyp(?:avi[fs]|hei|mif|msf)", re.DOTALL
)
HEAD = 400  # bytes: three packets of an MPEG transport stream

Shot: TypeAlias = tuple[float | None, Callable[[], Image]]  # its time in seconds, and what decodes it


def frames(
    source: str | os.PathLike[str] | int,
    *,
    every: int = 1,
    fps: float | None = None,
    start: float = 0.0,
    stop: float | None = None,
) -> Iterator[Sample]:
    """Yield the frames of a clip, a camera or an animation, in order and one at a time.

    The clip is open until the iterator ends, is closed or is dropped. Memory does not grow with its length.

    Parameters
    ----------
    source
        The path of a video file of any kind that OpenCV's FFmpeg decodes, of an animated GIF, WebP, PNG or
        AVIF, or of a TIFF with several pages; or a camera's index, 0 for the first.
    every
        Yield each frame whose number is a multiple of this; numbers count from 0.
    fps
        Yield at most so many frames for a second of the clip; None for all.
    start, stop
        Seconds: from which time on, and before which. `stop` is None for the end of the clip.

    Yields
    ------
    Sample
        A uint8 ``(H, W, 3)`` RGB image, upright by the clip's rotation. `Sample.source` is the path and the
        frame's number, such as ``"clip.mp4#000120"``, and `Sample.time` its time in seconds: from the
        clip's beginning, or from a camera's first frame. Pages of a TIFF have none.

    Raises
    ------
    InputError
        If a parameter is out of its range, or goes by the time of pages that have none.
    ImageError
        If the file is missing, no clip, too large, in a codec that this OpenCV lacks, or has no frames; after
        the last good frame if the file is cut short or damaged; if there is no such camera, or it stops.

    Notes
    -----
    FFmpeg conceals damage within a clip, as players do. Samples of more than 8 bits are reduced to 8. Where
    a clip changes its size, all frames have that of the first. An animation may take, in all frames together,
    `handprep.images.MAX_PIXELS` and once more that for each 2 MB of its file.

    Examples
    --------
    >>> for sample in frames("clip.mp4", fps=5):  # doctest: +SKIP
    ...     print(sample.source, sample.time, sample.size)
    clip.mp4#000000 0.0 (640, 480)
    """
    if not isinstance(source, str | os.PathLike) and not (is_whole(source) and source >= 0):
        raise InputError(f"source must be a path or a camera's index, 0 or more, not {source!r:.100}")
    check_whole("every", every, 1, 10**9)
    if fps is not None:
        check_range("fps", fps, 1e-6, 1e6)
    check_range("start", start, 0, LONGEST)
    if stop is not None:
        check_range("stop", stop, start, LONGEST)
    if isinstance(source, str | os.PathLike):
        name, shots = os.fsdecode(source), _file(os.fsdecode(source))
    else:
        name, shots = f"camera {source}", _camera(int(source))
    return _chosen(name, shots, every, fps, (start, stop))


def _chosen(
    name: str, shots: Generator[Shot], every: int, fps: float | None, between: tuple[float, float | None]
) -> Iterator[Sample]:
    start, stop = between
    due = start
    with closing(shots):
        for number, (seconds, pixels) in enumerate(shots):
            if number % every:
                continue
            if fps or start or stop is not None:
                if seconds is None:
                    raise InputError(
                        f"the pages of {printable(name)} have no time: leave out fps, start and stop"
                    )
                if stop is not None and seconds >= stop:
                    return
                if seconds < due - CLOSE:
                    continue
                if fps:
                    due = start + (math.floor((seconds - start + CLOSE) * fps) + 1) / fps
            yield Sample(image=pixels(), source=f"{name}#{number:06d}", time=seconds)


def _file(path: str) -> Generator[Shot]:
    name = printable(path)
    with images.open_file(path) as stream:
        head = stream.read(HEAD)
        if STILLS.match(head):
            for decoded, seconds in decoding.pages(stream, name, max_pixels=images.MAX_PIXELS):
                yield seconds, partial(np.asarray, decoded.image)
            return
        cut_short = _is_cut_short(stream)
    if not CONTAINER.match(head):
        problem = "no known kind of clip" if head else "empty, 0 bytes"
        raise ImageError(f"{name} cannot be read: {problem}. Copy or export it again, as H.264 in MP4")
    whole = os.path.abspath(path)  # noqa: PTH100 - of any bytes; FFmpeg would take "concat:a" for a protocol
    if whole != whole.encode(errors="ignore").decode():  # of which OpenCV 5 dies
        raise ImageError(f"{name} cannot be read: rename it, in UTF-8")
    shots: Iterator[Shot] = _shots(whole, cv2.CAP_FFMPEG, name)
    if cut_short:  # all but the last, which FFmpeg fills up where the file is cut
        at_once = ((seconds, partial(np.asarray, pixels())) for seconds, pixels in shots)
        shots = (shot for shot, _ in pairwise(at_once))
    count = 0
    for count, shot in enumerate(shots, start=1):  # noqa: B007 - told of below
        yield shot
    if cut_short:
        raise ImageError(f"{name} is cut short or damaged: {count} frames of it are whole. Copy it again")
    if not count:
        raise ImageError(
            f"{name} cannot be read: no video in it that this OpenCV decodes. It has no frames, is cut "
            "short, or in a codec that is missing here. Export it again, as H.264 in MP4"
        )


def _camera(index: int) -> Generator[Shot]:
    begin = None
    for _, pixels in _shots(index, cv2.CAP_ANY, f"camera {index}"):
        begin = begin or time.monotonic()
        yield time.monotonic() - begin, pixels
    raise ImageError(
        f"camera {index} cannot be opened: there is none of that index, another program has it, or "
        "this user may not use it"
        if begin is None
        else f"camera {index} gives no further image. Is it still connected?"
    )


def _shots(source: str | int, backend: int, name: str) -> Generator[Shot]:
    capture = cv2.VideoCapture(source, backend)
    try:
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height * HELD > images.MAX_PIXELS:
            raise ImageError(
                f"{name} cannot be read: {width:.0f} x {height:.0f} pixels a frame, of which a decoder holds "
                f"several, are more than the limit of {images.MAX_PIXELS // HELD}. If you trust it, set the "
                f"environment variable {decoding.LIMIT_VARIABLE}"
            )

        def pixels() -> Image:
            good, bgr = capture.retrieve()
            if not good:
                raise ImageError(f"{name} has a damaged frame. Copy or export it again")
            return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

        while capture.grab():
            yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, pixels
    finally:
        capture.release()


def _is_cut_short(stream: BinaryIO) -> bool:
    """Tell whether a clip's outermost parts say that they are longer than the file, which FFmpeg forgives."""
    size = stream.seek(0, os.SEEK_END)
    end = stream.seek(0)
    head = stream.read(16)
    if head.startswith(b"RIFF"):  # AVI, in parts of about 1 GB
        while head.startswith(b"RIFF"):
            end = stream.seek(end + 8 + int.from_bytes(head[4:8], "little"))
            head = stream.read(16)
        return end > size
    if head.startswith(b"\x1aE\xdf\xa3"):  # Matroska and WebM: the header, then one segment, RFC 8794
        for identifier in (4, 4):
            stream.seek(end + identifier)
            first = stream.read(1)
            length = 9 - int.from_bytes(first, "big").bit_length()
            bits = int.from_bytes(first + stream.read(length - 1), "big") & ((1 << 7 * length) - 1)
            if bits == (1 << 7 * length) - 1:  # unknown, as in what was streamed
                return False
            end += identifier + length + bits
        return end > size
    while len(head) >= 8 and head[4:8].isalnum():  # the boxes of MP4 and QuickTime, ISO/IEC 14496-12
        length = int.from_bytes(head[:4], "big")
        length = int.from_bytes(head[8:16], "big") if length == 1 else length
        if length < 8:  # 0: up to the end
            return False
        end = stream.seek(end + length)
        head = stream.read(16)
    return end > size
