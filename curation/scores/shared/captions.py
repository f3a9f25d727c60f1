"""Captions as Arrow strings, for scores that read nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from curation.scores.base import Shard

# N strings, None where a caption is missing, or an Arrow string array (pyarrow has no types).
Captions = Sequence[str | None] | Any


def of_shard(shard: Shard) -> pa.Array:
    """The captions of a shard's N samples: strings, "" where a caption is missing."""
    return to_arrow(shard.columns(["caption"]).column("caption"))


def to_arrow(captions: Captions) -> pa.Array:
    """Captions as one Arrow string array of length N, "" where a caption is missing."""
    if isinstance(captions, pa.ChunkedArray):
        captions = captions.combine_chunks()
    array = captions if isinstance(captions, pa.Array) else pa.array(captions, pa.string())
    return array.fill_null("")
