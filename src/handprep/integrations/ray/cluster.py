"""Handing batches of photos to Ray Data."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from contextlib import closing
from typing import Any, TypeAlias

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy

from handprep.errors import InputError
from handprep.integrations.ray.worker import SCHEMA, Job, Preparer, Work

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


def carry_out(job: Job, works: Sequence[Work], concurrency: Concurrency, batch_size: int | None) -> pa.Table:
    """Prepare photos on the cluster, and return their rows, with the columns of `SCHEMA`.

    Where an actor or its node is lost, Ray starts the actor again, on another node if need be, and gives
    it its batch again: these are Ray Data's defaults.
    """
    if not works:
        return SCHEMA.empty_table()
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
        fn_constructor_args=(job,),
        batch_size=None,  # a block, which is one of the items
        batch_format="pyarrow",
        num_cpus=1,
        compute=ActorPoolStrategy(min_size=min(least, len(items)), max_size=min(most, len(items))),
    )
    tables: list[pa.Table] = []
    with closing(iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow"))) as arriving:
        for table in arriving:  # closing it ends the actors, also after an error
            for error in table["error"].drop_null().to_pylist():
                raise ray.cloudpickle.loads(error)
            tables.append(table.cast(SCHEMA))
    return pa.concat_tables(tables)


def _actors(concurrency: Concurrency) -> tuple[int, int]:
    if isinstance(concurrency, tuple):
        return concurrency
    count = concurrency or max(1, int(ray.cluster_resources().get("CPU", 1)))
    return count, count


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
