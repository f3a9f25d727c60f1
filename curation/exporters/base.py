"""What an exporter is: a selection written in a format that something else reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from curation.catalog import Catalog
from curation.selection import Selection


class Exporter(Protocol):
    """One output format."""

    name: str
    extension: str
    title: str
    description: str
    # Whether the curator chooses which columns are written.
    takes_columns: bool

    def write(
        self, catalog: Catalog, selection: Selection, columns: Sequence[str], path: Path
    ) -> None:
        """Write to ``path``, which becomes the final file only when this returns."""
        ...
