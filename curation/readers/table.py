"""A table of image-caption pairs: CSV, TSV, JSONL or Parquet, one file or a folder of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from curation.errors import CurationError
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.shared import (
    arrow_text,
    column_roles,
    img2dataset,
    parquet_rows,
    rows,
    table_files,
)
from curation.readers.shared.check_rows import check_rows
from curation.readers.shared.column_roles import Columns
from curation.readers.shared.table_files import ORIGIN, is_parquet
from curation.storage import locations
from curation.storage.locations import Location


class TableReader:
    """Reads rows that each name an image, or hold one, and its caption.

    An image is a path relative to ``image_root`` (by default the table's folder), a URL, or, in
    Parquet, the image's bytes. Columns are recognized by their usual names or named by the
    options. All other columns are kept, except those of bytes.

    Skipped are rows without an image or caption, with an image that cannot be opened, with text
    that is not UTF-8 in a needed column, and lines of CSV or JSONL that cannot be parsed.
    """

    name = "table"
    description = (
        "CSV, TSV, JSONL or Parquet with a caption and an image's path, URL or bytes in each row"
    )

    def __init__(self, source: Location, options: base.Options) -> None:
        self.files = [source] if locations.is_file(source) else _table_files(source)
        if not self.files:
            raise CurationError(f"{source} holds no CSV, TSV, JSONL or Parquet file")
        self.options = options
        self._folder = source.parent if locations.is_file(source) else source
        self.image_root = locations.resolve(options.image_root or self._folder)
        # Consecutive shards usually need the same rows.
        self._load = lru_cache(maxsize=1)(rows.load_part)
        self._load_groups = lru_cache(maxsize=1)(parquet_rows.load_groups)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        if locations.is_file(source):
            return table_files.is_table(source)
        return locations.is_dir(source) and bool(_table_files(source))

    def shards(self) -> Sequence[base.SourceShard]:
        shards: list[base.SourceShard] = []
        empty: list[CurationError] = []
        for file in self.files:
            version: tuple[object, ...] = (
                locations.change_stamp(file),
                self.options.fingerprint_values(),
            )
            if self._is_empty(file):
                skipped = self._load(file)[1]
                empty.append(rows.empty_error(file, skipped))
                if not skipped:
                    continue
            elif self._columns(file).holds_images:
                version += (self._image_file(file),)
            row_count = (
                parquet_rows.group_starts(file)[-1]
                if is_parquet(file)
                else len(self._load(file)[0])
            )
            size = self.options.shard_size
            shards += base.split_into_shards(file, row_count, size, len(shards), version)
        if len(empty) == len(self.files):
            raise empty[0]
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        file = shard.path
        if self._is_empty(file):
            nothing = check_rows((), self.image_root, self.options.captions_required)
            return base.ShardSamples(nothing.samples, self._load(file)[1])
        columns = self._columns(file)
        skipped: Sequence[base.Skipped] = []
        if is_parquet(file):
            table = parquet_rows.load_shard(
                self._load_groups, shard, columns.without, columns.needed
            )
        else:
            whole, unreadable = self._load(file)
            table = whole.slice(shard.start, shard.stop - shard.start)
            skipped = unreadable if shard.start == 0 else []
        checked = check_rows(
            self._rows(_convert(table, columns, file), columns, shard),
            self.image_root,
            self.options.captions_required,
        )
        return base.ShardSamples(checked.samples, [*skipped, *checked.skipped])

    def _is_empty(self, file: Location) -> bool:
        """Whether a file has neither rows nor columns; a Parquet file always has columns."""
        return not is_parquet(file) and rows.is_empty(self._load(file)[0])

    def _columns(self, file: Location) -> Columns:
        """Raises:
        CurationError: a needed column is missing, or one column has two roles.
        """
        schema = parquet_rows.read_schema(file) if is_parquet(file) else self._load(file)[0].schema
        types = {field.name: field.type for field in schema if field.name != ORIGIN}
        names = list(types)
        of_bytes = [name for name in names if _holds_bytes(name, types[name])]
        # A column of image bytes is preferred to one of paths, which may be outdated.
        lower = {name.lower() for name in of_bytes}
        usual = sorted((*base.IMAGE_COLUMNS, *base.URL_COLUMNS), key=lambda name: name not in lower)
        wanted = self.options.image_column
        image = column_roles.pick_column(names, wanted, usual, "--image-column", file)
        caption, uid = column_roles.caption_and_uid(names, image, self.options, file)
        without = tuple(name for name in of_bytes if name not in (caption, uid))
        return Columns(image, caption, uid, image in of_bytes, without)

    def _rows(
        self, table: pa.Table, columns: Columns, shard: base.SourceShard
    ) -> Iterator[base.Row]:
        used = {ORIGIN, arrow_text.BROKEN, columns.image, columns.caption, columns.uid}
        extras = [name for name in table.column_names if name not in used]
        is_img2dataset = img2dataset.has_download_columns(extras)
        file = self._image_file(shard.path)
        for number, record in enumerate(table.to_pylist(), shard.start):
            extra: Mapping[str, Any] = {name: record[name] for name in extras}
            problem = None
            if is_img2dataset:
                problem = img2dataset.failure(extra)
                extra = img2dataset.source_columns(extra)
            if record.get(arrow_text.BROKEN):
                problem = problem or arrow_text.NOT_UTF8
            if columns.holds_images:
                image: ImageRef | None = ImageRef(file, column=columns.image, row=number)
            else:
                image = column_roles.image_at(record[columns.image], self.image_root)
            yield base.Row(
                where=record[ORIGIN],
                image=image,
                caption=record.get(columns.caption),
                uid=record.get(columns.uid),
                extra=extra,
                size=column_roles.recorded_size(extra),
                problem=problem,
            )

    def _image_file(self, file: Location) -> str:
        """The ``image_file`` of images inside a table: below the image root, or the full path."""
        full = locations.resolve(self._folder) / file.name
        return locations.relative_name(full, self.image_root) or str(full)


def _table_files(folder: Location) -> list[Location]:
    """The table files of a folder, sorted by name."""
    return locations.list_files(folder, table_files.is_table)


def _convert(table: pa.Table, columns: Columns, file: Location) -> pa.Table:
    """The table with image, caption and uid as text, and numbers in CSV and JSONL as numbers.

    Raises:
        CurationError: a column cannot be text.
    """
    added = (ORIGIN, arrow_text.BROKEN)
    used = (columns.image, columns.caption, columns.uid)
    converted: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names:
        column = table.column(name)
        if name in used:
            column = _as_text(column, name, file)
        elif name not in added:
            if _is_url(name) and arrow_text.is_binary(column.type):
                column = arrow_text.text(column)
            # The types of Parquet are declared.
            column = column if is_parquet(file) else rows.narrow(column)
        converted[name] = column
    return pa.table(converted)


def _holds_bytes(name: str, type_: pa.DataType) -> bool:
    is_url = _is_url(name) and arrow_text.is_binary(type_)
    return column_roles.holds_images(type_) and not is_url


def _is_url(name: str) -> bool:
    """Whether a column is one of URLs; some writers store them as bytes."""
    return name.lower() in base.URL_COLUMNS


def _as_text(column: pa.ChunkedArray, name: str, file: Location) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise CurationError(f"{file}: the column {name!r} is not text ({error})") from None
