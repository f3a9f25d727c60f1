"""Near-duplicate images: SemDeDup, within clusters of image embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation import uids
from curation.scores import in_memory
from curation.scores.base import (
    Column,
    Data,
    Floats,
    Parameter,
    Rows,
    Score,
    Scorer,
    Shard,
    Side,
    check_parameters,
)
from curation.scores.shared import dataset_rows

# About as in SemDeDup: 440 million samples in 50,000 clusters.
PER_CLUSTER = 8192
# Rows in memory at a time, unless one cluster has more: 134 MB at d = 512.
_ROWS_IN_MEMORY = 1 << 16
# Upper bound on the float32 rounding error of a cosine.
_ROUNDING = 1e-6


class DuplicateOf:
    """Which samples are near duplicates of a kept sample of their cluster, in the order of uids."""

    name = "duplicate_of"
    title = "Duplicate of"
    help = (
        "The original of this sample: a sample with nearly the same image that is no duplicate "
        "itself. Missing for originals. Without the duplicates, the dataset still has every image."
    )
    source = "SemDeDup, Abbas et al. 2023, arXiv 2303.09540; keeps the smallest uid"
    needs: frozenset[Side] = frozenset({"image"})
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "duplicate_cosine",
            float,
            0.95,
            "cosine of two images from which they are near duplicates; 1 finds exact copies",
            minimum=0,
            exclusive=True,
            maximum=1,
        ),
        Parameter(
            "clusters",
            int,
            0,
            "clusters of images; images are compared within a cluster. 0 is one per "
            f"{PER_CLUSTER:,} samples, 1 compares all images",
            minimum=0,
        ),
        Parameter(
            "cluster_seed",
            int,
            0,
            "seed of the training sample of the clusters",
            minimum=0,
        ),
    )
    default = False

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        threshold = parameters["duplicate_cosine"]
        return [
            Column(
                "is_duplicate",
                "Duplicate",
                "Whether the image is nearly the same as that of a kept sample (cosine of at least "
                f"{threshold:g}).",
                type="bool",
                kind="measure",
            ),
            Column(self.name, self.title, self.help, of="is_duplicate", type="string"),
            Column(
                "duplicate_cosine",
                "Duplicate, cosine",
                "Cosine of the image and the image of its original.",
                of="is_duplicate",
            ),
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 2

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Compute everything here, since duplicates cross shards; the scorer looks up results."""
        words = dataset_rows.all_uids(data.shards)
        result = _find_duplicates(data, words, parameters)
        rows = dataset_rows.rows_by_index(data.shards)

        def look_up(shard: Shard, device: str) -> dict[str, Any]:
            original = result.duplicate_of[rows[shard.index]]
            is_duplicate = original >= 0
            names = uids.to_hex(words[np.where(is_duplicate, original, 0)])
            return {
                "is_duplicate": is_duplicate,
                self.name: pc.if_else(pa.array(is_duplicate), names, None),
                "duplicate_cosine": result.cosine[rows[shard.index]],
            }

        return look_up


class DuplicateResult(NamedTuple):
    """For each of N rows, its original and the cosine of the two.

    Attributes:
        duplicate_of: the row of the original, shape (N,), int64; −1 where a row is no duplicate.
        cosine: shape (N,), float32, in [−1, 1]; NaN where a row is no duplicate.
    """

    duplicate_of: NDArray[np.int64]
    cosine: Floats


def duplicate_of(
    image: Rows,
    *,
    duplicate_cosine: float = 0.95,
    clusters: int = 0,
    cluster_seed: int = 0,
    device: str = "auto",
) -> DuplicateResult:
    """Near duplicates among image embeddings, each with the kept row that is nearest to it.

    SemDeDup (arXiv 2303.09540, section 3) with two changes. Of near duplicates it keeps the first
    row (in a dataset, the smallest uid), not the row farthest from its cluster's centroid, so
    neither rounding nor the clusters decide which one is kept. And only kept rows have duplicates,
    so every duplicate has a kept row near it: of a chain a ~ b ~ c where a and c are not near each
    other, both a and c are kept.

    Args:
        image: image embeddings, shape (N, d), any float type; rows are scaled to unit length. A
            row that is zero or not finite is no duplicate and has none.
        duplicate_cosine: the cosine from which two rows are near duplicates, in (0, 1]; exact to
            within 1e-6.
        clusters: number of spherical k-means clusters; near duplicates in different clusters are
            missed. 0 means one per 8,192 rows. With 1 (so also with 0 below 16,384 rows), all rows
            are compared.
        cluster_seed: of the draw of rows that k-means is trained on.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Raises:
        CurationError: the shape is not (N, d) or a parameter is out of range.
    """
    values = check_parameters(
        SCORE,
        {
            "duplicate_cosine": duplicate_cosine,
            "clusters": clusters,
            "cluster_seed": cluster_seed,
        },
    )
    data = in_memory.data(image, device=device)
    return _find_duplicates(data, dataset_rows.all_uids(data.shards), values)


def _find_duplicates(
    data: Data, words: uids.Words, parameters: Mapping[str, Any]
) -> DuplicateResult:
    """The duplicates among a dataset's N rows with uids ``words``, (N, 2)."""
    import torch

    from curation.scores.deduplication import spherical_k_means
    from curation.scores.deduplication.near_duplicates import find_originals

    threshold = parameters["duplicate_cosine"] - _ROUNDING
    clusters = parameters["clusters"] or max(1, len(words) // PER_CLUSTER)
    cluster = spherical_k_means.assign(data, words, clusters, parameters["cluster_seed"])
    # The first row of each uid, since the catalog leaves out the others, by cluster and then uid.
    order = uids.first_occurrences(words)
    order = order[cluster[order] >= 0]
    order = order[np.argsort(cluster[order], kind="stable")]
    original = np.full(len(words), -1, dtype=np.int64)
    cosine = np.full(len(words), np.nan, dtype=np.float32)
    for group in _groups(cluster[order]):
        rows = order[group.start : group.stop]
        image = torch.from_numpy(dataset_rows.unit_rows(data.shards, rows, "image")[0])
        image = image.to(data.devices[0])
        for part in group.clusters:
            members = rows[part]
            member_original, member_cosine = find_originals(image[part], threshold)
            original[members] = np.where(member_original >= 0, members[member_original], -1)
            cosine[members] = member_cosine
        data.advance(len(rows))
    data.advance(len(words) - len(order))
    return DuplicateResult(original, cosine)


@dataclass(frozen=True)
class _Group:
    """Consecutive clusters that are in memory together.

    Attributes:
        start, stop: their rows.
        clusters: the rows of each cluster, counted from ``start``.
    """

    start: int
    stop: int
    clusters: list[slice]


def _groups(cluster: NDArray[np.int64]) -> Iterator[_Group]:
    """Groups of whole clusters with at most ``_ROWS_IN_MEMORY`` rows, or of one larger cluster.

    Args:
        cluster: of each row, sorted, shape (n,).
    """
    edges = [*np.flatnonzero(np.diff(cluster, prepend=-1)).tolist(), len(cluster)]
    first = 0
    for last in range(1, len(edges)):
        start, stop = edges[first], edges[last]
        if last == len(edges) - 1 or edges[last + 1] - start > _ROWS_IN_MEMORY:
            members = [slice(a - start, b - start) for a, b in pairwise(edges[first : last + 1])]
            yield _Group(start, stop, members)
            first = last


SCORE: Score = DuplicateOf()
