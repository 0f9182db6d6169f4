"""The record that a prepared image carries: its hands, the way back to the photo, and where it is from."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handprep import geometry, images
from handprep.errors import InputError
from handprep.files import atomic_write
from handprep.images import encode
from handprep.images.encoding import format_of
from handprep.prepared.container import DamagedError, located, pixels_of, split, wrapped
from handprep.prepared.origin import DIGEST, Origin, checked
from handprep.sample import Frame, Hand, Sample, Step

_log = logging.getLogger(__name__)

VERSION = 1  # of what is written here: files with another one are prepared again
MOST_TEXT = 1 << 24  # bytes of JSON: hundreds of hands take less


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a prepared image file says of itself, checked against the file.

    Attributes
    ----------
    origin
        Where the image is from.
    plain
        The rest, as JSON values.
    alpha
        A PNG of the hand's alpha, if that is known and the image has no alpha channel; else empty.
    """

    origin: Origin
    plain: Mapping[str, Any]
    alpha: bytes = b""

    @classmethod
    def of(cls, sample: Sample, origin: Origin | None = None) -> Record:
        """Return the record of a sample."""
        plain: dict[str, Any] = {
            "hands": sample.hands
            and [{f.name: getattr(hand, f.name) for f in fields(hand)} for hand in sample.hands],
            "to_source": sample.to_source.ravel().tolist(),
            "frames": [[*frame.size, frame.to_source.ravel().tolist()] for frame in sample.frames],
            "steps": [[step.name, dict(step.details)] for step in sample.steps],
            "transparent": sample.transparent,
            "opaque": sample.alpha is None,
            "grey": sample.image.ndim == 2,
        }
        if sample.time is not None:
            plain["time"] = sample.time
        apart = sample.alpha is not None and not sample.transparent
        alpha = encode(Sample(image=sample.alpha), "png") if apart and sample.alpha is not None else b""
        if origin is None:
            first = sample.frames[0] if sample.frames else Frame(size=sample.size, to_source=sample.to_source)
            width, height = geometry.apply(first.to_source, first.size).round().astype(int).tolist()
            name = Path(sample.source or "").name  # and nothing of the machine
            origin = Origin(source=name, photo=(max(1, width), max(1, height)))
        return cls(origin=origin, plain=plain, alpha=alpha)

    def sealed_into(self, image: bytes) -> bytes:
        """Return an encoded image with the record in it, and a checksum over both.

        The same sample always becomes the same bytes.
        """
        told = {"version": VERSION, "origin": asdict(self.origin), **self.plain}
        text = json.dumps(told, separators=(",", ":"), default=_plain).encode()
        body = struct.pack(">I", len(text)) + text + self.alpha
        before, after = split(image, DIGEST + len(body))
        return before + wrapped(before, _checksum(before, after, body) + body) + after

    @classmethod
    def read(cls, content: bytes) -> Record:
        """Return the record of a file."""
        try:
            start, end, payload = located(content)
            if not payload:
                raise DamagedError("not written by handprep, or without a record")
            body = payload[DIGEST:]
            if _checksum(content[:start], content[end:], body) != payload[:DIGEST]:
                raise DamagedError("truncated, damaged or changed")
            (length,) = struct.unpack_from(">I", body)
            if length > MOST_TEXT:
                raise DamagedError(f"a record of {length} bytes")
            plain = json.loads(body[4 : 4 + length])
            if plain.pop("version") != VERSION:
                raise DamagedError("another version of the record")
            record = cls(origin=checked(plain.pop("origin")), plain=plain, alpha=body[4 + length :])
            _ = record.hands, record.to_source, record.details("")  # which raise if they are none
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise DamagedError(str(error) or type(error).__name__) from error
        except struct.error as error:
            raise DamagedError("truncated") from error
        return record

    def details(self, name: str, otherwise: Any = None) -> Any:
        """Return what the last of the steps that decided something of that name did."""
        return next((step[name] for _, step in reversed(self.plain["steps"]) if name in step), otherwise)

    @property
    def is_drawing(self) -> bool:
        """Whether the hands were turned in space, so that `to_source` only fits them to the photo."""
        return bool(self.details("photo_handedness", "") != "")

    @cached_property
    def hands(self) -> tuple[Hand, ...] | None:
        """The hands in pixels of the image, the chosen one first; None where none were looked for."""
        hands = self.plain["hands"]
        return None if hands is None else tuple(map(_hand, hands))

    @cached_property
    def to_source(self) -> NDArray[np.float64]:
        """The ``(2, 3)`` map from pixels of the image to pixels of the photo."""
        return _map(self.plain["to_source"])

    def sample(self, content: bytes) -> Sample:
        """Return the sample that the file was made of: to the last bit, but for what JPEG and WebP lose."""
        plain = self.plain
        try:
            grey, transparent = bool(plain["grey"]), bool(plain["transparent"])
            pixels = pixels_of(content, ("L" if grey else "RGB") + ("A" if transparent else ""))
            alpha = pixels[..., -1] if transparent and not plain["opaque"] else None
            if self.alpha:
                alpha = pixels_of(self.alpha, "L")
            if transparent:
                pixels = pixels[..., 0] if grey else pixels[..., :3]
            return Sample(
                image=np.ascontiguousarray(pixels),
                alpha=None if alpha is None else np.ascontiguousarray(alpha),
                hands=self.hands,
                transparent=transparent,
                to_source=self.to_source,
                source=self.origin.source or None,
                steps=tuple(Step(name=str(name), details=dict(details)) for name, details in plain["steps"]),
                time=None if plain.get("time") is None else float(plain["time"]),
                frames=tuple(Frame(size=(w, h), to_source=_map(m)) for w, h, m in plain["frames"]),
            )
        except (InputError, LookupError, TypeError, ValueError) as error:
            raise DamagedError(str(error)) from error


