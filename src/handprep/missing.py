"""What to say where a package, or a system library that it needs, is missing."""

from __future__ import annotations

import re

from handprep.errors import MissingExtraError

_NOT_THERE = re.compile(r"([^\s:/]+\.so[.\d]*): cannot open shared object file")  # glibc's dlopen

# Tried in a minimal Debian 12. mediapipe brings the GUI build of OpenCV, which needs libxcb.so.1,
# libGL.so.1 and libgthread-2.0.so.0; its own library needs libEGL.so.1 and libGLESv2.so.2.
_DEBIAN_PACKAGES = "libgl1 libegl1 libgles2 libglib2.0-0"
_BROUGHT_BY_THEM = ("libxcb.", "libX11.", "libXext.", "libGL", "libEGL", "libglib-2", "libgthread-2")
_INSTALL = "apt-get update && apt-get install --no-install-recommends"
_HEADLESS = "pip install --force-reinstall --no-deps opencv-python-headless"


def check_opencv() -> None:
    """Import OpenCV, which all of handprep builds on.

    Raises
    ------
    MissingExtraError
        If it cannot be imported, as on a slim container where mediapipe's GUI build of OpenCV has taken
        the place of the headless one. The message has the remedies.
    """
    try:
        import cv2  # noqa: F401, PLC0415 - this is the question
    except ImportError as error:
        raise unusable("OpenCV", error) from error


def unusable(package: str, error: ImportError | OSError) -> MissingExtraError:
    """Return the error that says why a package cannot be imported and what helps.

    Parameters
    ----------
    package
        ``"OpenCV"`` or ``"mediapipe"``.
    error
        What importing it, or loading its library, raised.

    Examples
    --------
    >>> print(unusable("mediapipe", ModuleNotFoundError("No module named 'mediapipe'", name="mediapipe")))
    mediapipe is not installed. Install it:
      pip install "handprep[mediapipe]"
    or do without it: detector="litert" finds hands with the same two networks.
    """
    library = _NOT_THERE.search(str(error))
    if library:
        return MissingExtraError(_without_library(package, library[1]))
    if package == "OpenCV":
        return MissingExtraError(f"OpenCV cannot be imported ({error}). Install it anew:\n  {_HEADLESS}")
    if isinstance(error, ModuleNotFoundError) and error.name == "mediapipe":
        reason = "mediapipe is not installed. Install it:"
    else:
        reason = f"mediapipe cannot be imported ({error}). Install it anew:"
    return MissingExtraError(
        f'{reason}\n  pip install "handprep[mediapipe]"\n'
        'or do without it: detector="litert" finds hands with the same two networks.'
    )


def _without_library(package: str, library: str) -> str:
    if library.startswith(_BROUGHT_BY_THEM):
        remedy = f"Install the libraries (Debian, Ubuntu):\n  {_INSTALL} {_DEBIAN_PACKAGES}"
    else:
        remedy = f"Find its package and install that (Debian, Ubuntu):\n  apt-file search {library}"
    return (
        f"{package} is installed but needs the system library {library}, which is not. {remedy}\n"
        'or do without them: detector="litert" needs none, and neither does OpenCV\'s headless build:\n'
        f"  {_HEADLESS}"
    )


def missing_extra(package: str, extra: str, error: Exception) -> MissingExtraError:
    """Return the error for a module of handprep's that needs an optional package.

    Parameters
    ----------
    package
        The package's name, such as ``"torchvision"``.
    extra
        The extra of handprep's that brings it, such as ``"torch"``.
    error
        What importing the package raised.

    Examples
    --------
    >>> print(missing_extra("ray", "ray", ModuleNotFoundError("No module named 'ray'", name="ray")))
    ray is not installed. Install it:
      pip install "handprep[ray]"
    """
    if isinstance(error, ModuleNotFoundError):
        problem = f"{error.name} is not installed. Install it:"
    else:
        problem = f"{package} is installed but cannot be imported ({error}). Install it anew:"
    return MissingExtraError(f'{problem}\n  pip install "handprep[{extra}]"')
