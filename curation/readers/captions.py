"""Captions without images, one a line: class names or prompts that make up a target."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from curation import uids
from curation.errors import CurationError
from curation.readers import base
from curation.storage import locations
from curation.storage.locations import Location

EXTENSION = ".txt"


class CaptionsReader:
    """Reads each non-blank line of a text file as a sample without an image.

    For targets only: samples of a dataset need images, so this reader is not in ``READERS``.
    """

    name = "captions"
    description = "a .txt file with one caption a line"

    def __init__(self, source: Location, options: base.Options) -> None:
        self.source = source
        self.options = options
        self.image_root = locations.resolve(source.parent)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        return locations.is_file(source) and source.suffix.lower() == EXTENSION

    def shards(self) -> Sequence[base.SourceShard]:
        count, size = len(self._captions()), self.options.shard_size
        return base.split_into_shards(
            self.source, count, size, 0, locations.change_stamp(self.source)
        )

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        numbered = self._captions()[shard.start : shard.stop]
        columns = {
            "uid": [uids.from_key(f"{line}\0{caption}") for line, caption in numbered],
            "caption": [caption for _, caption in numbered],
        }
        arrays = [
            pa.array(columns.get(f.name, [None] * len(numbered)), f.type)
            for f in base.SAMPLE_FIELDS
        ]
        table = pa.Table.from_arrays(arrays, schema=pa.schema(base.SAMPLE_FIELDS))
        return base.ShardSamples(table, [])

    def _captions(self) -> list[tuple[int, str]]:
        """The non-blank lines, each with its line number from 1.

        Raises:
            CurationError: the file cannot be read or is not UTF-8.
        """
        with locations.open_file(self.source) as file:
            content = file.read()
        try:
            lines = content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise CurationError(f"{self.source} is not UTF-8 text: save it as UTF-8") from None
        return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
