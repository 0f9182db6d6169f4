"""The machine and the packages that figures were measured with, in words."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

PACKAGES = (
    *("handprep", "numpy", "opencv-python-headless", "opencv-contrib-python", "pillow", "ai-edge-litert"),
    *("onnxruntime", "rembg", "mediapipe", "torch", "torchvision", "albumentations"),
)


def description() -> str:
    """Return the processor, the number of its cores, the system, and the versions of what is installed."""
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {system}; {', '.join(versions())}"


def versions() -> list[str]:
    """Return those of the packages that are installed, each with its version."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    listing = Path("/proc/cpuinfo")  # Linux; elsewhere Python knows as much
    found = (
        re.search(r"^model name\s*: (.+)$", listing.read_text(), re.MULTILINE) if listing.exists() else None
    )
    return found[1].strip() if found else platform.processor() or "an unnamed processor"
