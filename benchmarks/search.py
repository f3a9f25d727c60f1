"""Exact search over a million embeddings, compared with reading them and with the product alone.

    python -m benchmarks.search [--samples 1000000 --dim 512 --wanted 96]

Random embeddings, float16, in shards of 100,000 in a temporary folder; they stay in the page cache.
The lower bounds are reading the same bytes, and a float32 product with the same chunks. All three
are timed in turn, so that other load affects each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import torch

from benchmarks.many_rows import make
from curation.analysis import embedding_store, search
from curation.catalog.catalog import Catalog
from curation.storage.matrices import save
from curation.storage.workspace import Workspace

SHARD = 100_000
MODEL = "made_up"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("samples", 1_000_000), ("dim", 512), ("wanted", 96), ("repeat", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; {vars(chosen)}")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        embed(workspace, rng, chosen.samples, chosen.dim)
        catalog = Catalog.of(workspace)
        query = rng.normal(size=chosen.dim)
        works = {
            "read": lambda: read(workspace, catalog),
            "product": lambda: product(workspace, catalog, query),
            "search": lambda: search.nearest(workspace, catalog, query, chosen.wanted, MODEL),
        }
        spent: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(chosen.repeat):
            for name, work in works.items():
                spent[name].append(timed(work))
    best = {name: min(times) for name, times in spent.items()}
    for name, seconds in best.items():
        print(
            f"{name:<8} best {1000 * seconds:6.0f} ms, worst {1000 * max(spent[name]):6.0f} ms; "
            f"search takes {best['search'] / seconds:.2f} of it"
        )


def embed(workspace: Workspace, rng: np.random.Generator, samples: int, dim: int) -> None:
    """Write a catalog and the embeddings of its images."""
    make(workspace.catalog, samples)
    folder = workspace.embeddings(MODEL)
    folder.path.mkdir(parents=True)
    with duckdb.connect(str(workspace.catalog)) as database:
        database.execute("CREATE TABLE shards (samples BIGINT, dropped BIGINT[])")
        for shard, start in enumerate(range(0, samples, SHARD)):
            rows = rng.normal(size=(min(SHARD, samples - start), dim)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            save(folder.file(shard, "image.npy"), rows.astype(np.float16))
            database.execute("INSERT INTO shards VALUES (?, [])", [len(rows)])


def read(workspace: Workspace, catalog: Catalog) -> None:
    """Read every byte once."""
    for part in embedding_store.iter_shards(workspace, catalog, "image", MODEL):
        words = part.rows.reshape(-1).view(np.uint64)
        # Parts of 512 kB, which fit into the cache.
        for start in range(0, len(words), 1 << 16):
            words[start : start + (1 << 16)].max()


def product(workspace: Workspace, catalog: Catalog, query: np.ndarray) -> None:
    """The product of the query with each chunk in float32."""
    vector = torch.from_numpy(query.astype(np.float32))
    buffer = torch.empty((search.CHUNK, len(query)))
    for part in embedding_store.iter_shards(workspace, catalog, "image", MODEL):
        whole = torch.from_numpy(part.rows)
        for start in range(0, len(whole), search.CHUNK):
            chunk = whole[start : start + search.CHUNK]
            torch.mv(buffer[: len(chunk)].copy_(chunk), vector)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
