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

    What `items` raises comes after the results of the items before it.
    Once it is closed, no item is being worked on any more. `workers` are the threads; None is one a core.
    `closing` is called at the end, before items that are being worked on are waited for.
    """
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    pending: deque[Future[Result]] = deque()
    ours: set[int] = set()
    pool = ThreadPoolExecutor(workers, "handprep", initializer=lambda: ours.add(threading.get_ident()))
    with single_threaded_opencv():
        try:
            for future in _submitted(pool, function, items):
                pending.append(future)
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


def _submitted(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Future[Result]]:
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:  # noqa: BLE001 - raised in its turn
        last: Future[Result] = Future()
        last.set_exception(error)
        yield last


_CHANGING = threading.RLock()  # OpenCV's number of threads, which is the whole process's; held over a fork
_BEFORE: list[int] = []  # what it was before each of those who now want one thread, the program's own first


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


def _before_fork() -> None:
    _CHANGING.acquire()
    _BEFORE.append(cv2.getNumThreads())
    cv2.setNumThreads(1)


def _after_fork() -> None:
    cv2.setNumThreads(_BEFORE.pop())
    _CHANGING.release()


if hasattr(os, "register_at_fork"):
    # A forked child inherits OpenCV's pool without its threads, and closing that pool, as any
    # cv2.setNumThreads does there, then waits for them forever: so hung 12 of 100 children of a process
    # that had just used the pool. One thread means no pool; each side starts its own when it needs one.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
