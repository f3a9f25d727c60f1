"""Table files: their extensions, opening them, and the columns that reading them adds."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa

from curation.errors import CurationError
from curation.readers.shared import arrow_text
from curation.readers.shared.column_names import unique_names
from curation.storage import locations
from curation.storage.locations import Location

EXTENSIONS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})

# The added column that names each row's file and line (in Parquet: file and row).
ORIGIN = "__origin__"


def is_table(path: Location) -> bool:
    """Whether a file is named as a table."""
    return path.suffix.lower() in EXTENSIONS


def is_parquet(path: Location) -> bool:
    """Whether a file is named as Parquet files are."""
    return path.suffix.lower() == ".parquet"


def column_names(stored: Sequence[str]) -> list[str]:
    """Unique column names for those in a file; the names of added columns are avoided."""
    return unique_names(stored, [ORIGIN, arrow_text.BROKEN])


@contextmanager
def open_table(path: Location) -> Iterator[BinaryIO]:
    """A table file, open for reading.

    Raises:
        CurationError: the file cannot be read or parsed, also inside the block.
    """
    with locations.open_file(path) as file:
        try:
            yield file
        except (pa.ArrowException, csv.Error) as error:
            raise CurationError(f"{path} cannot be read: {error}") from None
