"""A read-only DuckDB file that threads may query at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

# Rows of a streamed batch.
BATCH = 1 << 17


class Database:
    """Each query takes its own cursor: two threads must not share one connection.

    Raises:
        duckdb.Error: the file is not a DuckDB database.
    """

    def __init__(self, path: Path) -> None:
        # Attached to an in-memory database: opened by path, DuckDB would reuse the database that
        # this process has open already, which is the old one after the file is replaced.
        self._connection = duckdb.connect(":memory:")
        self._connection.execute(f"ATTACH {_quote_text(str(path))} AS catalog (READ_ONLY)")
        # Text of a dataset reaches queries as parameters only. As a second safeguard, no query
        # can read or write another file.
        self._connection.execute("SET enable_external_access=false")
        self._connection.execute("SET lock_configuration=true")

    def close(self) -> None:
        """Close the file and free DuckDB's cache of it."""
        self._connection.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor for one query; creating it takes microseconds."""
        cursor = self._connection.cursor()
        cursor.execute("USE catalog")
        return cursor

    def table(self, query: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """The result of a query as an Arrow table."""
        with self.cursor() as cursor:
            return cursor.sql(query, params=list(parameters)).to_arrow_table()

    def stream(self, query: str) -> Iterator[pa.RecordBatch]:
        """The result of a query, ``BATCH`` rows at a time."""
        with self.cursor() as cursor:
            yield from cursor.sql(query).to_arrow_reader(BATCH)

    def records(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The result of a query, one dict a row."""
        return list(self.table(query, parameters).to_pylist())

    def tuples(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The result of a query, one tuple a row."""
        with self.cursor() as cursor:
            return cursor.execute(query, list(parameters)).fetchall()


def quote_name(name: str) -> str:
    """A column's name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _quote_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
