"""What is said where OpenCV or a system library is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handprep.optional import missing_extra

IN_A_SLIM_CONTAINER = "libxcb.so.1: cannot open shared object file: No such file or directory"


def said_by_handprep(opencv: str, folder: Path) -> list[str]:
    """Return what importing handprep prints where this source stands in for OpenCV."""
    (folder / "cv2.py").write_text(opencv)
    script = f"""
import sys
sys.path.insert(0, {str(folder)!r})
try:
    from handprep.optional import check_opencv
    check_opencv()
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def test_an_opencv_without_its_libraries_is_explained(tmp_path: Path) -> None:
    first, remedy, *instead = said_by_handprep(f"raise ImportError({IN_A_SLIM_CONTAINER!r})", tmp_path)
    assert first.startswith("MissingExtraError OpenCV is installed but needs the system library libxcb.so.1")
    assert "apt-get install --no-install-recommends libgl1 libegl1 libgles2 libglib2.0-0" in remedy
    assert instead == [
        "or do without it: OpenCV's headless build needs none:",
        "  pip install --force-reinstall --no-deps opencv-python-headless",
    ]


def test_a_library_of_another_package_is_not_said_to_come_with_those() -> None:
    error = ImportError("libgomp.so.1: cannot open shared object file: No such file or directory")
    said = str(missing_extra("OpenCV", None, error))
    assert "libgl1" not in said
    assert "apt-file search libgomp.so.1" in said


def test_an_opencv_that_cannot_be_imported_is_explained(tmp_path: Path) -> None:
    assert said_by_handprep("raise ImportError('numpy.core.multiarray failed to import')", tmp_path) == [
        "MissingExtraError OpenCV cannot be imported (numpy.core.multiarray failed to import). "
        "Install it anew:",
        "  pip install --force-reinstall --no-deps opencv-python-headless",
    ]


@pytest.mark.parametrize(
    ("message", "library"),
    [
        (IN_A_SLIM_CONTAINER, "libxcb.so.1"),
        ("/usr/lib/libfoo-2.0.so.0: cannot open shared object file: Permission denied", "libfoo-2.0.so.0"),
        ("Error loading shared library libGL.so.1: No such file or directory (needed by /x/cv2.so)", None),
        ("DLL load failed while importing cv2: The specified module could not be found.", None),
    ],
)
def test_only_a_library_that_the_system_names_is_named(message: str, library: str | None) -> None:
    said = str(missing_extra("mediapipe", "mediapipe", ImportError(message), instead="other eyes."))
    assert said.endswith("or do without it: other eyes.")
    if library is None:
        assert said.startswith(f"mediapipe cannot be imported ({message}). Install it anew:\n  pip install ")
    else:
        assert f"needs the system library {library}, which is not" in said
