"""From paths and URIs to the places they name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pyarrow import ArrowInvalid, ArrowNotImplementedError
from pyarrow.fs import FileSystem, LocalFileSystem

from handprep.errors import InputError
from handprep.folder.outputs import check_apart
from handprep.integrations.ray.local import LocalPlace
from handprep.integrations.ray.place import Place
from handprep.integrations.ray.remote import RemotePlace
from handprep.names import printable


def place_at(where: str | os.PathLike[str], filesystem: FileSystem | None = None) -> Place:
    """Return the place that a path or URI names.

    Parameters
    ----------
    where
        A local path, or a URI such as ``s3://bucket/photos``; a path on `filesystem` if that is given.
    filesystem
        The file system, for settings that a URI has no room for.

    Raises
    ------
    InputError
        If the URI is none that pyarrow understands.
    """
    text = os.fsdecode(where)
    if filesystem is None and "://" not in text:
        return LocalPlace(Path(os.path.abspath(text)))  # noqa: PTH100 - links stay as they are
    name = text
    if filesystem is None:
        try:
            filesystem, path = FileSystem.from_uri(text)
        except (ArrowInvalid, ArrowNotImplementedError, OSError) as error:
            safe = _without_secrets(text)
            raise InputError(
                f"{safe} cannot be used: {str(error).replace(text, safe)}. Give a local path or a URI of a "
                "file system that pyarrow knows, such as s3://bucket/folder, or the file system itself"
            ) from None  # whose text may hold secrets
        name = f"{text.partition('://')[0]}://{path}"
        text = path
    if isinstance(filesystem, LocalFileSystem):
        return LocalPlace(Path(os.path.abspath(text)))  # noqa: PTH100
    return RemotePlace(filesystem, filesystem.normalize_path(text.rstrip("/")), name.rstrip("/"))


def check_distinct(photos: Place, place: Place) -> None:
    """Raise InputError if the outputs are to go to the folder of photos."""
    if isinstance(photos, LocalPlace) and isinstance(place, LocalPlace):
        if os.path.realpath(photos.folder) == os.path.realpath(place.folder):
            raise InputError(f"{place.name} is the folder of photos: give another for the outputs")
    elif isinstance(photos, RemotePlace) and photos.is_within(place):
        raise InputError(
            f"{place.name} is, or holds, the folder of photos {photos.name}: give another for the outputs"
        )


def check_outputs(photos: Place, place: Place, names: Mapping[str, str]) -> None:
    """Raise InputError if outputs of these names would lie among the photos."""
    if isinstance(photos, LocalPlace) and isinstance(place, LocalPlace):
        check_apart(photos.folder, place.folder, names)


def _without_secrets(uri: str) -> str:
    """Return a URI without user, password and options."""
    scheme, _, rest = uri.partition("://")
    return printable(f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}")
