"""What to say where a package, or a system library that it needs, is missing."""

import re

from handprep.errors import MissingExtraError

_NOT_THERE = re.compile(r"([^\s:/]+\.so[.\d]*): cannot open shared object file")  # glibc's dlopen

# Tried in a minimal Debian 12. mediapipe brings the GUI build of OpenCV, which needs libxcb.so.1,
# libGL.so.1 and libgthread-2.0.so.0; its own library needs libEGL.so.1 and libGLESv2.so.2.
_DEBIAN_PACKAGES = "libgl1 libegl1 libgles2 libglib2.0-0"
_BROUGHT_BY_THEM = ("libxcb.", "libX11.", "libXext.", "libGL", "libEGL", "libglib-2", "libgthread-2")
_HEADLESS = "pip install --force-reinstall --no-deps opencv-python-headless"


def check_opencv() -> None:
    """Import OpenCV, which all of handprep builds on, or raise MissingExtraError with the remedies."""
    try:
        import cv2  # noqa: F401, PLC0415 - this is the question
    except ImportError as error:
        raise missing_extra("OpenCV", None, error) from error


def missing_extra(
    package: str, extra: str | None, error: Exception, *, instead: str = ""
) -> MissingExtraError:
    """Return the error that says why a package cannot be imported and what helps.

    The `extra` brings the package (None for OpenCV), importing it raised `error`, and `instead` does without.

    Examples
    --------
    >>> print(missing_extra("ray", "ray", ModuleNotFoundError("No module named 'ray'", name="ray")))
    ray is not installed. Install it:
      pip install "handprep[ray]"
    """
    remedy = f'pip install "handprep[{extra}]"' if extra else _HEADLESS
    library = _NOT_THERE.search(str(error))
    if library:
        problem = f"is installed but needs the system library {library[1]}, which is not. Install it"
        known = library[1].startswith(_BROUGHT_BY_THEM)
        install = f"apt-get update && apt-get install --no-install-recommends {_DEBIAN_PACKAGES}"
        remedy = f"{install if known else f'apt-file search {library[1]}'}  # Debian, Ubuntu"
        if not extra:
            instead = f"OpenCV's headless build needs none:\n  {_HEADLESS}"
    elif isinstance(error, ModuleNotFoundError):
        package, problem = str(error.name), "is not installed. Install it"
    else:
        problem = f"cannot be imported ({error}). Install it anew"
    return MissingExtraError(
        f"{package} {problem}:\n  {remedy}" + (f"\nor do without it: {instead}" if instead else "")
    )
