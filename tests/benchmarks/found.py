"""How many photos a hand is found in, by origin: the single look beside the search.

    python -m tests.benchmarks.found PHOTOS [--hand-free FOLDER] [--every N]

PHOTOS holds origin and class sub-folders; FOLDER pictures without any hand (see handfree.py).
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from time import perf_counter

from handprep import images
from handprep.detection.litert import LiteRTDetector
from handprep.detection.search import SearchingDetector
from handprep.threads import ordered_map

SINGLE = LiteRTDetector(confidence=0.1)
SEARCH = SearchingDetector(SINGLE)


def look(path: Path) -> tuple[Path, bool, str, float]:
    """Return whether the single look found a hand, the view in which the search did, and its seconds."""
    image = images.read(path).image
    single = SINGLE.detect(image)
    start = perf_counter()
    found = SEARCH.detect(image)
    return path, bool(single), found[0].view if found else "", perf_counter() - start


def table(folder: Path, every: int) -> None:
    """Print the shares found below a folder, and the views that found what the single look missed."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})[::every]
    rows: dict[str, list[tuple[bool, str, float]]] = {}
    for path, single, view, seconds in ordered_map(look, paths):
        rows.setdefault("/".join(path.relative_to(folder).parts[:-2]) or folder.name, []).append(
            (single, view, seconds)
        )
    print(f"{'origin':24}{'photos':>8}{'single':>8}{'search':>8}{'single %':>10}{'search %':>10}{'ms':>8}")
    for origin, looks in rows.items():
        n, single, search = len(looks), sum(look[0] for look in looks), sum(bool(look[1]) for look in looks)
        ms = 1000 * sum(look[2] for look in looks) / n
        print(
            f"{origin:24}{n:8}{single:8}{search:8}{100 * single / n:10.2f}{100 * search / n:10.2f}{ms:8.1f}"
        )
    views = Counter(view for looks in rows.values() for _, view, _ in looks if view)
    print("found in: " + "; ".join(f"{view} {count}" for view, count in views.most_common()))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--hand-free", type=Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    table(options.photos, options.every)
    if options.hand_free:
        print("\nwithout any hand:")
        table(options.hand_free, 1)


if __name__ == "__main__":
    main()
