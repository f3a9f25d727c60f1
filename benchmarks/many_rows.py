"""Times of what the app does when a threshold moves, on a synthetic catalog of many rows.

    python -m benchmarks.many_rows [--rows 10000000]

For comparison, DuckDB counts one quadrant in the same run.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb

from curation.analysis import grid, quadrants, sampling
from curation.analysis.quadrants import Cut, View
from curation.catalog.catalog import Catalog
from curation.exporters.export import export
from curation.selection.recipe import Recipe
from curation.selection.select import select

T = TypeVar("T")

X, Y = "neg_clip_loss", "norm_sim_inf_animals"
RECIPE = f"steps: [{{score: {X}, top: 0.3}}, {{score: {Y}, top: 0.2}}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.duckdb"
        make(path, rows)
        catalog = timed("open the catalog", lambda: Catalog(path))
        timed("read two scores", lambda: catalog.cache.preload([X, Y]))
        lines = [quadrants.line(catalog, name, Cut("top", 30)) for name in (X, Y)]
        view = View(catalog, X, Y, *lines)
        timed("density of all samples", lambda: grid.grid(catalog, X, Y))
        print("each move of a threshold")
        timed("  counts of four quadrants", view.counts)
        members = timed("  rows of a quadrant", lambda: sampling.quadrant_rows(view, "low_low"))
        timed("  the best of them", lambda: sampling.best_rows(view, members, True, 2400))
        timed("  24 samples, whole", lambda: catalog.rows(members[:24]))
        with duckdb.connect(str(path), read_only=True) as database:
            query = f"SELECT count(*) FROM samples WHERE {X} >= {lines[0]} AND {Y} >= {lines[1]}"
            timed("  (one quadrant by DuckDB)", lambda: database.sql(query).fetchall())
        print("an export, with its recipe, manifest and hashes")
        recipe = Recipe.parse(RECIPE)
        timed("  evaluate a recipe, the first time", lambda: select(recipe, catalog))
        chosen = timed("  evaluate it again", lambda: select(recipe, catalog))
        for name in ("datacomp", "parquet"):
            # Selected again, since a selection caches its sorted uids.
            again = select(recipe, catalog)
            timed(
                f"  {chosen.count:,} samples to {name}",
                lambda n=name, s=again: export(catalog, s, n, Path(folder) / n / "list.out"),
            )
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def make(path: Path, rows: int) -> None:
    """Write a catalog with random scores and the tables of ``curation.pipeline.publish``."""
    columns = {"uid": "sample", "caption": "sample", "image_file": "sample", "url": "sample"}
    columns |= {X: "score", Y: "score"}
    with duckdb.connect(str(path)) as database:
        database.execute(
            f"CREATE TABLE samples AS SELECT md5(i::VARCHAR) AS uid, 'pair ' || i AS caption, "
            f"i || '.jpg' AS image_file, NULL::VARCHAR AS url, "
            f"(-random() - random() * 0.3)::FLOAT AS {X}, random()::FLOAT AS {Y} "
            f"FROM range({rows}) t(i)"
        )
        database.execute("CREATE TABLE columns (name VARCHAR, kind VARCHAR, title VARCHAR)")
        for name, kind in columns.items():
            database.execute("INSERT INTO columns VALUES (?, ?, ?)", [name, kind, name])
        database.execute(
            "CREATE TABLE dataset AS SELECT '' AS source, '' AS reader, '' AS image_root, "
            f"'' AS model, '' AS targets, {rows} AS samples, 0 AS skipped, '' AS published, "
            "'' AS version"
        )


def timed(name: str, work: Callable[[], T]) -> T:
    began = time.perf_counter()
    result = work()
    print(f"{name:<34}{1000 * (time.perf_counter() - began):>8.0f} ms")
    return result


if __name__ == "__main__":
    main()
