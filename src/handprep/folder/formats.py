"""As what kind of file outputs are written."""

from __future__ import annotations

from handprep.errors import InputError
from handprep.pipeline import Pipeline
from handprep.transforms.background import BackgroundRemover
from handprep.transforms.base import Transform

FORMATS = {"png": ".png", "jpg": ".jpg", "jpeg": ".jpg", "webp": ".webp"}


def ending_for(format: str, pipeline: Pipeline) -> str:
    """Return what the names of a pipeline's outputs end in.

    Raises
    ------
    InputError
        If the format is unknown or cannot hold such outputs, or the pipeline is none.

    Examples
    --------
    >>> ending_for("jpeg", Pipeline([]))
    '.jpg'
    """
    if not isinstance(pipeline, Pipeline):
        raise InputError(f"pipeline must be a Pipeline, not {pipeline!r:.200}")
    if format.lower() not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, not {format!r:.100}")
    ending = FORMATS[format.lower()]
    if ending == ".jpg" and any(map(_is_transparent, pipeline.transforms)):
        raise InputError("JPEG cannot be transparent: use PNG or WebP, or another background")
    return ending


def _is_transparent(transform: Transform) -> bool:
    return isinstance(transform, BackgroundRemover) and transform.background == "transparent"
