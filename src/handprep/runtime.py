"""Open models, once a process and thread and never across a fork; what is the whole process's."""

import os
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import cv2

T = TypeVar("T")


class _Shelf(dict[Hashable, Any]):
    """What one thread has opened, by process and key."""


_HERE = threading.local()  # owns its thread's shelf, so that models go when their thread ends
_SHELVES: weakref.WeakValueDictionary[int, _Shelf] = weakref.WeakValueDictionary()
_KEPT: list[list[_Shelf | None]] = []


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
    if shelf is None:
        shelf = _HERE.shelf = _Shelf()
        _SHELVES[id(shelf)] = shelf
    key = os.getpid(), key
    if key not in shelf:
        shelf[key] = opener()
    model: T = shelf[key]
    return model


_CHANGING = threading.RLock()  # what is the whole process's: standard error, OpenCV's threads
_SAID: set[bytes] = set()
_BEFORE: list[int] = []  # OpenCV's threads before each of those who now want one, the program's own first
_OURS: set[int] = set()  # the system's numbers of threads that handprep started
_EXIT_SECONDS = 0.5  # for a thread to leave the process after Python has joined it; microseconds are usual


@contextmanager
def without_line(line: bytes) -> Iterator[None]:
    """Keep a line that a library prints once in a process from standard error, and nothing else.

    What is written meanwhile, by other threads too, is held back and comes right after.
    """
    with _CHANGING:
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


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV from starting threads within our threads, where they only get in each other's way.

    The last to leave puts the program's number back: of two generators at work at once, either may end first.
    """
    with _CHANGING:
        _BEFORE.append(cv2.getNumThreads())
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _CHANGING:
            before = _BEFORE.pop()
            if not _BEFORE:
                cv2.setNumThreads(before)


def note_thread() -> None:
    """Remember the thread that calls this, which a fork then waits for while it ends."""
    _OURS.add(threading.get_native_id())


def _before_fork() -> None:
    _CHANGING.acquire()
    ended = _OURS - {thread.native_id for thread in threading.enumerate()}
    deadline = time.monotonic() + _EXIT_SECONDS
    while any(os.path.exists(f"/proc/self/task/{number}") for number in ended):  # noqa: PTH110 - often
        if time.monotonic() > deadline:
            break
        time.sleep(0.0001)
    _OURS.difference_update(ended)
    _KEPT.append([shelf() for shelf in _SHELVES.valuerefs()])
    _BEFORE.append(cv2.getNumThreads())
    cv2.setNumThreads(1)


def _after_fork_in_child() -> None:
    cv2.setNumThreads(_BEFORE.pop())
    _CHANGING.release()


def _after_fork_in_parent() -> None:
    _KEPT.pop()
    _after_fork_in_child()


if sys.platform != "win32":
    # A forked child inherits OpenCV's pool without its threads, and closing that pool, as any
    # cv2.setNumThreads does there, then waits for them forever: so hung 12 of 100 children of a process
    # that had just used the pool. One thread means no pool; each side starts its own when it needs one.
    # CPython drops there the thread-locals of all threads that did not come along, and with them would run
    # the destructors of their models, which may wait for such threads, too: the child keeps them, unused.
    # A thread that Python has joined may still run C++ destructors under OpenCV's locks, which the child then
    # waits for: so hung 4 of 1,500.
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
