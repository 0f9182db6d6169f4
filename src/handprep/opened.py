"""Open models: once a process and thread, and never across a fork."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable, Hashable
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
    A forked child, such as a worker of a DataLoader, opens its own.

    Parameters
    ----------
    key
        Names all that `opener` depends on, such as ``("litert", path, threads)``. The same key must
        always open the same thing.
    opener
        Called without arguments where this thread has nothing under `key` yet. If it raises, the
        error goes to the caller and the next call tries again.

    Returns
    -------
    T
        The opened object. It lives until its thread or the program ends.

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


def _close_all() -> None:
    # Now, while the interpreter still works: a landmarker of mediapipe's that is left to the
    # interpreter's own teardown prints a traceback from its __del__.
    for shelf in list(_SHELVES):
        if shelf.process == os.getpid():
            shelf.models.clear()


def _before_fork() -> None:
    _KEPT.append(list(_SHELVES))


def _after_fork_in_parent() -> None:
    _KEPT.pop()


atexit.register(_close_all)
if sys.platform != "win32":
    # In the child CPython drops the thread-locals of all threads that did not come along, and with
    # them would run the destructors of their models, which may wait for threads that are not there.
    # The child therefore keeps what it inherited, unused.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
