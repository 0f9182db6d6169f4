"""The command that lists and downloads model files."""

from __future__ import annotations

import argparse

from handprep import models
from handprep.names import printable
from handprep.transforms.crop import HandCropper


def add_models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``models``."""
    listing = commands.add_parser("models", help="list model files, or download them ahead of time")
    listing.set_defaults(command=_list_models)
    actions = listing.add_subparsers(metavar="ACTION")
    fetch = actions.add_parser("fetch", help="download model files")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="which (the two that find hands)")
    fetch.add_argument("--all", action="store_true", help="all of them, also those of rembg")
    fetch.set_defaults(command=_fetch_models)


def _list_models(parsed: argparse.Namespace) -> int:
    for entry in models.status():
        model = entry.model
        state = "cached" if entry.cached else entry.problem
        print(f"{model.name:20} {model.size / 1e6:6.1f} MB  {model.licence}  {state:10}  {model.description}")
    print(f"They are kept in {printable(str(models.cache_folder()))}")
    return 0


def _fetch_models(parsed: argparse.Namespace) -> int:
    for name in models.MODELS if parsed.all else parsed.names or sorted(HandCropper().model_files):
        print(printable(str(models.fetch(name, progress=True))))
    return 0
