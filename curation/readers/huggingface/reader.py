"""Datasets of 🤗 datasets: saved to disk, in Arrow files, or as Parquet with a column of images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import uids
from curation.errors import CurationError
from curation.images import location, parquet_cells
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.huggingface import arrow_files, dataset_files, features
from curation.readers.huggingface.dataset_files import Part
from curation.readers.shared import arrow_text, column_roles, rows
from curation.readers.table import rows_of
from curation.storage import locations
from curation.storage.locations import Location

_CAPTIONS = (*base.CAPTION_COLUMNS, "captions", "texts", "sentences")


@dataclass(frozen=True)
class _Columns:
    """What the columns of a file are; of ``labels``, what their numbers stand for."""

    image: str
    caption: str | None
    uid: str | None
    # Whether the bytes of images lie in the file, as far as its type tells.
    holds_images: bool
    # Whether a sample has several captions.
    has_several: bool
    labels: Mapping[str, Sequence[str]]
    # Columns of bytes, which are not read with the rows.
    without: tuple[str, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns whose text a row cannot do without."""
        image = None if self.holds_images else self.image
        return tuple(name for name in (image, self.caption, self.uid) if name is not None)


class HuggingfaceReader:
    """What ``save_to_disk`` and ``to_parquet`` write and the hub holds.

    Images are read in their place: where they lie in an Arrow file, or in a cell of a Parquet file.
    One that is not embedded is a file below the image root, or an address. Other columns are kept,
    classes by their names, unless they hold bytes. Of several captions, the first is the sample's.
    """

    name = "huggingface"
    description = "🤗 datasets: a folder of save_to_disk, .arrow files, or Parquet with images"

    def __init__(self, source: Location, options: base.Options) -> None:
        self._parts = {part.file: part for part in dataset_files.parts(source)}
        if not self._parts:
            raise CurationError(f"{source} holds no dataset: no state.json, .arrow or .parquet")
        folder = source.parent if locations.is_file(source) else source
        self.options = options
        self.image_root = locations.resolve(options.image_root or folder)
        self._folder = locations.resolve(folder)
        # A shard is read right after its neighbour, most often of the same file.
        self._opened = lru_cache(maxsize=1)(arrow_files.opened)
        self._load_groups = lru_cache(maxsize=1)(rows.load_groups)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        first = next(iter(dataset_files.parts(source)), None)
        if first is None or first.is_arrow:
            return first is not None
        try:
            return bool(features.images(rows.schema(first.file)))
        except CurationError:
            # Whoever reads tables says it, if it is one's to read.
            return False

    def shards(self) -> Sequence[base.SourceShard]:
        shards: list[base.SourceShard] = []
        for part in self._parts.values():
            self._columns(part)
            if part.is_arrow:
                total = len(self._opened(part.file).table)
            else:
                total = rows.group_starts(part.file)[-1]
            name = locations.relative_name(self._full(part), self.image_root)
            mark = (part.name, name, locations.change_stamp(part.file), self.options.mark())
            shards += base.cut(part.file, total, self.options.shard_size, len(shards), mark)
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        part = self._parts[shard.path]
        columns = self._columns(part)
        table = self._table(part, shard, columns)
        if not columns.holds_images:
            images = self._named(table.column(columns.image).to_pylist())
        elif part.is_arrow:
            images = self._in_arrow(part, shard, columns.image)
        else:
            images = self._in_cells(part, shard, columns.image)
        found = _rows(part, table, columns, shard.start, images)
        return base.check(found, self.image_root, self.options.captions_required)

    def _columns(self, part: Part) -> _Columns:
        """Raises:
        CurationError: a column is missing, or is not what it is needed for.
        """
        file = part.file
        schema = self._opened(file).table.schema if part.is_arrow else rows.schema(file)
        types = {field.name: field.type for field in schema}
        guesses = (*features.images(schema), *base.IMAGE_COLUMNS, *base.URL_COLUMNS)
        wanted = self.options.image_column
        if wanted is None and features.images(schema):
            wanted = guesses[0]
        image = rows.pick_column(list(types), wanted, guesses, "--image-column", file)
        holds_images = column_roles.holds_images(types[image])
        if not holds_images and not arrow_text.is_text(types[image]):
            raise CurationError(
                f"{file}: the column {image!r} holds {types[image]}: neither images nor their "
                "paths or addresses; name one with --image-column"
            )
        caption, uid = column_roles.caption_and_uid(
            list(types), image, self.options, file, _CAPTIONS
        )
        labels = features.labels(schema)
        has_several = caption is not None and features.is_texts(types[caption])
        is_text = has_several or caption is None or caption in labels
        if not is_text and not arrow_text.is_text(types[caption]):
            raise CurationError(f"{file}: the column {caption!r} is not text ({types[caption]})")
        without = tuple(name for name, type_ in types.items() if features.has_bytes(type_))
        return _Columns(image, caption, uid, holds_images, has_several, labels, without)

    def _table(self, part: Part, shard: base.SourceShard, columns: _Columns) -> pa.Table:
        """The rows of a shard without their images; nested columns are JSON text."""
        if not part.is_arrow:
            return rows_of(self._load_groups, shard, columns.without, columns.needed)
        names = [n for n in self._opened(part.file).table.column_names if n not in columns.without]
        table = arrow_text.table(self._arrow_rows(part, shard, names), columns.needed)
        # Where there is no other column, this one says how many rows there are.
        numbers = pa.array(range(shard.start, shard.stop))
        return pa.table([numbers, *table.columns], names=[rows.ORIGIN, *table.column_names])

    def _in_arrow(
        self, part: Part, shard: base.SourceShard, column: str
    ) -> Iterator[ImageRef | None]:
        file = self._opened(part.file)
        images = self._arrow_rows(part, shard, [column]).column(column)
        ranges = list(file.ranges(images))
        name = self._image_file(part) if any(ranges) else None
        for place, other in zip(ranges, self._named(_paths(images)), strict=True):
            yield other if place is None else ImageRef(name, *place)

    def _arrow_rows(self, part: Part, shard: base.SourceShard, names: Sequence[str]) -> pa.Table:
        """Some columns of a shard.

        Raises:
            CurationError: they must not be looked at: their content comes from strangers.
        """
        table = self._opened(part.file).table.select(names)
        table = table.slice(shard.start, shard.stop - shard.start)
        try:
            arrow_text.validate(table)
        except pa.ArrowException as error:
            raise CurationError(f"{part.file} is damaged: {error}") from None
        return table

    def _in_cells(
        self, part: Part, shard: base.SourceShard, column: str
    ) -> Iterator[ImageRef | None]:
        starts = rows.group_starts(part.file)
        with rows.reading(part.file) as opened:
            # Not pre-buffered: a row group may be larger than the memory.
            parquet = pq.ParquetFile(opened, pre_buffer=False)
            for group, first in enumerate(starts[:-1]):
                start, stop = max(first, shard.start), min(starts[group + 1], shard.stop)
                if start >= stop:
                    continue
                held, paths = _held(parquet, group, column)
                name = self._image_file(part) if any(held) else None
                for row in range(start, stop):
                    path = paths[row - first]
                    if name is None or (path is not None and not held[row - first]):
                        yield column_roles.image_named(path, self.image_root)
                    else:
                        yield ImageRef(name, column=column, row=row)

    def _named(self, texts: Sequence[str | None]) -> Iterator[ImageRef | None]:
        return (column_roles.image_named(text, self.image_root) for text in texts)

    def _full(self, part: Part) -> Location:
        return locations.join(self._folder, part.name)

    def _image_file(self, part: Part) -> str:
        """What the images in a file call it.

        Raises:
            CurationError: it does not lie in the image root, or is a link that leads out.
        """
        name = locations.relative_name(self._full(part), self.image_root)
        if name is None:
            raise CurationError(
                f"{part.file} holds images and does not lie in the image root {self.image_root}"
            )
        location.inside(self.image_root, name)
        return name


def _rows(
    part: Part,
    table: pa.Table,
    columns: _Columns,
    start: int,
    images: Iterator[ImageRef | None],
) -> Iterator[base.Row]:
    told = {rows.ORIGIN, arrow_text.BROKEN, columns.uid, columns.image}
    if not columns.has_several:
        told.add(columns.caption)
    for number, (record, image) in enumerate(zip(table.to_pylist(), images, strict=True), start):
        for name, names in columns.labels.items():
            label = record.get(name)
            is_one = label is not None and 0 <= label < len(names)
            record[name] = names[label] if is_one else None
        caption = record.get(columns.caption)
        if columns.has_several and caption is not None:
            caption = next(iter(json.loads(caption)), None)
        uid = record.get(columns.uid)
        if not uid and image is not None and (image.row is not None or image.offset is not None):
            # By its row, wherever the file lies: one caption may be that of many images.
            uid = uids.from_key(f"{part.name}\0{number}\0{(caption or '').strip()}")
        extra = {name: value for name, value in record.items() if name not in told}
        if part.split is not None:
            extra = {"split": part.split} | extra
        yield base.Row(
            where=f"{part.name} row {number}",
            image=image,
            caption=caption,
            uid=None if uid is None else str(uid),
            extra=extra,
            size=column_roles.told_size(extra),
            problem=arrow_text.NOT_UTF8 if record.get(arrow_text.BROKEN) else None,
        )


def _paths(images: pa.ChunkedArray) -> Sequence[str | None]:
    """Where images lie that are not embedded, as far as their records tell."""
    if not _has_path(images.type):
        return [None] * len(images)
    paths: Sequence[str | None] = arrow_text.text(pc.struct_field(images, "path")).to_pylist()
    return paths


def _has_path(type_: pa.DataType) -> bool:
    return bool(pa.types.is_struct(type_) and type_.get_field_index("path") >= 0)


def _held(
    parquet: pq.ParquetFile, group: int, column: str
) -> tuple[Sequence[bool], Sequence[str | None]]:
    """Of each row of a row group, whether it holds its image, and, if not, where that lies."""
    total = parquet.metadata.row_group(group).num_rows
    nulls = _nulls(parquet.metadata.row_group(group), f"{column}.bytes")
    at = parquet.schema_arrow.get_field_index(column)
    if at < 0 or not _has_path(parquet.schema_arrow.field(at).type) or nulls == 0:
        return [True] * total, [None] * total
    if nulls == total:
        told = parquet.read_row_group(group, columns=[f"{column}.path"]).column(0)
        return [False] * total, _paths(told)
    held: list[bool] = []
    paths: list[str | None] = []
    parts = [f"{column}.bytes", f"{column}.path"]
    for batch in parquet.iter_batches(parquet_cells.WINDOW, [group], parts, use_threads=False):
        images = pa.chunked_array([batch.column(0)])
        held += parquet_cells.bytes_of(images).is_valid().to_pylist()
        paths += _paths(images)
    return held, paths


def _nulls(group: pq.RowGroupMetaData, column: str) -> int | None:
    """How many rows of a row group are known to have no value in a column."""
    for number in range(group.num_columns):
        chunk = group.column(number)
        told = chunk.statistics
        if chunk.path_in_schema == column and told is not None and told.has_null_count:
            return int(told.null_count)
    return None
