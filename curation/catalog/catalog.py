"""The published catalog of a workspace, opened read-only; the SQL that reads it is here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.catalog.column_cache import ColumnCache
from curation.catalog.columns import ColumnInfo
from curation.catalog.database import BATCH, Database, quote_name
from curation.catalog.dataset import Dataset, ImageCounts
from curation.catalog.ranks import Ranks
from curation.catalog.uid_index import UidIndex
from curation.errors import CurationError
from curation.storage.workspace import Workspace

Mask = NDArray[np.bool_]

# Numbers that locate the bytes of an image: meaningless as an axis.
_BYTE_LOCATIONS = ("image_offset", "image_length", "image_row")


class Catalog:
    """The scored samples of a workspace, N rows. Safe to share between threads.

    Attributes:
        path: the file ``catalog.duckdb``.
        dataset: the source, its reader and model, and the number of samples.
        columns: every column of the samples by name.
        cache: numeric columns in memory.
        uids: maps uids to rowids and back.
    """

    def __init__(self, path: Path) -> None:
        """Open ``catalog.duckdb``.

        Raises:
            CurationError: the file does not exist or is not a catalog.
        """
        if not path.is_file():
            raise CurationError(
                f"{path.parent} has no catalog yet; score it with "
                f"`clip-curation score SOURCE --workspace {path.parent}`"
            )
        self._file = _file_identity(path)
        try:
            self._database = Database(path)
            self.dataset = Dataset(*self._database.tuples("FROM dataset")[0])
            self.columns = self._read_columns()
        except (duckdb.Error, TypeError, KeyError) as error:
            raise CurationError(f"{path} is not a catalog: {error}") from None
        self.path = path
        self.cache = ColumnCache(self._read_numbers)
        self.uids = UidIndex(self._database, len(self))

    @classmethod
    def of(cls, workspace: Workspace) -> Catalog:
        """Open the catalog of a workspace."""
        return cls(workspace.catalog)

    def __len__(self) -> int:
        return self.dataset.samples

    @property
    def scores(self) -> list[ColumnInfo]:
        """The columns that rate samples: numbers, higher is better."""
        return [c for c in self.columns.values() if c.kind == "score"]

    @property
    def measures(self) -> list[ColumnInfo]:
        """The columns that describe a sample: numbers, booleans or text."""
        return [c for c in self.columns.values() if c.kind == "measure"]

    @property
    def numbers(self) -> list[ColumnInfo]:
        """The columns that can be an axis: scores first, columns of the source last."""
        order = {"score": 0, "measure": 1, "detail": 2, "sample": 3, "source": 3}
        numeric = [
            c for c in self.columns.values() if c.is_number and c.name not in _BYTE_LOCATIONS
        ]
        return sorted(numeric, key=lambda c: order[c.kind])

    @property
    def labels(self) -> list[ColumnInfo]:
        """The boolean columns of the source."""
        return [c for c in self.columns.values() if c.is_label and c.kind == "source"]

    @cached_property
    def images(self) -> ImageCounts:
        """How many samples have an image file, a URL, or a URL only."""
        if "url" not in self.columns:
            # An earlier version of this project read no URLs.
            return ImageCounts(len(self), 0, 0)
        (counts,) = self._database.tuples(
            "SELECT count(image_file), count(url), "
            "count(*) FILTER (image_file IS NULL AND url IS NOT NULL) FROM samples"
        )
        return ImageCounts(*counts)

    def column(self, name: str) -> ColumnInfo:
        """The description of a column.

        Raises:
            CurationError: no column has that name; the message lists the scores.
        """
        if name not in self.columns:
            known = ", ".join(c.name for c in self.scores) or "none yet"
            raise CurationError(f"there is no score or column {name!r}; the scores are {known}")
        return self.columns[name]

    def array(self, name: str) -> NDArray[np.float32]:
        """A numeric or boolean column, (N,) float32 by rowid, NaN where missing; read-only.

        Raises:
            CurationError: no column has that name, or it does not hold numbers.
        """
        return self.cache.array(name)

    def ranks(self, name: str) -> Ranks:
        """The order statistics of a numeric or boolean column.

        Raises:
            CurationError: as ``array``.
        """
        return self.cache.ranks(name)

    def value_counts(self, name: str) -> list[tuple[str, int]]:
        """Each value of a column as text, "" where missing, with its count; most frequent first."""
        value = f"coalesce({quote_name(self.column(name).name)}::VARCHAR, '')"
        return self._database.tuples(
            f"SELECT {value}, count(*) FROM samples GROUP BY 1 ORDER BY 2 DESC, 1"
        )

    def count_below(self, values: Mapping[str, float]) -> dict[str, tuple[int, int]]:
        """For each column: the number of samples below the given value, and of those with a value.

        Reads the columns in one pass and does not keep them in memory.
        """
        if not values:
            return {}
        counts = ", ".join(
            f"count(*) FILTER ({column} < ?::FLOAT), count({column})"
            for column in (quote_name(self.column(name).name) for name in values)
        )
        (row,) = self._database.tuples(f"SELECT {counts} FROM samples", list(values.values()))
        return dict(zip(values, zip(row[::2], row[1::2], strict=True), strict=True))

    def where(self, condition: str, parameters: Sequence[Any]) -> Mask:
        """The samples that meet a condition made by ``curation.selection.where``, (N,) bool.

        Raises:
            CurationError: the condition compares values of different types.
        """
        try:
            rows = self._database.table(
                f"SELECT rowid AS r FROM samples WHERE {condition}", parameters
            )
        except duckdb.Error as error:
            # DuckDB's message is left out: it may hold values, that is, captions of the dataset.
            kind = type(error).__name__.removesuffix("Exception").lower()
            raise CurationError(
                f"where: the condition does not fit the columns ({kind} error): it compares "
                "values of different types, such as text with a number, or uses text as true or "
                "false"
            ) from None
        mask = np.zeros(len(self), dtype=bool)
        mask[np.asarray(rows.column("r"))] = True
        return mask

    def rows(
        self,
        rowids: Sequence[int] | NDArray[np.integer[Any]],
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Samples as dicts, in the order of ``rowids``; rowids that do not exist are left out.

        Args:
            columns: by default all columns; fewer are faster. Every dict also has ``row_id``.
        """
        wanted = [int(r) for r in rowids]
        names = (
            "*"
            if columns is None
            else ", ".join(quote_name(self.column(name).name) for name in columns)
        )
        records = self._database.records(
            f"SELECT rowid AS row_id, {names} FROM samples "
            "WHERE rowid IN (SELECT unnest(?::BIGINT[]))",
            [wanted],
        )
        by_row = {record["row_id"]: record for record in records}
        return [by_row[r] for r in wanted if r in by_row]

    def find(self, uid: str) -> int | None:
        """The rowid of the sample with this uid; None if no sample has it."""
        rows = self._database.tuples("SELECT rowid FROM samples WHERE uid = ?", [uid.lower()])
        return rows[0][0] if rows else None

    def batches(
        self, columns: Sequence[str], times: Mask | NDArray[np.uint16], size: int = BATCH
    ) -> pa.RecordBatchReader:
        """Columns of some samples, streamed in rowid order.

        Args:
            times: (N,), how often each sample is repeated; a mask for at most once.
            size: the number of catalog rows read at a time, and the maximum rows per batch.
        """
        names = [quote_name(self.column(name).name) for name in columns]
        cursor = self._database.cursor()
        source = cursor.sql(f"SELECT {', '.join(names)} FROM samples").to_arrow_reader(size)

        def repeated() -> Iterator[pa.RecordBatch]:
            start = 0
            with cursor:
                for batch in source:
                    part = times[start : start + len(batch)]
                    start += len(batch)
                    positions = np.repeat(np.arange(len(part)), part)
                    # Repeated samples may make a batch larger than ``size``: split it.
                    for first in range(0, len(positions), size):
                        yield batch.take(pa.array(positions[first : first + size]))

        return pa.RecordBatchReader.from_batches(source.schema, repeated())

    @cached_property
    def shards(self) -> list[tuple[int, NDArray[np.int64]]]:
        """For each shard: the number of samples read, and the rows dropped as repeated uids.

        Raises:
            CurationError: an earlier version of this project published the catalog.
        """
        try:
            rows = self._database.tuples("FROM shards")
        except duckdb.CatalogException:
            raise CurationError(
                f"{self.path} was published by an earlier version: run its `score` command again"
            ) from None
        return [(samples, np.array(dropped, dtype=np.int64)) for samples, dropped in rows]

    def skipped(self, limit: int = 1000) -> list[dict[str, Any]]:
        """The first ``limit`` skipped samples, with the reason of each."""
        return self._database.records(f"FROM skipped LIMIT {int(limit)}")

    def skipped_by_reason(self, limit: int = 1000) -> list[dict[str, Any]]:
        """The number of skipped samples per reason, with an example; most frequent first.

        Reasons are grouped by the text before the first ": "; the rest is specific to one sample.
        """
        return self._database.records(
            "SELECT stage, split_part(reason, ': ', 1) AS reason, count(*) AS samples, "
            'min("where") AS example FROM skipped '
            f"GROUP BY 1, 2 ORDER BY samples DESC, reason LIMIT {int(limit)}"
        )

    def _read_columns(self) -> dict[str, ColumnInfo]:
        types = {row[0]: row[1] for row in self._database.tuples("DESCRIBE samples")}
        infos = {}
        for row in self._database.records("FROM columns"):
            fields = {key: value for key, value in row.items() if value is not None}
            if "parameters" in fields:
                fields["parameters"] = json.loads(fields["parameters"])
            infos[row["name"]] = ColumnInfo(type=types[row["name"]], **fields)
        return infos

    def _read_numbers(self, name: str) -> NDArray[np.float32]:
        info = self.column(name)
        if not (info.is_number or info.is_label):
            raise CurationError(f"the column {name!r} holds {info.type}, not numbers")
        value = f"coalesce(TRY_CAST({quote_name(name)} AS FLOAT), 'nan'::FLOAT)"
        array = np.empty(len(self), dtype=np.float32)
        start = 0
        with self._database_for_one_read() as database:
            # Streamed: a fetch at once would hold a second copy of the column.
            for batch in database.stream(f"SELECT {value} AS v FROM samples"):
                chunk = batch.column(0)
                # Read the buffer directly: Arrow's to_numpy() imports pandas, which is slow.
                array[start : start + len(chunk)] = np.frombuffer(
                    chunk.buffers()[1], np.float32, len(chunk), 4 * chunk.offset
                )
                start += len(chunk)
        return array

    @contextmanager
    def _database_for_one_read(self) -> Iterator[Database]:
        """A connection that is closed afterwards, so DuckDB does not cache the column as well."""
        try:
            database = Database(self.path)
        except duckdb.Error:
            yield self._database
            return
        with closing(database):
            # If a newer catalog replaced the file, its rows differ: read the open one.
            yield database if _file_identity(self.path) == self._file else self._database


def _file_identity(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns
