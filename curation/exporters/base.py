"""The interface of an exporter: it writes a selection in one output format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

from curation.catalog.catalog import Catalog
from curation.selection.select import Selection
from curation.storage.locations import Location

# Default number of samples in each file of a format that is a folder of files; img2dataset's too.
SHARD_SIZE = 10_000


@dataclass(frozen=True)
class LeftOut:
    """A selected sample that could not be written, and why."""

    uid: str
    reason: str


@dataclass(frozen=True)
class ExportRequest:
    """What to write.

    Attributes:
        columns: the columns of the catalog to write, in this order.
        image_root: the folder that ``image_file`` is relative to.
        shard_size: samples in each file, for formats that are a folder of files.
        advance: reports progress; call it with the number of samples handled since the last call.
    """

    catalog: Catalog
    selection: Selection
    columns: Sequence[str]
    image_root: Location
    shard_size: int = SHARD_SIZE
    advance: Callable[[int], object] = lambda _: None

    def batches(self) -> pa.RecordBatchReader:
        """Stream the columns of the selected samples, by rowid, repeats kept."""
        return self.catalog.batches(self.columns, self.selection.copies)


@dataclass(frozen=True)
class Preview:
    """The first samples of an export, as text or as a table.

    Attributes:
        lines: the lines of a text format.
        rows: the rows of any other format.
        image: the column of ``rows`` with image files as bytes; empty if there is none.
    """

    lines: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    image: str = ""


ColumnChoice = Literal["none", "one", "any"]


class Exporter(Protocol):
    """One output format.

    Attributes:
        name: the name on the command line.
        extension: the file's extension with its dot; empty if the format is a folder.
        title: the name in the app.
        description: a line on what is written and what reads it.
        takes_columns: how many columns the user chooses.
        takes_shard_size: whether the user chooses the number of samples in each file.
        sorts_by_uid: whether samples are sorted by uid, instead of by rowid.
        bytes_per_uid: bytes a sample takes if only uids are written; None if that varies.
    """

    name: str
    extension: str
    title: str
    description: str
    takes_columns: ColumnChoice
    takes_shard_size: bool
    sorts_by_uid: bool
    bytes_per_uid: int | None

    def default_columns(self, catalog: Catalog) -> list[str]:
        """The columns to write if the user chooses none."""
        ...

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        """Write the selection to ``path``, a temporary path that the caller then renames.

        Returns:
            The selected samples that could not be written.

        Raises:
            CurationError: the selection cannot be written in this format.
        """
        ...

    def preview(self, path: Path) -> Preview:
        """Read back a small export that ``write`` wrote to ``path``."""
        ...


def table_columns(catalog: Catalog) -> list[str]:
    """The default columns of a table: uid, caption, image, then every score and measure."""
    measured = [c.name for c in [*catalog.scores, *catalog.measures]]
    only_on_the_web = catalog.images.only_url and not catalog.images.in_files
    return ["uid", "caption", "url" if only_on_the_web else "image_file", *measured]
