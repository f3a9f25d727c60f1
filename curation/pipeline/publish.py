"""The publish stage: a workspace's shards in, one ``catalog.duckdb`` out, replaced as a whole.

Every finished score folder is published whose samples, embeddings and target have not changed since
it was made; the others are left out with a warning. The catalog is always made again completely.

Tables of the catalog:

- ``samples``: one row for each sample, in the order of the source; ``rowid`` counts from 0. The
  columns that every sample has, those of the source, and the scores (NULL where one is missing).
- ``skipped``: what was left out, at which stage, and why.
- ``shards``: the number of samples that each shard was read with, and the rows of them that
  ``samples`` lacks. Embeddings have a row for every sample read, so this locates them.
- ``columns``: the meaning of each column of ``samples``, and how a score was made.
- ``dataset``: one row: source, reader, model, targets, counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curation import __version__, uids
from curation.errors import CurationError
from curation.pipeline import all_targets, score_folders, staging
from curation.pipeline import schema as schemas
from curation.pipeline.all_targets import Combined
from curation.pipeline.read import SKIPPED_SCHEMA
from curation.pipeline.score_folders import ScoreRecord
from curation.progress import Progress
from curation.readers.base import SAMPLE_COLUMNS
from curation.scores.base import Column
from curation.storage.atomic import atomic
from curation.storage.workspace import Workspace, now

# As DataComp's metadata calls them: clip_b32_similarity_score, clip_l14_similarity_score.
_STORED_CLIP = re.compile(r"clip_(\w+)_similarity_score")
_SKIPPED = pa.schema(
    [("stage", pa.string()), *(field for field in SKIPPED_SCHEMA if field.name != "row")]
)


@dataclass(frozen=True)
class Published:
    """What a catalog holds."""

    samples: int
    skipped: int
    columns: tuple[str, ...]


def publish(workspace: Workspace, progress: Progress) -> Published:
    """Make the catalog from everything that is finished; processes that read the old one keep it.

    Raises:
        CurationError: the dataset was not read to the end, or the catalog cannot be written.
    """
    staging.finish(workspace)
    finished = _current_scores(workspace, progress)
    combined = all_targets.combined(workspace, finished)
    records = score_folders.in_order([*finished, *(column.record for column in combined)])
    shards = range(workspace.shard_count())
    scores = {column.name: column.type for record in records for column in record.columns}
    names = schemas.names(workspace, scores)
    schema = schemas.schema(workspace, scores, names)
    repeated = _repeated(workspace)
    skipped = _skipped_before(workspace)
    with atomic(workspace.catalog) as partial:
        try:
            with duckdb.connect(str(partial)) as connection:
                connection.register("empty", schema.empty_table())
                connection.execute("CREATE TABLE samples AS FROM empty")
                connection.execute("CREATE TABLE shards (samples BIGINT, dropped BIGINT[])")
                for shard in shards:
                    table, lost, dropped = _shard_table(
                        workspace, finished, combined, shard, repeated, names
                    )
                    whole = len(table) + len(dropped)
                    connection.execute("INSERT INTO shards VALUES (?, ?)", [whole, dropped])
                    batch = schemas.conform(table, schema)
                    connection.register("batch", batch)
                    connection.execute("INSERT INTO samples FROM batch")
                    skipped.append(lost)
                losses = pa.concat_tables(skipped)
                connection.register("losses", losses)
                connection.execute("CREATE TABLE skipped AS FROM losses")
                connection.register("facts", _columns_table(schema, records))
                connection.execute("CREATE TABLE columns AS FROM facts")
                total = connection.sql("SELECT count(*) FROM samples").fetchall()[0][0]
                # A sample without scores is listed as skipped, but it is in the catalog.
                left_out = sum(stage != "score" for stage in losses.column("stage").to_pylist())
                connection.register("about", _about(workspace, total, left_out))
                connection.execute("CREATE TABLE dataset AS FROM about")
                # Closing the file does this too, but reports no error if the disk is full.
                connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise CurationError(f"cannot write {workspace.catalog}: {error}") from None
        finally:
            partial.with_name(partial.name + ".wal").unlink(missing_ok=True)
    return Published(total, left_out, tuple(sorted(scores)))


def skipped_reasons(workspace: Workspace) -> list[tuple[str, str]]:
    """(where, reason) of every sample that the read and embed stages left out."""
    tables = pa.concat_tables(_skipped_before(workspace)).to_pylist()
    return [(row["where"], row["reason"]) for row in tables]


def _current_scores(workspace: Workspace, progress: Progress) -> list[ScoreRecord]:
    """The finished scores that are up to date; says which ones are left out."""
    current: list[ScoreRecord] = []
    taken: set[str] = set()
    for record in score_folders.finished(workspace):
        names = {column.name for column in record.columns}
        if changed := record.outdated_by(workspace):
            progress.warn(
                f"the score {record.path.name} is of an earlier state of {changed} and is left "
                "out; score or import it again"
            )
        elif names & taken:
            progress.warn(
                f"{record.path.name} is left out: another score has a column {min(names & taken)}; "
                "import it under another name"
            )
        else:
            current.append(record)
            taken |= names
    return current


def _shard_table(
    workspace: Workspace,
    records: Sequence[ScoreRecord],
    combined: Sequence[Combined],
    shard: int,
    repeated: Mapping[int, NDArray[np.int64]],
    names: Mapping[str, str],
) -> tuple[pa.Table, pa.Table, list[int]]:
    """A shard's samples with their scores, the repeated ones among them, and the rows left out."""
    table = pq.ParquetFile(workspace.samples.file(shard, "parquet")).read()
    table = table.rename_columns([names[name] for name in table.column_names])
    for record in records:
        scores = pq.read_table(record.path / f"{shard:05d}.parquet")
        for column in record.columns:
            table = table.append_column(column.name, scores.column(column.name))
    for made in combined:
        table = table.append_column(made.name, made.values(table))
    keep = np.ones(len(table), dtype=bool)
    again = repeated.get(shard, np.empty(0, dtype=np.int64))
    keep[again] = False
    rows = table.select(["image_file", "uid"]).take(pa.array(again)).to_pylist()
    lost = _losses(
        "read", [(r["image_file"] or r["uid"], r["uid"], "repeats an earlier uid") for r in rows]
    )
    keep[_undecodable(workspace, shard)] = False
    return table.filter(pa.array(keep)), lost, np.flatnonzero(~keep).tolist()


