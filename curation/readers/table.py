"""A table of pairs: CSV, TSV, JSONL or Parquet, one file or a folder of parts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from curation import places
from curation.errors import CurationError
from curation.image_ref import ImageRef
from curation.places import Place
from curation.readers import base, rows


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what; None where there is none."""

    image: str
    caption: str | None
    uid: str | None
    # Whether the image's bytes lie in the table itself.
    holds_images: bool = False

    @property
    def without(self) -> tuple[str, ...]:
        """What is not read with the rows: images stay where they are."""
        return (self.image,) if self.holds_images else ()


class TableReader:
    """Rows that name an image, or hold one, and its caption.

    An image is a path relative to ``image_root`` (by default the table's folder), an address on
    the web, or, in Parquet, the bytes themselves. The columns are guessed from their usual names,
    or given; every other column is kept.
    """

    name = "table"
    description = (
        "CSV, TSV, JSONL or Parquet with a caption and an image's path, URL or bytes in each row"
    )

    def __init__(self, source: Place, options: base.Options) -> None:
        self.files = [source] if source.is_file() else parts(source)
        if not self.files:
            raise CurationError(f"{source} holds no CSV, TSV, JSONL or Parquet file")
        self.options = options
        self._folder = source.parent if source.is_file() else source
        self.image_root = places.resolved(options.image_root or self._folder)
        # A shard is read right after its neighbour, most often of the same rows.
        self._load = lru_cache(maxsize=1)(rows.load)
        self._load_groups = lru_cache(maxsize=1)(rows.load_groups)

    @classmethod
    def recognises(cls, source: Place) -> bool:
        if source.is_file():
            return source.suffix.lower() in rows.EXTENSIONS
        return source.is_dir() and bool(parts(source))

    def shards(self) -> Sequence[base.SourceShard]:
        shards: list[base.SourceShard] = []
        for file in self.files:
            self._columns(file)
            is_parquet = rows.is_parquet(file)
            total = rows.group_starts(file)[-1] if is_parquet else len(self._load(file)[0])
            mark = (places.stamp(file), self.options.mark())
            shards += base.cut(file, total, self.options.shard_size, len(shards), mark)
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        columns = self._columns(shard.path)
        lost: Sequence[base.Skipped] = []
        if rows.is_parquet(shard.path):
            starts = rows.group_starts(shard.path)
            first = starts[max(bisect_right(starts, shard.start) - 1, 0)]
            last = starts[min(bisect_left(starts, shard.stop), len(starts) - 1)]
            table = self._load_groups(shard.path, first, last, columns.without)
            part = table.slice(shard.start - first, shard.stop - shard.start)
        else:
            table, broken = self._load(shard.path)
            part = table.slice(shard.start, shard.stop - shard.start)
            lost = broken if shard.start == 0 else []
        named = self._named(part, columns, shard.path)
        found = base.check(
            self._rows(named, columns, shard), self.image_root, self.options.captions_required
        )
        return base.ShardSamples(found.samples, [*lost, *found.skipped])

    def _columns(self, file: Place) -> Columns:
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
        image = rows.pick_column(
            names,
            self.options.image_column,
            (*base.IMAGE_COLUMNS, *base.URL_COLUMNS),
            "--image-column",
            file,
        )
        holds_images = rows.is_parquet(file) and _is_bytes(types[image])
        caption = uid = None
        # Where captions need not be, those that are there are read all the same.
        has_captions = any(name.lower() in base.CAPTION_COLUMNS for name in names)
        wanted = self.options.caption_column
        if self.options.captions_required or wanted is not None or has_captions:
            guesses = base.CAPTION_COLUMNS
            caption = rows.pick_column(names, wanted, guesses, "--caption-column", file)
            if caption == image:
                raise CurationError(f"{file}: {image!r} cannot be both the image and the caption")
        if self.options.uid_column is not None or "uid" in map(str.lower, names):
            uid = rows.pick_column(names, self.options.uid_column, ("uid",), "--uid-column", file)
            if uid in (image, caption):
                what = "image" if uid == image else "caption"
                raise CurationError(f"{file}: {uid!r} is the {what}, not the uid")
        return Columns(image, caption, uid, holds_images)

    def _named(self, table: pa.Table, columns: Columns, file: Place) -> pa.Table:
        """The rows with the columns renamed to what Row calls them."""
        roles = {columns.image: _IMAGE, columns.caption: _CAPTION, columns.uid: _UID}
        found: dict[str, pa.ChunkedArray] = {}
        kept: list[str] = []
        for name in table.column_names:
            column = table.column(name)
            if name in roles:
                found[roles[name]] = _as_text(column, name, file)
            elif name == rows.ORIGIN:
                found[name] = column
            else:
                kept.append(name)
        free = base.distinct([base.source_name(name) for name in kept], found)
        for name, new in zip(kept, free, strict=True):
            # An address is the sample's own, whatever column the image is in.
            new = name if name.lower() == base.URL else new
            # Parquet says itself what is a number.
            column = table.column(name)
            found[new] = column if rows.is_parquet(file) else rows.narrow(column)
        return pa.table(found)

    def _rows(
        self, table: pa.Table, columns: Columns, shard: base.SourceShard
    ) -> Iterator[base.Row]:
        known = {rows.ORIGIN, _IMAGE, _CAPTION, _UID}
        extras = [name for name in table.column_names if name not in known]
        file = self._name(str(places.resolved(self._folder) / shard.path.name))
        for number, record in enumerate(table.to_pylist(), shard.start):
            extra = {name: record[name] for name in extras}
            cell = ImageRef(file, column=columns.image, row=number)
            yield base.Row(
                where=record[rows.ORIGIN],
                image=cell if columns.holds_images else self._image(record[_IMAGE]),
                caption=record.get(_CAPTION),
                uid=record.get(_UID),
                extra=extra,
                size=_told_size(extra),
            )

    def _image(self, named: str | None) -> ImageRef | None:
        """What a cell names: an address on the web, or a file below the image root."""
        if named is None:
            return None
        name = self._name(named)
        if name.lower().startswith(("http://", "https://")):
            return ImageRef(None, url=name)
        return ImageRef(name)

    def _name(self, named: str) -> str:
        """A full path by its name below the image root; any other as it is."""
        return named.removeprefix(self.image_root.as_posix().rstrip("/") + "/")


_IMAGE, _CAPTION, _UID = "image_file", "caption", "uid"


def parts(folder: Place) -> list[Place]:
    """The table files of a folder, in the order of their names."""
    return places.files_of(folder, rows.EXTENSIONS)


def _is_bytes(type_: pa.DataType) -> bool:
    if pa.types.is_struct(type_):
        return type_.get_field_index("bytes") >= 0 and _is_bytes(type_.field("bytes").type)
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _as_text(column: pa.ChunkedArray, name: str, file: Place) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise CurationError(f"{file}: the column {name!r} is not text ({error})") from None


def _told_size(record: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Width and height in pixels as a row tells them."""
    sides = []
    for side in ("width", "height"):
        names = (f"source_{side}", f"original_{side}")
        told = next((v for k, v in record.items() if k.lower() in names), None)
        sides.append(told if isinstance(told, int) and told > 0 else None)
    return sides[0], sides[1]
