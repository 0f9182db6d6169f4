"""Work in threads, with OpenCV's own threads out of their way."""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from handprep.errors import InputError
from handprep.runtime import note_thread, single_threaded_opencv

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

    def begin() -> None:
        ours.add(threading.get_ident())
        note_thread()

    pool = ThreadPoolExecutor(workers, "handprep", initializer=begin)
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
