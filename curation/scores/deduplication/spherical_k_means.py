"""Clusters of a dataset's image embeddings: spherical k-means, on any device.

Dhillon and Modha, Machine Learning 42, 2001. Written with torch, which is here already: a second
library with an OpenMP of its own beside it crashes on macOS.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curation import uids
from curation.scores.base import Data
from curation.scores.shared import dataset_rows
from curation.scores.shared.normalize import chunks, unit

ITERATIONS = 10
# Rows a cluster that the centroids are trained on.
TRAINED_ON = 64
# Cosines of one tile: 128 MB of float32.
_TILE = 1 << 25


def assign(data: Data, words: uids.Words, clusters: int, seed: int) -> NDArray[np.int64]:
    """The cluster of each sample's image, (N,); −1 where its embedding is unusable.

    The centroids are trained on samples drawn by uid, so that they depend neither on the order of
    the samples nor on their shards.
    """
    device = data.devices[0]
    drawn = np.argsort(uids.draw_keys(words, seed, 0), kind="stable")[: TRAINED_ON * clusters]
    rows, bad = dataset_rows.unit_rows(data.shards, drawn, "image")
    usable = rows[~bad] if not bad.all() else np.zeros_like(rows, shape=(1, rows.shape[1]))
    centroids = train(torch.from_numpy(usable).to(device), min(clusters, len(usable)))
    cluster = np.empty(len(words), dtype=np.int64)
    start = 0
    for shard in data.shards:
        embeddings = shard.image
        for part in chunks(len(shard)):
            rows, bad = unit(embeddings[part])
            found = nearest(torch.from_numpy(rows).to(device), centroids).cpu().numpy()
            cluster[start : start + len(rows)] = np.where(bad, -1, found)
            start += len(rows)
            data.advance(len(rows))
    return cluster


def train(rows: torch.Tensor, clusters: int) -> torch.Tensor:
    """Centroids (clusters, d) at unit length of unit rows (n, d), n ≥ clusters.

    Starts from the first rows, so the same rows in the same order give the same centroids. A
    centroid that is nearest to no row stays where it is.
    """
    centroids = rows[:clusters].clone()
    for _ in range(ITERATIONS):
        sums = torch.zeros_like(centroids).index_add_(0, nearest(rows, centroids), rows)
        lengths = sums.norm(dim=1, keepdim=True)
        centroids = torch.where(lengths > 0, sums / lengths, centroids)
    return centroids


def nearest(rows: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """The centroid with the largest cosine to each row: (n,), int64."""
    size = max(1, _TILE // len(centroids))
    parts = [(rows[part] @ centroids.T).argmax(dim=1) for part in chunks(len(rows), size)]
    return torch.cat([torch.empty(0, dtype=torch.int64, device=rows.device), *parts])
