"""Captions as the scores take them that look at nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from curation.scores.base import Shard

# Strings, None where one is missing, or an Arrow array of them.
Captions = Sequence[str | None] | Any


def of(shard: Shard) -> pa.Array:
    """A shard's captions."""
    return strings(shard.columns(["caption"]).column("caption"))


def strings(captions: Captions) -> pa.Array:
    """Captions as one Arrow array of text (N,), a missing one as an empty one."""
    if isinstance(captions, pa.ChunkedArray):
        captions = captions.combine_chunks()
    array = captions if isinstance(captions, pa.Array) else pa.array(captions, pa.string())
    return array.fill_null("")
