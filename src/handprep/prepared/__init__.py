"""Prepared images that carry their hands: a folder at a time, or a cache that is filled as it is read."""

from handprep.prepared.cache import PreparedCache, cache_folder
from handprep.prepared.export import export
from handprep.prepared.manifest import Row
from handprep.prepared.record import read
from handprep.prepared.run import RunResult, prepare
from handprep.prepared.table import DetectionTable

__all__ = ["DetectionTable", "PreparedCache", "Row", "RunResult", "cache_folder", "export", "prepare", "read"]
