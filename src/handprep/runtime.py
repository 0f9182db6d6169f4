"""Open models: once a process and thread, and never across a fork."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class _Shelf:
    """What one thread of one process has opened."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.models: dict[Hashable, Any] = {}
        _SHELVES.add(self)


_SHELVES: weakref.WeakSet[_Shelf] = weakref.WeakSet()
_HERE = threading.local()  # owns its thread's shelf, so that models go when their thread ends
_KEPT: list[list[_Shelf]] = []


def per_thread(key: Hashable, opener: Callable[[], T]) -> T:
    """Return what `opener` opens, opening it at most once in this process and thread.

    Interpreters and sessions are costly to open and not safe to share between threads, and their
    own threads and locks do not survive a fork. So transforms hold no model; they ask here for one.
    A forked child, such as a worker of a DataLoader, opens its own. What was opened lives until its
    thread or the program ends.

    Parameters
    ----------
    key
        All that `opener` depends on, such as ``("litert", path, threads)``.
    opener
        Called where this thread has nothing under `key` yet. If it raises, the next call tries again.

    Examples
    --------
    >>> first = per_thread(("example", 1), dict)
    >>> per_thread(("example", 1), dict) is first
    True
    """
    shelf: _Shelf | None = getattr(_HERE, "shelf", None)
    if shelf is None or shelf.process != os.getpid():
        shelf = _HERE.shelf = _Shelf()
    if key not in shelf.models:
        shelf.models[key] = opener()
    model: T = shelf.models[key]
    return model


_REDIRECTS = threading.RLock()  # of standard error; no child is forked while one is in force
_SAID: set[bytes] = set()


@contextmanager
def without_line(line: bytes) -> Iterator[None]:
    """Keep a line that a library prints once in a process from standard error, and nothing else.

    What is written meanwhile, by other threads too, is held back and comes right after.
    """
    with _REDIRECTS:
        try:
            kept = None if line in _SAID else os.dup(2)
        except OSError:  # there is no standard error
            kept = None
        _SAID.add(line)
        if kept is None:
            yield
            return
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                held.seek(0)
                if rest := held.read().replace(line, b""):
                    os.write(kept, rest)
                os.close(kept)


def _before_fork() -> None:
    _REDIRECTS.acquire()
    _KEPT.append(list(_SHELVES))


def _after_fork_in_parent() -> None:
    _REDIRECTS.release()
    _KEPT.pop()


if sys.platform != "win32":
    # In the child CPython drops the thread-locals of all threads that did not come along, and with
    # them would run the destructors of their models, which may wait for threads that are not there.
    # The child therefore keeps what it inherited, unused.
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_REDIRECTS.release
    )
