"""Handing batches of photos to Ray Data."""

from __future__ import annotations

import math
import pickle
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any, TypeAlias

import ray
from ray.data import ActorPoolStrategy

from handprep.errors import InputError
from handprep.integrations.ray import record
from handprep.integrations.ray.worker import Job, Preparer, Work

Concurrency: TypeAlias = int | tuple[int, int] | None

SMALLEST, LARGEST = 8, 256  # photos: fewer cost too much around them, more are too much to lose
BATCHES_EACH = 8  # at least, for every actor, so that all of them end at about the same time


def check_options(concurrency: Concurrency, batch_size: int | None) -> None:
    """Raise InputError unless both are in their range."""
    bounds = concurrency if isinstance(concurrency, tuple) else (concurrency or 1, concurrency or 1)
    if len(bounds) != 2 or not all(map(_is_count, bounds)) or bounds[0] > bounds[1] or concurrency == 0:
        raise InputError(
            f"concurrency must be a number of actors, 1 or more, or the least and the most of them, not "
            f"{concurrency!r}"
        )
    if batch_size is not None and not _is_count(batch_size):
        raise InputError(f"batch_size must be a number of photos, 1 or more, not {batch_size!r}")


def carry_out(
    job: Job, works: Sequence[Work], *, concurrency: Concurrency = None, batch_size: int | None = None
) -> list[str]:
    """Prepare photos on the cluster, and return the names of the record's files that tell of them.

    Where an actor or its node is lost, Ray starts the actor again, on another node if need be, and gives
    it its batch again: these are Ray Data's defaults.

    Raises
    ------
    Exception
        What stopped an actor from preparing anything, from there.
    """
    if not ray.is_initialized():
        ray.init()  # or the cluster that RAY_ADDRESS names; Ray Data would do the same
    least, most = _actors(concurrency)
    size = batch_size or min(LARGEST, max(SMALLEST, math.ceil(len(works) / (BATCHES_EACH * most))))
    items = [
        {"batch": number, "works": pickle.dumps(works[start : start + size])}
        for number, start in enumerate(range(0, len(works), size))
    ]
    dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        Preparer,
        fn_constructor_args=(job, job.fingerprint()),
        batch_size=None,  # a block, which is one of the items
        batch_format="pyarrow",
        num_cpus=1,
        compute=ActorPoolStrategy(min_size=min(least, len(items)), max_size=min(most, len(items))),
    )
    tables: Generator[Any] = iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow"))
    with closing(tables):  # which ends the actors, also after an error
        for row in (row for table in tables for row in table.to_pylist()):
            if row["error"] is not None:
                raise ray.cloudpickle.loads(row["error"])
    return [record.part_name(job.run, number) for number in range(len(items))]


def _actors(concurrency: Concurrency) -> tuple[int, int]:
    if isinstance(concurrency, tuple):
        return concurrency
    count = concurrency or max(1, int(ray.cluster_resources().get("CPU", 1)))
    return count, count


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
