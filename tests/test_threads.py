"""Threads: a few items ahead, in order; OpenCV's own kept out of the way, and out of forks."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from handprep.errors import ImageError, InputError
from handprep.pipeline import Pipeline
from handprep.threads import ordered_map
from handprep.transforms.resize import ResizePad

NOISE = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)


def test_only_a_few_items_are_taken_ahead():
    taken = itertools.count()
    stream = ordered_map(lambda number: number, (next(taken) for _ in range(1000)), workers=2)
    assert [next(stream) for _ in range(10)] == list(range(10))
    assert next(taken) < 20
    stream.close()


def test_what_the_items_raise_comes_after_the_results_of_those_before():
    def broken():
        yield from range(3)
        raise ImageError("cut short")

    done = []
    with pytest.raises(ImageError, match="cut short"):
        done.extend(ordered_map(lambda number: time.sleep(0.01) or number, broken(), workers=2))
    assert done == [0, 1, 2]


def test_there_are_as_many_threads_as_asked_for():
    meeting = threading.Barrier(3, timeout=10)  # passes only when three threads wait at once
    assert list(ordered_map(lambda item: meeting.wait() >= 0, range(6), workers=3)) == [True] * 6


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_below_one_are_refused(workers):
    with pytest.raises(InputError, match="workers"):
        list(ordered_map(str, [], workers=workers))


def test_nothing_is_worked_on_once_a_stream_is_closed():
    working = []

    def slow(number):
        working.append(number)
        time.sleep(0.05)
        working.remove(number)

    stream = ordered_map(slow, itertools.count(), workers=2)
    next(stream)
    stream.close()
    assert working == []


CLOSED_ANYWHERE = """
import itertools, sys, threading, time
from handprep.threads import ordered_map

def begun():
    stream = ordered_map(abs, itertools.count(), workers=1)
    next(stream)
    return stream

streams = [begun() for _ in range(400)]

def strike(frame, event, _):  # at each line of Python's own threading, also where it holds its locks
    if frame.f_code.co_filename == threading.__file__ and streams:
        streams.pop().close()
    return strike

threading.settrace(strike)
sys.settrace(strike)
thread = threading.Thread(target=int)
thread.start()
thread.join()
sys.settrace(None)
threading.settrace(None)

def close_it(number):  # in a thread of the stream's own
    if number == 1:
        others.close()

others = ordered_map(close_it, itertools.count(), workers=1)
next(others)
time.sleep(0.2)
print("closed")
"""


def test_a_stream_can_be_closed_wherever_the_garbage_collector_strikes():
    done = subprocess.run(
        [sys.executable, "-c", CLOSED_ANYWHERE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "closed\n", done.stderr


def test_a_picture_that_fails_ends_the_threads_at_once(two_threads):
    with pytest.raises(ImageError) as caught:
        list(Pipeline([ResizePad(4)]).map([b"broken"], workers=1))
    assert cv2.getNumThreads() == 2  # though the error is still held
    del caught


@pytest.fixture
def two_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(before)


def test_opencv_has_one_thread_meanwhile_and_its_own_again_afterwards(two_threads):
    assert list(ordered_map(lambda _: cv2.getNumThreads(), range(3), workers=2)) == [1, 1, 1]
    assert cv2.getNumThreads() == 2


def test_opencv_has_its_threads_back_whichever_of_two_streams_ends_first(two_threads):
    first, second = (ordered_map(str, range(9), workers=1) for _ in range(2))
    next(first), next(second)
    first.close()
    assert cv2.getNumThreads() == 1
    second.close()
    assert cv2.getNumThreads() == 2


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
def test_children_forked_from_a_process_that_used_opencv_can_work(two_threads):
    """One in eight such children hung in `cv2.setNumThreads` before OpenCV's pool was closed at a fork."""
    fork = multiprocessing.get_context("fork")
    for _ in range(40):
        cv2.GaussianBlur(NOISE, (0, 0), 2)  # has OpenCV's threads wait for more
        child = fork.Process(target=_work)
        child.start()
        child.join(timeout=30)
        alive = child.is_alive()
        child.kill()
        child.join()
        assert not alive
        assert child.exitcode == 0
    assert cv2.getNumThreads() == 2


def _work() -> None:
    assert cv2.getNumThreads() == 2
    list(ordered_map(lambda _: cv2.GaussianBlur(NOISE, (0, 0), 2), range(2), workers=1))
    cv2.GaussianBlur(NOISE, (0, 0), 2)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12: fork beside threads
def test_children_forked_right_after_work_in_threads_can_decode_images():
    """One in 200 hung: a joined thread was still running OpenCV's destructors, under a lock."""
    content = cv2.imencode(".png", NOISE[:64, :64])[1]
    for _ in range(250):
        list(ordered_map(lambda _: cv2.imdecode(content, cv2.IMREAD_COLOR) is None, range(64), workers=8))
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # ends a child that hangs
            cv2.imdecode(content, cv2.IMREAD_COLOR)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
