"""Models are opened once a thread and process, and never used across a fork."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import pytest

from handprep.runtime import per_thread, without_line

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Model:
    """Something that was opened, and tells a pipe when it is destroyed."""

    def __init__(self, farewell: int | None = None) -> None:
        self.process, self.thread, self.farewell = os.getpid(), threading.get_ident(), farewell

    def __del__(self) -> None:
        if self.farewell is not None:
            os.write(self.farewell, b"destroyed ")


def said_by_a_fork(speak: Callable[[], str]) -> str:
    """Fork, call a function in the child, and return what it and its destructors wrote."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, speak().encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read().decode()


def test_a_thread_opens_a_key_once() -> None:
    assert per_thread(("once", 1), Model) is per_thread(("once", 1), Model)
    assert per_thread(("once", 1), Model) is not per_thread(("once", 2), Model)


def test_each_thread_opens_its_own() -> None:
    gate = threading.Barrier(4)

    def work() -> tuple[int, int, int]:
        gate.wait(10)  # so that four threads take part
        first, again = per_thread("own", Model), per_thread("own", Model)
        gate.wait(10)
        assert first is again
        return id(first), first.thread, threading.get_ident()

    with ThreadPoolExecutor(4) as pool:
        results = [job.result(10) for job in [pool.submit(work) for _ in range(4)]]
    assert len({model for model, _, _ in results}) == 4
    assert all(opened_by == used_by for _, opened_by, used_by in results)


def test_an_error_goes_to_the_caller_and_the_next_call_tries_again() -> None:
    def fails() -> Model:
        raise OSError("no such model")

    with pytest.raises(OSError, match="no such model"):
        per_thread("flaky", fails)
    assert isinstance(per_thread("flaky", Model), Model)


def test_models_go_when_their_thread_ends() -> None:
    left: list[weakref.ref[Model]] = []
    thread = threading.Thread(target=lambda: left.append(weakref.ref(per_thread("ends", Model))))
    thread.start()
    thread.join()
    gc.collect()
    assert left[0]() is None


@forks
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12: fork beside threads
def test_a_fork_opens_its_own_and_leaves_what_it_inherited_alone() -> None:
    reader, farewell = os.pipe()
    mine = per_thread("forked", lambda: Model(farewell))
    opened, done = threading.Event(), threading.Event()

    def other() -> None:
        per_thread("forked elsewhere", lambda: Model(farewell))
        opened.set()
        done.wait(30)

    thread = threading.Thread(target=other)
    thread.start()
    assert opened.wait(10)

    def in_the_child() -> str:
        own = per_thread("forked", Model)
        gc.collect()
        os.write(farewell, b"end")
        return f"{own is mine} {own.process == os.getpid()}"

    said = said_by_a_fork(in_the_child)
    assert said == "False True"
    assert os.read(reader, 100) == b"end"  # no destructor ran in the child, of this thread or the other
    done.set()
    thread.join()
    assert os.read(reader, 100) == b"destroyed "  # the other thread's, here, as it ended
    assert per_thread("forked", Model) is mine
    mine.farewell = None
    os.close(reader)
    os.close(farewell)


@forks
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_of_a_fork_opens_its_own_too() -> None:
    per_thread("deep", Model)

    def in_the_child() -> str:
        own = per_thread("deep", Model)
        return (
            said_by_a_fork(lambda: f"{per_thread('deep', Model) is own}")
            + f" {per_thread('deep', Model) is own}"
        )

    assert said_by_a_fork(in_the_child) == "False True"


def test_one_line_of_standard_error_is_left_out_and_all_others_come(capfd):
    def write(*lines: bytes) -> None:
        for line in lines:
            os.write(2, line)

    with without_line(b"noise\n"):
        other = threading.Thread(target=write, args=(b"of another thread\n",))
        other.start()
        other.join()
        write(b"noise\n", b"kept\n")
    write(b"after\n")
    assert capfd.readouterr().err == "of another thread\nkept\nafter\n"
    with without_line(b"noise\n"):  # a library prints it once
        write(b"noise\n")
    assert capfd.readouterr().err == "noise\n"


@forks
def test_a_child_forked_meanwhile_has_its_own_standard_error(capfd):
    inside, forked = threading.Event(), threading.Event()

    def open_slowly() -> None:
        with without_line(b"slow noise\n"):
            inside.set()
            forked.wait(1)  # in vain: the fork waits for this to end

    opening = threading.Thread(target=open_slowly)
    opening.start()
    inside.wait()

    def speak() -> str:
        os.write(2, b"of the child\n")
        return ""

    said_by_a_fork(speak)
    forked.set()
    opening.join()
    assert capfd.readouterr().err == "of the child\n"


def test_opening_the_detector_prints_nothing():
    code = (
        "import numpy as n, handprep.detection as d; d.LiteRTDetector().detect(n.zeros((9, 9, 3), n.uint8))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b""
    assert b"XNNPACK" not in done.stderr
    if tuple(map(int, version("ai-edge-litert").split(".")[:2])) >= (2, 1):  # 2.0 logs when it is imported
        assert done.stderr == b""
