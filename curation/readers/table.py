"""A table of pairs: CSV, TSV, JSONL or Parquet, one file or a folder of parts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from curation.errors import CurationError
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.shared import arrow_text, column_roles, img2dataset, rows
from curation.storage import locations
from curation.storage.locations import Location


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what; None where there is none."""

    image: str
    caption: str | None
    uid: str | None
    # Whether the image's bytes lie in the table itself.
    holds_images: bool = False
    # Columns of bytes, which are not read with the rows: images stay where they are.
    without: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns whose text a row cannot do without."""
        image = None if self.holds_images else self.image
        return tuple(name for name in (image, self.caption, self.uid) if name is not None)


class TableReader:
    """Rows that name an image, or hold one, and its caption.

    An image is a path relative to ``image_root`` (by default the table's folder), an address on
    the web, or, in Parquet, the bytes themselves. The columns are guessed from their usual names,
    or given; every other column is kept, unless it holds bytes.
    """

    name = "table"
    description = (
        "CSV, TSV, JSONL or Parquet with a caption and an image's path, URL or bytes in each row"
    )

    def __init__(self, source: Location, options: base.Options) -> None:
        self.files = [source] if locations.is_file(source) else parts(source)
        if not self.files:
            raise CurationError(f"{source} holds no CSV, TSV, JSONL or Parquet file")
        self.options = options
        self._folder = source.parent if locations.is_file(source) else source
        self.image_root = locations.resolve(options.image_root or self._folder)
        # A shard is read right after its neighbour, most often of the same rows.
        self._load = lru_cache(maxsize=1)(rows.load_part)
        self._load_groups = lru_cache(maxsize=1)(rows.load_groups)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        if locations.is_file(source):
            return source.suffix.lower() in rows.EXTENSIONS
        return locations.is_dir(source) and bool(parts(source))

    def shards(self) -> Sequence[base.SourceShard]:
        shards: list[base.SourceShard] = []
        empty: list[CurationError] = []
        for file in self.files:
            holds_images = False
            if self._is_empty(file):
                broken = self._load(file)[1]
                empty.append(rows.emptiness(file, broken))
                if not broken:
                    continue
            else:
                holds_images = self._columns(file).holds_images
            is_parquet = rows.is_parquet(file)
            total = rows.group_starts(file)[-1] if is_parquet else len(self._load(file)[0])
            mark: tuple[object, ...] = (locations.change_stamp(file), self.options.mark())
            if holds_images:
                mark += (self._image_file(file),)
            shards += base.cut(file, total, self.options.shard_size, len(shards), mark)
        if len(empty) == len(self.files):
            raise empty[0]
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        if self._is_empty(shard.path):
            nothing = base.check((), self.image_root, self.options.captions_required)
            return base.ShardSamples(nothing.samples, self._load(shard.path)[1])
        columns = self._columns(shard.path)
        lost: Sequence[base.Skipped] = []
        if rows.is_parquet(shard.path):
            part = rows_of(self._load_groups, shard, columns.without, columns.needed)
        else:
            table, broken = self._load(shard.path)
            part = table.slice(shard.start, shard.stop - shard.start)
            lost = broken if shard.start == 0 else []
        named = self._named(part, columns, shard.path)
        found = base.check(
            self._rows(named, columns, shard), self.image_root, self.options.captions_required
        )
        return base.ShardSamples(found.samples, [*lost, *found.skipped])

    def _is_empty(self, file: Location) -> bool:
        """Whether a part has no row that can be read; what Parquet has no row of has columns."""
        return not rows.is_parquet(file) and rows.is_empty(self._load(file)[0])

    def _columns(self, file: Location) -> Columns:
        """What the columns of a file are.

        Raises:
            CurationError: one that is needed is missing, or is two things at once.
        """
        if rows.is_parquet(file):
            types = {field.name: field.type for field in rows.schema(file)}
        else:
            table = self._load(file)[0]
            types = {field.name: field.type for field in table.schema if field.name != rows.ORIGIN}
        names = list(types)
        of_bytes = [name for name in names if _is_of_bytes(name, types[name])]
        # The images themselves go before where they once lay.
        by_bytes = {name.lower() for name in of_bytes}
        guesses = sorted(
            (*base.IMAGE_COLUMNS, *base.URL_COLUMNS), key=lambda name: name not in by_bytes
        )
        wanted = self.options.image_column
        image = rows.pick_column(names, wanted, guesses, "--image-column", file)
        caption, uid = column_roles.caption_and_uid(names, image, self.options, file)
        without = tuple(name for name in of_bytes if name not in (caption, uid))
        return Columns(image, caption, uid, image in of_bytes, without)

    def _named(self, table: pa.Table, columns: Columns, file: Location) -> pa.Table:
        """The rows with the columns renamed to what Row calls them."""
        called = {columns.image: _IMAGE, columns.caption: _CAPTION, columns.uid: _UID}
        found: dict[str, pa.ChunkedArray] = {}
        kept: list[str] = []
        for name in table.column_names:
            column = table.column(name)
            if name in called:
                found[called[name]] = _as_text(column, name, file)
            elif name in (rows.ORIGIN, arrow_text.BROKEN):
                found[name] = column
            else:
                kept.append(name)
        free = base.distinct([base.source_name(name) for name in kept], found)
        for name, new in zip(kept, free, strict=True):
            # An address is the sample's own, whatever column the image is in.
            new = name if name.lower() == base.URL else new
            # Parquet says itself what is a number.
            column = table.column(name)
            if _is_address(name) and arrow_text.is_binary(column.type):
                column = arrow_text.text(column)
            found[new] = column if rows.is_parquet(file) else rows.narrow(column)
        return pa.table(found)

    def _rows(
        self, table: pa.Table, columns: Columns, shard: base.SourceShard
    ) -> Iterator[base.Row]:
        known = {rows.ORIGIN, arrow_text.BROKEN, _IMAGE, _CAPTION, _UID}
        extras = [name for name in table.column_names if name not in known]
        is_downloaded = img2dataset.is_of(extras)
        file = self._image_file(shard.path)
        for number, record in enumerate(table.to_pylist(), shard.start):
            extra: Mapping[str, Any] = {name: record[name] for name in extras}
            problem = None
            if is_downloaded:
                problem, extra = img2dataset.failure(extra), img2dataset.facts(extra)
            if record.get(arrow_text.BROKEN):
                problem = problem or arrow_text.NOT_UTF8
            if columns.holds_images:
                image: ImageRef | None = ImageRef(file, column=columns.image, row=number)
            else:
                image = column_roles.image_named(record[_IMAGE], self.image_root)
            yield base.Row(
                where=record[rows.ORIGIN],
                image=image,
                caption=record.get(_CAPTION),
                uid=record.get(_UID),
                extra=extra,
                size=column_roles.told_size(extra),
                problem=problem,
            )

    def _image_file(self, file: Location) -> str:
        """What the images in a table call it: its name below the image root, if it lies there."""
        full = locations.resolve(self._folder) / file.name
        return locations.relative_name(full, self.image_root) or str(full)


_IMAGE, _CAPTION, _UID = "image_file", "caption", "uid"


def parts(folder: Location) -> list[Location]:
    """The table files of a folder, in the order of their names."""
    return locations.list_files(folder, lambda file: file.suffix.lower() in rows.EXTENSIONS)


def rows_of(
    load_groups: Callable[..., pa.Table],
    shard: base.SourceShard,
    without: Sequence[str],
    needed: Sequence[str],
) -> pa.Table:
    """A shard's rows of a Parquet file, for which only the row groups that hold them are read."""
    starts = rows.group_starts(shard.path)
    first = starts[max(bisect_right(starts, shard.start) - 1, 0)]
    last = starts[min(bisect_left(starts, shard.stop), len(starts) - 1)]
    table = load_groups(shard.path, first, last, without, needed)
    return table.slice(shard.start - first, shard.stop - shard.start)


def _is_of_bytes(name: str, type_: pa.DataType) -> bool:
    return column_roles.holds_images(type_) and not (
        _is_address(name) and arrow_text.is_binary(type_)
    )


def _is_address(name: str) -> bool:
    """Whether a column is of addresses, be they written as bytes."""
    return name.lower() in base.URL_COLUMNS


def _as_text(column: pa.ChunkedArray, name: str, file: Location) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise CurationError(f"{file}: the column {name!r} is not text ({error})") from None
