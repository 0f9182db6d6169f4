"""Progress bars on standard error, and functions in their place."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], object]  # takes how many items are done, and how many there are


@contextmanager
def reporting(progress: bool | Progress, done: int, total: int, unit: str = "photo") -> Iterator[Progress]:
    """Give a function to call after each item, which moves a progress bar if one is wanted."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda *_: None
    else:
        from tqdm import tqdm  # noqa: PLC0415 - not needed to import handprep

        seconds = 0.1 if sys.stderr.isatty() else 30  # a log file gets a line now and then
        with tqdm(total=total, initial=done, unit=unit, mininterval=seconds, maxinterval=seconds + 10) as bar:
            yield lambda *_: bar.update()
