"""Captions without images, one a line: class names or prompts that a target is made of."""

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
    """The lines of a text file, each a sample whose image_file is NULL.

    For targets only: a dataset's samples have images, so ``auto`` does not ask this reader.
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
        total, size = len(self._captions()), self.options.shard_size
        return base.cut(self.source, total, size, 0, locations.change_stamp(self.source))

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
        """Every line that is not blank, with its number in the file."""
        with locations.open_file(self.source) as file:
            content = file.read()
        try:
            lines = content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise CurationError(f"{self.source} holds text that is not UTF-8") from None
        return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