def _undecodable(workspace: Workspace, shard: int) -> list[int]:
    """The rows of the samples that the embed stage left out."""
    path = workspace.embeddings(workspace.info().model).file(shard, "skipped.parquet")
    if not path.is_file():
        return []
    rows: list[int] = pq.read_table(path).column("row").to_pylist()
    return rows


def _repeated(workspace: Workspace) -> dict[int, NDArray[np.int64]]:
    """The rows, by shard, whose uid an earlier row has; rows that did not decode do not count."""
    words, shard_of, row_of = [], [], []
    for shard in range(workspace.shard_count()):
        table = pq.read_table(workspace.samples.file(shard, "parquet"), columns=["uid"])
        good = np.delete(np.arange(len(table)), _undecodable(workspace, shard))
        words.append(uids.to_words(table.column("uid"))[good])
        shard_of.append(np.full(len(good), shard))
        row_of.append(good)
    every = np.concatenate(words)
    ranked = uids.order(every)
    again = ranked[1:][(every[ranked][1:] == every[ranked][:-1]).all(axis=1)]
    shards, rows = np.concatenate(shard_of)[again], np.concatenate(row_of)[again]
    return {int(s): np.sort(rows[shards == s]) for s in np.unique(shards)}


def _skipped_before(workspace: Workspace) -> list[pa.Table]:
    tables = [_SKIPPED.empty_table()]
    model = workspace.info().model
    embeddings = workspace.embeddings(model)
    for stage, folder, kind in (
        ("read", workspace.samples, "skipped"),
        ("embed", embeddings, "skipped"),
        ("score", embeddings, "unscored"),
    ):
        for file in sorted(folder.path.glob(f"*.{kind}.parquet")):
            rows = pq.read_table(file).to_pylist()
            tables.append(_losses(stage, [(r["where"], r["uid"], r["reason"]) for r in rows]))
    return tables


def _losses(stage: str, rows: list[tuple[str, str | None, str]]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"stage": stage, "where": w, "uid": u, "reason": r} for w, u, r in rows], schema=_SKIPPED
    )


def _columns_table(schema: pa.Schema, records: Sequence[ScoreRecord]) -> pa.Table:
    facts: list[dict[str, str | None]] = []
    declared = {column.name: (column, record) for record in records for column in record.columns}
    for name in schema.names:
        if name not in declared:
            facts.append({"name": name, **_undeclared(schema.field(name))})
            continue
        column, record = declared[name]
        facts.append(
            {
                "name": name,
                "kind": _kind(column),
                "title": column.title,
                "help": column.help,
                "score": record.score,
                "target": column.target,
                "of": column.of,
                "model": record.model,
                "parameters": json.dumps(record.parameters),
                "reference": record.source,
                "version": record.version,
                "created": record.created,
            }
        )
    names = (
        "name",
        "kind",
        "title",
        "help",
        "score",
        "target",
        "of",
        "model",
        "parameters",
        "reference",
        "version",
        "created",
    )
    return pa.Table.from_pylist(facts, schema=pa.schema([(n, pa.string()) for n in names]))


def _kind(column: Column) -> str:
    if column.of:
        return "detail"
    return column.kind if column.type in ("float", "int32") else "measure"


def _undeclared(field: pa.Field) -> dict[str, str]:
    """The description of a column that no score of this workspace made."""
    if field.name in SAMPLE_COLUMNS:
        return {"kind": "sample", "title": field.name.replace("_", " ")}
    stored = _STORED_CLIP.fullmatch(field.name)
    if stored and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
        model = re.sub(r"^([a-z])(?=\d+$)", lambda m: f"{m[0].upper()}/", stored[1])
        return {
            "kind": "score",
            "title": f"stored CLIP {model} similarity",
            "help": "Cosine of image and caption that came with the source, made elsewhere with "
            f"CLIP {model}; higher is better.",
        }
    return {"kind": "source", "title": field.name.replace("_", " ")}


def _about(workspace: Workspace, samples: int, skipped: int) -> pa.Table:
    info = workspace.info()
    return pa.Table.from_pylist(
        [
            {
                "source": info.source,
                "reader": info.reader,
                "image_root": info.image_root,
                "model": info.model,
                "targets": ", ".join(workspace.targets()),
                "samples": samples,
                "skipped": skipped,
                "published": now(),
                "version": __version__,
            }
        ]
    )
