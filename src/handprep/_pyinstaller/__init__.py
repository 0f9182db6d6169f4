"""What PyInstaller must know to freeze a program that uses handprep."""

from pathlib import Path


def hook_folders() -> list[str]:
    """Return where PyInstaller finds ``hook-handprep.py``; it asks by an entry point."""
    return [str(Path(__file__).parent)]
