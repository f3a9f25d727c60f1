"""Executors, which run tasks on shards: one file each, registered here."""

from __future__ import annotations

from curation.executors.base import Executor
from curation.executors.local import LocalExecutor

EXECUTORS: dict[str, type[Executor]] = {"local": LocalExecutor}
