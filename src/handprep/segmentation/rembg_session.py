"""Opening rembg's sessions on model files that handprep has checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from handprep import models
from handprep.errors import InputError, ModelError
from handprep.models import onnx
from handprep.models.onnx import failures, first_line


def rembg_session(name: str, options: Any = None, *, path: Path | None = None) -> Any:
    """Open a rembg session, on the checked file where handprep knows the model.

    Left alone, rembg takes whatever lies in its own folders, and checks an md5 only after a download.
    Models that handprep does not know go through rembg's own downloader. Those that send the picture
    to somebody's server are refused: handprep keeps pictures on this machine.

    `path` is a file of the user's own in place of the model's. InputError says that rembg has no such model
    that runs on this machine, and ModelError that the file cannot be had or opened.
    """
    onnxruntime = onnx.imported()
    from rembg.sessions import sessions_class  # noqa: PLC0415 - heavy

    known = {session.name(): session for session in sessions_class if _runs_here(session)}
    if name not in known:
        raise InputError(
            f"rembg has no model {name!r:.100} that runs on this machine; it has {', '.join(sorted(known))}"
        )
    session = known[name]
    if path is not None or name in models.MODELS:
        session = _with_file(session, path or models.fetch(name))
    try:
        return session(name, options or onnxruntime.SessionOptions())
    except (OSError, ValueError) as error:  # what pooch raises without a network, and for a wrong md5
        raise ModelError(f"rembg could not get its model {name!r}: {error}") from error
    except failures() as error:
        raise ModelError(
            f"rembg could not open {path or f'its model {name!r}, delete the file'}: {first_line(error)}"
        ) from error


def _runs_here(session: Any) -> bool:
    return bool(session.is_local()) if hasattr(session, "is_local") else True  # rembg < 2.0.78 has neither


def _with_file(session: Any, path: Path) -> Any:
    """Return the session class with its one question, where the file is, answered."""
    answer = classmethod(lambda *_, **__: str(path))
    return type(session.__name__, (session,), {"download_models": answer})