def sealed(sample: Sample, format: str, *, quality: int = 95) -> bytes:
    """Encode a sample's image, as `handprep.images.encode` does, with its record in it."""
    return Record.of(sample).sealed_into(encode(sample, format, quality=quality))


def read(picture: Any, **options: Any) -> Sample:
    """Read an image; a prepared one comes back with its hands, alpha and the map to its photo.

    Parameters
    ----------
    picture
        A path, bytes, or anything else that `handprep.images.read` takes.
    **options
        Those of `handprep.images.read`, for images without a record.

    Returns
    -------
    Sample
        What the pipeline gave, if handprep prepared the file: to the last bit for PNG; JPEG and lossy WebP
        change the pixels alone. `Sample.source` is the photo's path from its folder. A file that was
        changed since, and any other image, is read as it is, with hands not looked for.

    Raises
    ------
    ImageError, InputError
        As `handprep.images.read`.

    Examples
    --------
    >>> sample = read("prepared/rock/a.png")  # doctest: +SKIP
    >>> sample.hand.landmarks.shape, sample.source  # doctest: +SKIP
    ((21, 2), 'rock/a.jpg')
    """
    content = picture
    if isinstance(picture, str | os.PathLike):
        content = read_file(os.fsdecode(picture))
    if isinstance(content, bytes):
        try:
            return Record.read(content).sample(content)
        except DamagedError as error:
            _log.info("read as an image without a record: %s", error)
    return images.read(picture, **options)


def save(sample: Sample, path: str | os.PathLike[str], *, quality: int = 95) -> None:
    """Write a sample with its record, so that `read` gives it back; see `Sample.save`."""
    atomic_write(Path(path), sealed(sample, format_of(path), quality=quality))


def read_file(path: str) -> bytes | None:
    """Return a file's content; None where there is no regular file that can be read."""
    try:
        if not os.path.isfile(path):  # noqa: PTH113 - at every image; and a pipe would block
            return None
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            return file.read()
    except (OSError, ValueError):
        return None


def _checksum(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=DIGEST).digest()


def _hand(plain: dict[str, Any]) -> Hand:
    """Build a hand of whatever fields it has, so that a new field of `Hand` needs nothing here."""
    hand = Hand(**{name: _rich(value) for name, value in plain.items()})
    if not all(value is None or isinstance(value, str) for value in (hand.view, hand.handedness)):
        raise TypeError("a hand's view and side are texts")
    if not isinstance(hand.track, int | None):
        raise TypeError("a hand's track is a number")
    return hand


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["float32"]), "<f4").reshape(value["shape"])
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Return what JSON has no kind of as a kind that it has."""
    if isinstance(value, np.ndarray):  # exact, and read three times as fast as decimals
        numbers = base64.b64encode(value.astype("<f4").tobytes()).decode("ascii")
        return {"shape": list(value.shape), "float32": numbers}
    if isinstance(value, np.generic):  # a detector of the user's own may give numpy's
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise InputError(f"{value!r:.200} of type {type(value).__name__} cannot be written to a record")


def _map(plain: Any) -> NDArray[np.float64]:
    matrix = np.array(plain, dtype=np.float64).reshape(2, 3)
    if not np.isfinite(matrix).all():
        raise ValueError("a map needs six finite numbers")
    return matrix
