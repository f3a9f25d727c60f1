"""The published catalog, open for reading: the only place that opens it, and its SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.catalog.column_cache import Arrays
from curation.catalog.columns import ColumnInfo
from curation.catalog.dataset import Dataset, Images
from curation.catalog.uid_index import Identified
from curation.errors import CurationError
from curation.storage.workspace import Workspace

Mask = NDArray[np.bool_]


class Catalog(Arrays, Identified):
    """A workspace's scored samples, read-only.

    Safe to share between threads: each call takes its own cursor. Columns that are asked for
    as arrays are kept in memory (40 MB a score at ten million samples).
    """

    def __init__(self, path: Path) -> None:
        """Raises:
        CurationError: there is no catalog, or it is not one of this project's.
        """
        if not path.is_file():
            raise CurationError(
                f"{path.parent} has no catalog yet; score it with "
                f"`python -m curation score SOURCE --workspace {path.parent}`"
            )
        try:
            # Attached to a database of its own: by path, DuckDB would hand out the database that
            # this process has open already, which is the old one after a catalog is replaced.
            self._connection = duckdb.connect(":memory:")
            self._connection.execute(f"ATTACH {_text(str(path))} AS catalog (READ_ONLY)")
            # Text from strangers' datasets reaches queries as parameters only; this is the
            # second lock: no query can read or write another file.
            self._connection.execute("SET enable_external_access=false")
            self._connection.execute("SET lock_configuration=true")
            self.dataset = Dataset(*self._one("FROM dataset"))
            self.columns = self._columns()
        except (duckdb.Error, TypeError, KeyError) as error:
            raise CurationError(f"{path} is not a catalog: {error}") from None
        self.path = path
        super().__init__()

    @classmethod
    def of(cls, workspace: Workspace) -> Catalog:
        return cls(workspace.catalog)

    def __len__(self) -> int:
        return self.dataset.samples

    @property
    def scores(self) -> list[ColumnInfo]:
        """The columns that say how good a sample is: numbers, the higher the better."""
        return [c for c in self.columns.values() if c.kind == "score"]

    @property
    def measures(self) -> list[ColumnInfo]:
        """The columns that say what a sample is: numbers, true or false, or a word."""
        return [c for c in self.columns.values() if c.kind == "measure"]

    @property
    def numbers(self) -> list[ColumnInfo]:
        """Every column that can be an axis: scores first, the source's last."""
        order = {"score": 0, "measure": 1, "detail": 2, "sample": 3, "source": 3}
        numeric = [c for c in self.columns.values() if c.is_number and c.name not in _PLACES]
        return sorted(numeric, key=lambda c: order[c.kind])

    @property
    def labels(self) -> list[ColumnInfo]:
        """True-or-false columns of the source."""
        return [c for c in self.columns.values() if c.is_label and c.kind == "source"]

    @cached_property
    def images(self) -> Images:
        """Where the images lie."""
        if "url" not in self.columns:
            # Of an earlier version, which knew no addresses.
            return Images(len(self), 0, 0)
        return Images(
            *self._one(
                "SELECT count(image_file), count(url), "
                "count(*) FILTER (image_file IS NULL AND url IS NOT NULL) FROM samples"
            )
        )

    def column(self, name: str) -> ColumnInfo:
        """Raises:
        CurationError: there is no such column; lists the scores there are.
        """
        if name not in self.columns:
            known = ", ".join(c.name for c in self.scores) or "none yet"
            raise CurationError(f"there is no score or column {name!r}; the scores are {known}")
        return self.columns[name]

    def _read(self, name: str) -> NDArray[np.float32]:
        info = self.column(name)
        if not (info.is_number or info.is_label):
            raise CurationError(f"the column {name!r} holds {info.type}, not numbers")
        value = f"coalesce(TRY_CAST({_quote(name)} AS FLOAT), 'nan'::FLOAT)"
        array = np.empty(len(self), dtype=np.float32)
        read = 0
        # A batch at a time, so that there is no second copy of it all.
        for batch in self._stream(f"SELECT {value} AS v FROM samples"):
            chunk = batch.column(0)
            # By its buffer: Arrow's own way to NumPy imports pandas, which takes longer.
            array[read : read + len(chunk)] = np.frombuffer(
                chunk.buffers()[1], np.float32, len(chunk), 4 * chunk.offset
            )
            read += len(chunk)
        return array

    def shares(self, name: str) -> list[tuple[Any, ...]]:
        """Each value of a column, "" where missing, and how many have it; most first."""
        value = f"coalesce({_quote(self.column(name).name)}::VARCHAR, '')"
        return self._all(f"SELECT {value}, count(*) FROM samples GROUP BY 1 ORDER BY 2 DESC, 1")

    def below(self, values: Mapping[str, float]) -> dict[str, tuple[int, int]]:
        """How many samples have less than a value in each of some columns, and how many have any.

        In one pass, of which nothing is kept.
        """
        if not values:
            return {}
        told = ", ".join(
            f"count(*) FILTER ({_quote(self.column(name).name)} < ?::FLOAT), count({_quote(name)})"
            for name in values
        )
        found = self._all(f"SELECT {told} FROM samples", list(values.values()))[0]
        return dict(zip(values, zip(found[::2], found[1::2], strict=True), strict=True))

    def where(self, condition: str, parameters: Sequence[Any]) -> Mask:
        """Which samples meet a condition made by ``curation.selection.where``: (N,).

        Raises:
            CurationError: it compares what cannot be compared, as text with a number.
        """
        try:
            rows = self._arrow(f"SELECT rowid AS r FROM samples WHERE {condition}", parameters)
        except duckdb.Error as error:
            # DuckDB's own words hold values, which are strangers' captions.
            kind = type(error).__name__.removesuffix("Exception").lower()
            raise CurationError(
                f"where: the condition does not fit the columns ({kind} error): it compares what "
                "cannot be compared, as text with a number, or takes a text for true or false"
            ) from None
        mask = np.zeros(len(self), dtype=bool)
        mask[np.asarray(rows.column("r"))] = True
        return mask

    def rows(
        self,
        rowids: Sequence[int] | NDArray[np.integer[Any]],
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """These samples in this order, whole, or some columns of them, which is quicker."""
        wanted = [int(r) for r in rowids]
        told = "*" if columns is None else ", ".join(_quote(self.column(c).name) for c in columns)
        found = self._records(
            f"SELECT rowid AS row_id, {told} FROM samples "
            "WHERE rowid IN (SELECT unnest(?::BIGINT[]))",
            [wanted],
        )
        by_row = {row["row_id"]: row for row in found}
        return [by_row[r] for r in wanted if r in by_row]

    def find(self, uid: str) -> int | None:
        """The rowid of a sample, None where there is no such uid."""
        found = self._records("SELECT rowid AS r FROM samples WHERE uid = ?", [uid.lower()])
        return found[0]["r"] if found else None

    def batches(
        self, columns: Sequence[str], times: Mask | NDArray[np.uint16], size: int = 1 << 17
    ) -> pa.RecordBatchReader:
        """Some columns of the samples, streamed in the order of rowid.

        Args:
            times: (N,), how often each sample comes, or whether it does.
            size: how many rows of the catalog are looked over at a time.
        """
        names = [self.column(name).name for name in columns]
        cursor = self._cursor()
        reader = cursor.sql(f"SELECT {', '.join(map(_quote, names))} FROM samples")
        source = reader.to_arrow_reader(size)

        def kept() -> Any:
            start = 0
            with cursor:
                for batch in source:
                    part = times[start : start + len(batch)]
                    start += len(batch)
                    places = np.repeat(np.arange(len(part)), part)
                    # What is repeated often is more than was read.
                    for cut in range(0, len(places), size):
                        yield batch.take(pa.array(places[cut : cut + size]))

        return pa.RecordBatchReader.from_batches(source.schema, kept())

    @cached_property
    def shards(self) -> list[tuple[int, NDArray[np.int64]]]:
        """How many samples each shard was read with, and the rows of it that are not in here.

        Raises:
            CurationError: an earlier version of this project published the catalog.
        """
        try:
            found = self._all("FROM shards")
        except duckdb.CatalogException:
            raise CurationError(
                f"{self.path} was published by an earlier version: run its `score` command again"
            ) from None
        return [(samples, np.array(dropped, dtype=np.int64)) for samples, dropped in found]

    def skipped(self, limit: int = 1000) -> list[dict[str, Any]]:
        """What was left out, and why."""
        return self._records(f"FROM skipped LIMIT {int(limit)}")

    def skipped_by_reason(self, limit: int = 1000) -> list[dict[str, Any]]:
        """How many samples were left out for each reason, most first, with an example.

        What a reason says after its first colon is about one sample and is not told apart.
        """
        return self._records(
            "SELECT stage, split_part(reason, ': ', 1) AS reason, count(*) AS samples, "
            'min("where") AS example FROM skipped '
            f"GROUP BY 1, 2 ORDER BY samples DESC, reason LIMIT {int(limit)}"
        )

    def _columns(self) -> dict[str, ColumnInfo]:
        types = {row[0]: row[1] for row in self._all("DESCRIBE samples")}
        infos = {}
        for row in self._records("FROM columns"):
            told = {k: v for k, v in row.items() if v is not None}
            told["parameters"] = json.loads(told["parameters"]) if "parameters" in told else None
            infos[row["name"]] = ColumnInfo(type=types[row["name"]], **told)
        return infos

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        # One connection must not be used by two threads at once; a cursor costs microseconds.
        cursor = self._connection.cursor()
        cursor.execute("USE catalog")
        return cursor

    def _arrow(self, query: str, parameters: Sequence[Any] = ()) -> pa.Table:
        with self._cursor() as cursor:
            return cursor.sql(query, params=list(parameters)).to_arrow_table()

    def _stream(self, query: str) -> Iterator[pa.RecordBatch]:
        with self._cursor() as cursor:
            yield from cursor.sql(query).to_arrow_reader(1 << 17)

    def _records(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return list(self._arrow(query, parameters).to_pylist())

    def _all(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            return cursor.execute(query, list(parameters)).fetchall()

    def _one(self, query: str) -> tuple[Any, ...]:
        return self._all(query)[0]


# Where an image's bytes lie is no measure of it.
_PLACES = ("image_offset", "image_length", "image_row")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
