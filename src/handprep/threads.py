"""Work in threads, with OpenCV's own threads out of their way and never across a fork."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

import cv2

from handprep.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    closing: Callable[[], object] | None = None,
) -> Generator[Result]:
    """Yield ``function(item)`` for each item in order, computed in threads, a few items ahead.

    Once it is closed, no item is being worked on any more.

    Parameters
    ----------
    workers
        Threads; None for one a core.
    closing
        Is called at the end, before items that are being worked on are waited for.
    """
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    pending: deque[Future[Result]] = deque()
    ours: set[int] = set()
    pool = ThreadPoolExecutor(workers, "handprep", initializer=lambda: ours.add(threading.get_ident()))
    with single_threaded_opencv():
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                while pending and (len(pending) > 2 * workers or pending[0].done()):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
            pool.shutdown()
        finally:
            # A stream that was dropped is closed by the garbage collector, at any moment and in any thread.
            # To join threads from there hung while one was being started; and none waits for itself.
            unfinished = [future for future in pending if not future.cancel()]
            if closing is not None:
                closing()
            if threading.get_ident() not in ours:
                wait(unfinished)
            pool.shutdown(wait=False)


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV from starting threads within our threads, where they only get in each other's way.

    Its number of threads is the whole process's, so the first to enter sets it and the last to leave
    puts it back: of two generators at work at once, either may end first.
    """
    _OPENCV.enter()
    try:
        yield
    finally:
        _OPENCV.leave()


class _OpenCVThreads:
    """How many threads OpenCV had before we asked for one, and how often that is asked for now."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0
        self.before = 1
        self.at_fork = 1

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                cv2.setNumThreads(self.before)

    def before_fork(self) -> None:
        self.lock.acquire()
        self.at_fork = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def after_fork(self) -> None:
        cv2.setNumThreads(self.at_fork)
        self.lock.release()


_OPENCV = _OpenCVThreads()
if hasattr(os, "register_at_fork"):
    # A forked child inherits OpenCV's pool without its threads, and closing that pool, as any
    # cv2.setNumThreads does there, then waits for them forever: so hung 12 of 100 children of a process
    # that had just used the pool. One thread means no pool; each side starts its own when it needs one.
    os.register_at_fork(
        before=_OPENCV.before_fork,
        after_in_parent=_OPENCV.after_fork,
        after_in_child=_OPENCV.after_fork,
    )
