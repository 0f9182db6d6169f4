"""Local Ray clusters for tests, and photos for them to prepare."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from handprep.prepared.manifest import COLUMNS, Row
from tests.rendered import Rendered, photos

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tell nobody
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # leave no token in the home folder

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'handprep[ray]'")

STORE = 100 << 20  # bytes, of 78 MB at least; Ray would take 30 % of the memory


@contextmanager
def one_node(cores: int = 2) -> Iterator[None]:
    """Run a cluster of one node: an own one, also where something has left another one running."""
    options = {"include_dashboard": False, "object_store_memory": STORE, "log_to_driver": False}
    ray.init("local", num_cpus=cores, **options)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def two_nodes() -> Iterator[tuple[Any, Any]]:
    """Run a cluster of two nodes with a core each; give it, and the node that the driver is not on."""
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})
    try:
        nodes = {node.node_id: node for node in (cluster.head_node, cluster.add_node(**options))}
        ray.init(address=cluster.address, log_to_driver=False)
        del nodes[cluster.head_node.node_id]
        (other,) = nodes.values()
        assert ray.get_runtime_context().get_node_id() == cluster.head_node.node_id
        yield cluster, other
    finally:
        ray.shutdown()
        cluster.shutdown()


def hands(folder: Path, times: int = 1) -> Path:
    """Copy the rendered hands to ORIGIN/CLASS/NAME in a folder, several times under other names."""
    for hand in photos():
        for number in range(times):
            copy_of(hand, folder / f"{'near' if number % 2 else 'far'}/{hand.label}", f"{number}-")
    return folder


def copy_of(hand: Rendered, folder: Path, prefix: str = "") -> Path:
    """Copy a rendered hand."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(hand.path, folder / f"{prefix}{hand.path.name}"))


def rows(dst: Path) -> list[Row]:
    """Return the rows of the manifest, without milliseconds."""
    table = pq.read_table(dst / "manifest.parquet").select(list(COLUMNS))
    return [Row.from_cells({**cells, "milliseconds": 0.0}) for cells in table.to_pylist()]
