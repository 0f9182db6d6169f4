"""All networks: each arm with each seed, and again with each origin left out. Finished ones are kept."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from experiment.files import read_json, write_json
from experiment.model import network
from experiment.preparation import Pictures
from experiment.train import Settings, train

HELD_OUT = "held out"  # the set of the origin that was left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One network to train.

    Attributes
    ----------
    arm
        Name of its arm.
    seed
        0 or more.
    without
        The origin that it does not learn from but is tested on, such as ``"train/cgi"``; None for a network
        that learns from all origins.
    """

    arm: str
    seed: int
    without: str | None = None

    @property
    def file(self) -> str:
        """Where its record goes, seen from the folder of records."""
        kind = f"without-{self.without.rpartition('/')[2]}" if self.without else "all-origins"
        return f"{self.arm}/{kind}-seed-{self.seed}.json"

    def chosen(self, pictures: Pictures) -> NDArray[np.bool_]:
        """Return which images it learns from."""
        return (pictures.parts == "train") & (pictures.groups != (self.without or ""))

    def sets(self, pictures: Pictures) -> dict[str, NDArray[np.bool_]]:
        """Return the sets whose accuracy is followed."""
        sets = {part: pictures.parts == part for part in sorted({*pictures.parts} - {"train"})}
        sets["train"] = self.chosen(pictures)
        if self.without:
            sets[HELD_OUT] = pictures.groups == self.without
        return sets


def key_of(run: Run, digest: str, settings: Settings) -> dict[str, Any]:
    """Return all that a record depends on, but for the machine."""
    model = hashlib.sha256(repr([network(2), network(2, (1,))]).encode()).hexdigest()
    return {**asdict(run), "pictures": digest, **asdict(settings), "model": model}


def finished(run: Run, digest: str, settings: Settings, folder: Path) -> dict[str, Any] | None:
    """Return the record of a run if it has been carried out on these images with these settings."""
    record = read_json(folder / run.file)
    return record if record and record["key"] == key_of(run, digest, settings) else None


class Trainer:
    """Trains networks, several at a time, each in a process and thread of its own.

    Results do not depend on how many there are at a time. If this process is killed, the others end, too.

    Parameters
    ----------
    settings
        How to train.
    folder
        Where records go.
    device
        ``"cpu"`` or a GPU.
    jobs
        How many networks at a time; 1 trains in this process.
    """

    def __init__(self, settings: Settings, folder: Path, *, device: str, jobs: int) -> None:
        self._settings, self._folder = settings, folder
        self._work = partial(_train_one, settings=settings, folder=folder, device=device)
        spawn = multiprocessing.get_context("spawn")  # a fork would inherit locks that other threads hold
        self._ticks = spawn.Queue()
        start = (self._ticks,)
        self._pool = ProcessPoolExecutor(jobs, spawn, _begin, start) if jobs > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool:
            if kind:  # Ctrl-C or an error: do not wait for hours
                for process in multiprocessing.active_children():
                    process.terminate()
            self._pool.shutdown(cancel_futures=True)

    def carry_out(self, runs: Sequence[Run], packed: Path, tick: Callable[[], object] = lambda: None) -> None:
        """Train the networks that are not finished and write their records.

        Parameters
        ----------
        runs
            Runs of one arm.
        packed
            The arm's images.
        tick
            Called after each epoch of a network, and for a finished one as many times.
        """
        digest = Pictures.load(packed).digest
        left = [run for run in runs if finished(run, digest, self._settings, self._folder) is None]
        for _ in range(self._settings.epochs * (len(runs) - len(left))):
            tick()
        if self._pool is None:
            for run in left:
                self._work(run, packed, tick)
            return
        self._wait([self._pool.submit(_train_ticking, self._work, run, packed) for run in left], tick)

    def _wait(self, futures: Sequence[Future[None]], tick: Callable[[], object]) -> None:
        """Pass ticks on until all is done, and raise what went wrong as soon as it did."""
        due = self._settings.epochs * len(futures)
        while due:
            for future in futures:
                if future.done():
                    future.result()
            with contextlib.suppress(queue.Empty):
                self._ticks.get(timeout=0.5)
                due -= 1
                tick()
        for future in futures:
            future.result()


def _train_one(
    run: Run, packed: Path, tick: Callable[[], object], *, settings: Settings, folder: Path, device: str
) -> None:
    pictures = Pictures.load(packed)
    record = train(
        pictures,
        run.chosen(pictures),
        run.sets(pictures),
        settings=settings,
        seed=run.seed,
        device=device,
        tick=tick,
    )
    write_json(folder / run.file, {"key": key_of(run, pictures.digest, settings), **record})


_inbox: dict[str, Any] = {}  # in a process that trains: where its ticks go


def _begin(ticks: Any) -> None:
    """Make this process end when the one that started it is gone, even if that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other process, which ends this one
    _inbox["ticks"] = ticks
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train_ticking(work: Callable[..., None], run: Run, packed: Path) -> None:
    work(run, packed, lambda: _inbox["ticks"].put(None))
