"""Input formats: one file each, registered here."""

from __future__ import annotations

from curation.errors import CurationError
from curation.readers.base import Options, Reader
from curation.readers.clip_retrieval import ClipRetrievalReader
from curation.readers.datacomp import DatacompReader
from curation.readers.folder import FolderReader
from curation.readers.huggingface.reader import HuggingfaceReader
from curation.readers.table import TableReader
from curation.readers.webdataset.reader import WebdatasetReader
from curation.storage import locations
from curation.storage.locations import Location

# In the order in which `auto` asks them: beside tars lie tables, and pictures may; and a dataset
# of 🤗 datasets is one of Parquet files too.
READERS: dict[str, type[Reader]] = {
    reader.name: reader
    for reader in (
        WebdatasetReader,
        DatacompReader,
        ClipRetrievalReader,
        HuggingfaceReader,
        FolderReader,
        TableReader,
    )
}


def open_source(source: Location, name: str = "auto", options: Options | None = None) -> Reader:
    """The reader for a source: the one named, or the first that recognizes it.

    Raises:
        CurationError: nothing is there, or no reader knows what it is.
    """
    options = options or Options()
    if not (locations.is_file(source) or locations.is_dir(source)):
        raise CurationError(f"{source} does not exist")
    if name != "auto":
        return READERS[name](source, options)
    for reader in READERS.values():
        if reader.recognizes(source):
            return reader(source, options)
    if locations.is_dir(source) and next(source.iterdir(), None) is None:
        raise CurationError(f"{source} is empty: it should hold images or a table of them, or tars")
    known = "; ".join(f"{reader.name}: {reader.description}" for reader in READERS.values())
    raise CurationError(f"{source} is in no format known here ({known})")


__all__ = ["READERS", "Options", "Reader", "open_source"]
