"""Every photo through an arm, once: prepared images in a folder, and all of them in one file."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiment.arms import Arm
from experiment.data import Layout, part_of
from experiment.files import write_whole
from handprep import prepare, read
from handprep.errors import InputError
from handprep.prepared import RunResult


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pictures:
    """All images of an experiment as one arm prepares them.

    Attributes
    ----------
    inputs
        What the network sees: uint8 ``(N, 64, 64)`` grey, or float32 ``(N, F)`` features.
    augment
        bool scalar: whether training turns, scales and shifts images at random.
    labels
        int64 ``(N,)`` index of the class.
    groups
        str ``(N,)``, such as ``"train/cgi"``.
    sources
        str ``(N,)``: the photos' paths from the folder of photos, in alphabetical order.
    found
        bool ``(N,)``: whether a hand was found; False where none was looked for.
    milliseconds
        float ``(N,)``: what reading, preparing and writing took.
    digest
        Hex digest of inputs, augment, labels and groups: what training depends on.
    """

    inputs: NDArray[np.generic]
    augment: NDArray[np.bool_]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    sources: NDArray[np.str_]
    found: NDArray[np.bool_]
    milliseconds: NDArray[np.float64]
    digest: str

    @property
    def parts(self) -> NDArray[np.str_]:
        """What each image is for: ``"train"``, ``"validation"``, ``"test"`` or a further set's name."""
        return np.array([part_of(group) for group in self.groups])

    @classmethod
    def load(cls, path: Path) -> Pictures:
        """Read the file that `prepared` wrote."""
        with np.load(path) as file:
            return cls(**{name: file[name] for name in ARRAYS}, digest=str(file["digest"]))


ARRAYS = ("inputs", "augment", "labels", "groups", "sources", "found", "milliseconds")


def prepared(arm: Arm, layout: Layout, folder: Path, *, workers: int | None, progress: bool) -> Path:
    """Prepare what is not yet prepared and return the file with all images.

    Parameters
    ----------
    arm
        How.
    layout
        The photos.
    folder
        Where to keep prepared images and files.
    workers
        Threads; None for one a core.
    progress
        Whether to draw a progress bar.

    Raises
    ------
    InputError
        If a photo cannot be prepared, as all arms must have the same images; or if it lies in no folder
        of a class.
    """
    result = prepare(layout.folder, folder / arm.name, arm.pipeline, workers=workers, progress=progress)
    _check(result, layout)
    packed, key = folder / f"{arm.name}.npz", _key(result, arm)
    if not _is_packed(packed, key):
        write_whole(packed, _packed(result, arm, layout, key))
    return packed


def _check(result: RunResult, layout: Layout) -> None:
    if result.failed:
        first = result.failed[0]
        raise InputError(
            f"{len(result.failed)} photos cannot be prepared, and all arms need the same ones. Remove them "
            f"from {layout.folder}. The first is {first.source}: {first.message}"
        )
    for row in result.rows:
        if row.origin not in (*layout.origins, *layout.others) or row.label not in layout.classes:
            raise InputError(
                f"{layout.folder / row.source} lies in no folder of a class. Move it, or take it out of "
                f"{layout.folder}; examples/experiment/data.py says how photos are laid out"
            )


def _key(result: RunResult, arm: Arm) -> str:
    """Return what changes whenever an image was prepared anew."""
    rows = [(row.source, row.output, row.milliseconds) for row in result.rows]
    parts = arm.pipeline.fingerprint(), arm.features, arm.augment, rows
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _is_packed(path: Path, key: str) -> bool:
    if not path.exists():
        return False
    with np.load(path) as file:
        return str(file["key"]) == key


def _packed(result: RunResult, arm: Arm, layout: Layout, key: str) -> bytes:
    rows = sorted(result.rows, key=lambda row: row.source)
    inputs = np.stack([arm.input_of(read(Path(result.folder) / row.output)) for row in rows])
    labels = np.array([layout.classes.index(row.label) for row in rows], np.int64)
    groups = np.array([row.origin for row in rows])
    texts = "\n".join([str(arm.augment), *groups])
    digest = hashlib.sha256(inputs.tobytes() + labels.tobytes() + texts.encode())
    buffer = io.BytesIO()
    np.savez(
        buffer,
        inputs=inputs,
        augment=arm.augment,
        labels=labels,
        groups=groups,
        sources=np.array([row.source for row in rows]),
        found=np.array([row.found for row in rows]),
        milliseconds=np.array([row.milliseconds for row in rows]),
        digest=digest.hexdigest(),
        key=key,
    )
    return buffer.getvalue()
