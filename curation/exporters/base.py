"""What an exporter is: a selection written in a format that something else reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

from curation.catalog.catalog import Catalog
from curation.selection.select import Selection
from curation.storage.locations import Location

# Samples a file of a format that is a folder of files, as img2dataset has it.
SHARD_SIZE = 10_000


@dataclass(frozen=True)
class LeftOut:
    """A selected sample that could not be written, and why."""

    uid: str
    reason: str


@dataclass(frozen=True)
class Order:
    """What is to be written.

    Attributes:
        columns: of the catalog, in their order in the file.
        image_root: what ``image_file`` is relative to.
        shard_size: samples a file, where the format is a folder of files.
        advance: to be called with how many samples have been worked on.
    """

    catalog: Catalog
    selection: Selection
    columns: Sequence[str]
    image_root: Location
    shard_size: int = SHARD_SIZE
    advance: Callable[[int], object] = lambda _: None

    def batches(self) -> pa.RecordBatchReader:
        """The columns of the selected samples, as often as they are selected, streamed."""
        return self.catalog.batches(self.columns, self.selection.times)


@dataclass(frozen=True)
class Look:
    """A small export as one finds it: the lines of a text, or the rows of a table.

    ``image`` names the column that holds images, if one does.
    """

    lines: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    image: str = ""


ColumnChoice = Literal["none", "one", "any"]


class Exporter(Protocol):
    """One output format."""

    name: str
    # Of the file; empty where the format is a folder.
    extension: str
    title: str
    description: str
    # How many columns the curator chooses to be written.
    takes_columns: ColumnChoice
    # Whether it is files of so many samples each, which the curator chooses too.
    takes_shard_size: bool
    # Whether it writes samples by uid, and not in the catalog's order.
    sorts: bool
    # Bytes a sample if uids are all that is written; None where that varies.
    uid_bytes: int | None

    def default_columns(self, catalog: Catalog) -> list[str]:
        """What is written unless told otherwise."""
        ...

    def write(self, order: Order, path: Path) -> Sequence[LeftOut]:
        """Write to ``path``, which becomes the final file or folder only when this returns.

        Raises:
            CurationError: this cannot be written.
        """
        ...

    def look(self, path: Path) -> Look:
        """What ``write`` wrote there, of a few samples."""
        ...


def table_columns(catalog: Catalog) -> list[str]:
    """What a table has unless told otherwise: identity, then every score and measure."""
    measured = [c.name for c in [*catalog.scores, *catalog.measures]]
    only_on_the_web = catalog.images.only_url and not catalog.images.in_files
    return ["uid", "caption", "url" if only_on_the_web else "image_file", *measured]
