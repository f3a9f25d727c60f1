"""Near copies of an image: SemDeDup, by clusters of image embeddings."""

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

# About what SemDeDup had: 440 million samples in 50,000 clusters.
PER_CLUSTER = 8192
# Rows in memory at once, unless one cluster alone has more: 134 MB at d = 512.
_GATHERED = 1 << 16
# How far rounding moves a cosine of float32.
_ROUNDING = 1e-6


class DuplicateOf:
    """In uid order, an image that a kept one of its cluster nearly equals is its duplicate."""

    name = "duplicate_of"
    title = "Duplicate of"
    help = (
        "The sample that stands for this one, whose image is nearly the same; missing where the "
        "sample stands for itself. That one is never a duplicate itself, so what is left without "
        "duplicates still shows every image."
    )
    source = "SemDeDup, Abbas et al. 2023, arXiv 2303.09540; the smallest uid stands for the rest"
    needs: frozenset[Side] = frozenset({"image"})
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "duplicate_cosine",
            float,
            0.95,
            "cosine of two images from which they count as one; 1 finds exact copies",
            minimum=0,
            exclusive=True,
            maximum=1,
        ),
        Parameter(
            "clusters",
            int,
            0,
            "clusters of images that are compared with each other; 0 "
            f"takes one for each {PER_CLUSTER:,} samples, 1 compares all with all",
            minimum=0,
        ),
        Parameter("cluster_seed", int, 0, "seed of the clusters", minimum=0),
    )
    default = False

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        least = parameters["duplicate_cosine"]
        return [
            Column(
                "is_duplicate",
                "Duplicate",
                f"Whether a sample with nearly the same image (cosine of at least {least:g}) "
                "stands for this one.",
                type="bool",
                kind="measure",
            ),
            Column(self.name, self.title, self.help, of="is_duplicate", type="string"),
            Column(
                "duplicate_cosine",
                "Duplicate, cosine",
                "Cosine of the image to that of the sample that stands for it.",
                of="is_duplicate",
            ),
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 2

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Duplicates cross shards, so everything is computed here and looked up by shard."""
        words = dataset_rows.all_uids(data.shards)
        found = _find(data, words, parameters)
        first = dataset_rows.first_rows(data.shards)
        place = {shard.index: position for position, shard in enumerate(data.shards)}

        def look_up(shard: Shard, device: str) -> dict[str, Any]:
            position = place[shard.index]
            rows = slice(first[position], first[position + 1])
            other = found.duplicate_of[rows]
            is_duplicate = other >= 0
            names = uids.to_hex(words[np.where(is_duplicate, other, 0)])
            return {
                "is_duplicate": is_duplicate,
                self.name: pc.if_else(pa.array(is_duplicate), names, None),
                "duplicate_cosine": found.cosine[rows],
            }

        return look_up


class DuplicateResult(NamedTuple):
    """For each of N rows, the row that stands for it, and the cosine of the two.

    Attributes:
        duplicate_of: (N,), int64; −1 where the row is no duplicate.
        cosine: (N,), float32; NaN where the row is no duplicate.
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
    """Near copies among image embeddings, each with the earliest kept row that is nearest to it.

    SemDeDup (arXiv 2303.09540, section 3) with two changes. The smallest uid (here: the first
    row) stands for its near copies, where SemDeDup keeps what lies farthest from its cluster's
    centroid: so neither rounding nor other clusters change who does. And only a kept row makes
    others its duplicates, so that every duplicate has a kept row near it: of a chain a ~ b ~ c
    whose ends are unlike, both ends stay.

    Args:
        image: image embeddings, shape (N, d); rows are brought to unit length.
        duplicate_cosine: in (0, 1], the least cosine of a duplicate, to within 1e-6.
        clusters: of spherical k-means; copies that fall into two clusters are missed. 0 is one
            for each 8,192 rows; with 1, as that is below 16,384 rows, nothing is missed.
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
    return _find(data, dataset_rows.all_uids(data.shards), values)


def _find(data: Data, words: uids.Words, parameters: Mapping[str, Any]) -> DuplicateResult:
    import torch

    from curation.scores.deduplication import spherical_k_means
    from curation.scores.deduplication.near_duplicates import stand_ins

    least = parameters["duplicate_cosine"] - _ROUNDING
    wanted = parameters["clusters"] or max(1, len(words) // PER_CLUSTER)
    cluster = spherical_k_means.assign(data, words, wanted, parameters["cluster_seed"])
    # In uid order, the first row of each uid: the catalog leaves out the others.
    ranked = uids.first_of_each(words)
    ranked = ranked[cluster[ranked] >= 0]
    ranked = ranked[np.argsort(cluster[ranked], kind="stable")]
    other = np.full(len(words), -1, dtype=np.int64)
    cosine = np.full(len(words), np.nan, dtype=np.float32)
    for together in _groups(cluster[ranked]):
        rows = ranked[together.start : together.stop]
        image = torch.from_numpy(dataset_rows.unit_rows(data.shards, rows, "image")[0])
        image = image.to(data.devices[0])
        for part in together.clusters:
            members = rows[part]
            stand_in, near = stand_ins(image[part], least)
            other[members] = np.where(stand_in >= 0, members[stand_in], -1)
            cosine[members] = near
        data.advance(len(rows))
    data.advance(len(words) - len(ranked))
    return DuplicateResult(other, cosine)


@dataclass(frozen=True)
class _Group:
    """Clusters that are gathered together: where, and where each lies among them."""

    start: int
    stop: int
    clusters: list[slice]


def _groups(cluster: NDArray[np.int64]) -> Iterator[_Group]:
    """Whole clusters, of a sorted (n,) array of them, until there are rows enough."""
    edges = [*np.flatnonzero(np.diff(cluster, prepend=-1)).tolist(), len(cluster)]
    first = 0
    for last in range(1, len(edges)):
        start, stop = edges[first], edges[last]
        if last == len(edges) - 1 or edges[last + 1] - start > _GATHERED:
            cuts = edges[first : last + 1]
            inside = [slice(a - start, b - start) for a, b in pairwise(cuts)]
            yield _Group(start, stop, inside)
            first = last


SCORE: Score = DuplicateOf()
