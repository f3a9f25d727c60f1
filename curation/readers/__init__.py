"""Input formats. A new reader needs an entry in ``READERS``, and nothing else outside its file."""

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

# In the order in which ``auto`` tries them, the most specific first: a folder of tars may hold
# tables and images too, and a 🤗 dataset is also a folder of Parquet files.
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
    """The reader for a source.

    Args:
        name: a key of ``READERS``; ``auto`` selects the first reader that recognizes the source.

    Raises:
        CurationError: the source does not exist, or no reader recognizes it.
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
    raise CurationError(f"the format of {source} is not recognized; known formats: {known}")


__all__ = ["READERS", "Options", "Reader", "open_source"]
