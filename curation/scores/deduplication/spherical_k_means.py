"""Spherical k-means on a dataset's image embeddings (Dhillon and Modha, Machine Learning 42, 2001).

Written with torch, which the project needs anyway: a library with an OpenMP runtime of its own,
such as FAISS, crashes beside torch on macOS.
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
# Training rows per cluster.
TRAINED_ON = 64
# Cosines in memory at a time: 128 MB of float32.
_TILE = 1 << 25


def assign(data: Data, words: uids.Words, clusters: int, seed: int) -> NDArray[np.int64]:
    """The cluster of each sample's image.

    The centroids are trained on samples drawn by uid, so they depend neither on the order of the
    samples nor on their shards. Reports progress on every sample once.

    Args:
        data: the dataset.
        words: its uids, shape (N, 2).
        clusters: how many, at least 1; fewer if there are fewer training rows.
        seed: of the draw.

    Returns:
        Shape (N,), from 0; −1 where the embedding is zero or not finite.
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
            assigned = nearest(torch.from_numpy(rows).to(device), centroids).cpu().numpy()
            cluster[start : start + len(rows)] = np.where(bad, -1, assigned)
            start += len(rows)
            data.advance(len(rows))
    return cluster


def train(rows: torch.Tensor, clusters: int) -> torch.Tensor:
    """Centroids at unit length.

    Starts from the first rows, so that equal rows in an equal order give equal centroids. A
    centroid that is nearest to no row does not move.

    Args:
        rows: unit rows, shape (n, d).
        clusters: at most n.

    Returns:
        Shape (clusters, d).
    """
    centroids = rows[:clusters].clone()
    for _ in range(ITERATIONS):
        sums = torch.zeros_like(centroids).index_add_(0, nearest(rows, centroids), rows)
        lengths = sums.norm(dim=1, keepdim=True)
        centroids = torch.where(lengths > 0, sums / lengths, centroids)
    return centroids


def nearest(rows: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """The centroid with the largest cosine to each of n rows: (n,), int64."""
    size = max(1, _TILE // len(centroids))
    parts = [(rows[part] @ centroids.T).argmax(dim=1) for part in chunks(len(rows), size)]
    return torch.cat([torch.empty(0, dtype=torch.int64, device=rows.device), *parts])
