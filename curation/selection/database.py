"""The curator's database ``curation.duckdb``: its tables, and how to open it.

DuckDB lets one process hold a file open for writing and locks out every other process. So each
call opens the file only briefly, and the app and the command line can take turns.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from curation.errors import CurationError

# decisions.py uses the first four tables, marks.py the others. All rows of mark_log with the same
# ``change`` come from one call; undo and redo handle them together.
_TABLES = """
CREATE TABLE IF NOT EXISTS selections (name VARCHAR PRIMARY KEY, recipe VARCHAR, saved VARCHAR);
CREATE TABLE IF NOT EXISTS uid_lists (name VARCHAR PRIMARY KEY, source VARCHAR, saved VARCHAR);
CREATE TABLE IF NOT EXISTS uid_list_members (name VARCHAR, hi UBIGINT, lo UBIGINT);
CREATE TABLE IF NOT EXISTS log (logged VARCHAR, action VARCHAR, name VARCHAR);
CREATE TABLE IF NOT EXISTS marks (uid VARCHAR, mark VARCHAR, marked VARCHAR);
CREATE TABLE IF NOT EXISTS mark_changes (change BIGINT, action VARCHAR, undone BOOLEAN);
CREATE TABLE IF NOT EXISTS mark_log (
    change BIGINT, logged VARCHAR, action VARCHAR, uid VARCHAR,
    old VARCHAR, old_marked VARCHAR, new VARCHAR, new_marked VARCHAR
);
"""

# Seconds to wait for another process that holds the file.
_PATIENCE = 5

# DuckDB does not make threads of one process wait for each other: the second one fails.
_LOCK = threading.RLock()


@contextmanager
def open_database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database for the duration of the ``with`` block, and create missing tables.

    A file without write permission is opened for reading; it may lack tables.

    Raises:
        CurationError: the file is not a database, another process has held it for five seconds,
            or a write in the block failed.
    """
    try:
        with _LOCK, _connect(path) as connection:
            is_read_only = connection.execute(
                "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
            ).fetchall()
            if not is_read_only[0][0]:
                connection.execute(_TABLES)
            yield connection
    except duckdb.CatalogException:
        raise
    except duckdb.Error as error:
        reason = "it is read-only" if "read-only mode" in str(error) else error
        raise CurationError(f"{path} cannot be written: {reason}") from None


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            if "Could not set lock" in str(error) and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            if path.is_file() and not os.access(path, os.W_OK):
                return duckdb.connect(str(path), read_only=True)
            raise CurationError(f"{path} cannot be opened: {error}") from None
