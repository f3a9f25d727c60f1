"""Datasets of 🤗 datasets: saved to disk, as Arrow files, or as Parquet with images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from curation import uids
from curation.errors import CurationError
from curation.images import location
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.huggingface import arrow_files, cells, dataset_files, features
from curation.readers.huggingface.dataset_files import DatasetFile
from curation.readers.shared import arrow_text, column_roles, parquet_rows, table_files
from curation.readers.shared.check_rows import check_rows
from curation.readers.shared.column_roles import Columns
from curation.readers.shared.table_files import ORIGIN
from curation.storage import locations
from curation.storage.locations import Location

_CAPTIONS = (*base.CAPTION_COLUMNS, "captions", "texts", "sentences")


@dataclass(frozen=True)
class _DatasetColumns(Columns):
    """The roles of a file's columns.

    Attributes:
        has_several: whether a sample has a list of captions.
        class_names: the names of the classes, for each column of class numbers.
    """

    has_several: bool
    class_names: Mapping[str, Sequence[str]]


class HuggingfaceReader:
    """Reads what ``save_to_disk`` and ``to_parquet`` write and what the hub holds.

    Images are read where they are: in a range of an Arrow file, or in a cell of a Parquet file.
    An image that is not embedded is a file below the image root, or a URL. Of several captions,
    the first is used. Other columns are kept, classes by their names, except columns of bytes.

    Skipped are rows without an image or caption, with an image that cannot be opened, and with
    text that is not UTF-8 in a needed column.
    """

    name = "huggingface"
    description = "🤗 datasets: a folder of save_to_disk, .arrow files, or Parquet with images"

    def __init__(self, source: Location, options: base.Options) -> None:
        self._files = {file.path: file for file in dataset_files.list_files(source)}
        if not self._files:
            raise CurationError(f"{source} holds no dataset: no state.json, .arrow or .parquet")
        folder = source.parent if locations.is_file(source) else source
        self.options = options
        self.image_root = locations.resolve(options.image_root or folder)
        self._folder = locations.resolve(folder)
        # Consecutive shards usually need the same file.
        self._open_arrow = lru_cache(maxsize=1)(arrow_files.open_arrow)
        self._load_groups = lru_cache(maxsize=1)(parquet_rows.load_groups)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        first = next(iter(dataset_files.list_files(source)), None)
        if first is None or first.is_arrow:
            return first is not None
        try:
            return bool(features.image_columns(parquet_rows.read_schema(first.path)))
        except CurationError:
            # The table reader reports why the file cannot be read.
            return False

    def shards(self) -> Sequence[base.SourceShard]:
        shards: list[base.SourceShard] = []
        for file in self._files.values():
            self._columns(file)
            if file.is_arrow:
                row_count = len(self._open_arrow(file.path).table)
            else:
                row_count = parquet_rows.group_starts(file.path)[-1]
            image_file = locations.relative_name(self._full_path(file), self.image_root)
            options = self.options.fingerprint_values()
            version = (file.name, image_file, locations.change_stamp(file.path), options)
            size = self.options.shard_size
            shards += base.split_into_shards(file.path, row_count, size, len(shards), version)
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        file = self._files[shard.path]
        columns = self._columns(file)
        table = self._table(file, shard, columns)
        if not columns.holds_images:
            images = self._images_at(table.column(columns.image).to_pylist())
        elif file.is_arrow:
            images = self._images_in_arrow(file, shard, columns.image)
        else:
            images = self._images_in_cells(file, shard, columns.image)
        rows = _rows(file, table, columns, shard.start, images)
        return check_rows(rows, self.image_root, self.options.captions_required)

    def _columns(self, file: DatasetFile) -> _DatasetColumns:
        """Raises:
        CurationError: a needed column is missing, or does not hold what it should.
        """
        path = file.path
        if file.is_arrow:
            schema = self._open_arrow(path).table.schema
        else:
            schema = parquet_rows.read_schema(path)
        types = {field.name: field.type for field in schema}
        declared = features.image_columns(schema)
        wanted = self.options.image_column or next(iter(declared), None)
        usual = (*base.IMAGE_COLUMNS, *base.URL_COLUMNS)
        image = column_roles.pick_column(list(types), wanted, usual, "--image-column", path)
        holds_images = column_roles.holds_images(types[image])
        if not holds_images and not arrow_text.is_text(types[image]):
            raise CurationError(
                f"{path}: the column {image!r} holds {types[image]}, which are neither images nor "
                "their paths or URLs; name another column with --image-column"
            )
        caption, uid = column_roles.caption_and_uid(
            list(types), image, self.options, path, _CAPTIONS
        )
        class_names = features.class_names(schema)
        has_several = caption is not None and features.is_text_list(types[caption])
        is_text = has_several or caption is None or caption in class_names
        if not is_text and not arrow_text.is_text(types[caption]):
            raise CurationError(f"{path}: the column {caption!r} is not text ({types[caption]})")
        without = tuple(name for name, type_ in types.items() if features.has_bytes(type_))
        return _DatasetColumns(image, caption, uid, holds_images, without, has_several, class_names)

    def _table(
        self, file: DatasetFile, shard: base.SourceShard, columns: _DatasetColumns
    ) -> pa.Table:
        """The rows of a shard without columns of bytes; nested columns are JSON text."""
        if not file.is_arrow:
            return parquet_rows.load_shard(
                self._load_groups, shard, columns.without, columns.needed
            )
        stored = self._open_arrow(file.path).table.column_names
        names = [name for name in stored if name not in columns.without]
        table = arrow_text.plain_table(self._arrow_rows(file, shard, names), columns.needed)
        # This column keeps the number of rows if there is no other.
        numbers = pa.array(range(shard.start, shard.stop))
        return pa.table([numbers, *table.columns], names=[ORIGIN, *table.column_names])

    def _images_in_arrow(
        self, file: DatasetFile, shard: base.SourceShard, column: str
    ) -> Iterator[ImageRef | None]:
        images = self._arrow_rows(file, shard, [column]).column(column)
        ranges = list(self._open_arrow(file.path).image_ranges(images))
        name = self._image_file(file) if any(ranges) else None
        others = self._images_at(cells.image_paths(images))
        for range_, other in zip(ranges, others, strict=True):
            yield other if range_ is None else ImageRef(name, *range_)

    def _arrow_rows(
        self, file: DatasetFile, shard: base.SourceShard, names: Sequence[str]
    ) -> pa.Table:
        """Some columns of a shard, after a check that they are safe to read.

        Raises:
            CurationError: they are damaged.
        """
        table = self._open_arrow(file.path).table.select(names)
        table = table.slice(shard.start, shard.stop - shard.start)
        try:
            arrow_text.validate(table)
        except pa.ArrowException as error:
            raise CurationError(f"{file.path} is damaged: {error}") from None
        return table

    def _images_in_cells(
        self, file: DatasetFile, shard: base.SourceShard, column: str
    ) -> Iterator[ImageRef | None]:
        starts = parquet_rows.group_starts(file.path)
        with table_files.open_table(file.path) as opened:
            # Without pre-buffering, because a row group may be larger than the memory.
            parquet = pq.ParquetFile(opened, pre_buffer=False)
            for group, first in enumerate(starts[:-1]):
                start, stop = max(first, shard.start), min(starts[group + 1], shard.stop)
                if start >= stop:
                    continue
                is_embedded, paths = cells.embedded_or_paths(parquet, group, column)
                name = self._image_file(file) if any(is_embedded) else None
                for row in range(start, stop):
                    path = paths[row - first]
                    if name is None or (path is not None and not is_embedded[row - first]):
                        yield column_roles.image_at(path, self.image_root)
                    else:
                        yield ImageRef(name, column=column, row=row)

    def _images_at(self, texts: Sequence[str | None]) -> Iterator[ImageRef | None]:
        return (column_roles.image_at(text, self.image_root) for text in texts)

    def _full_path(self, file: DatasetFile) -> Location:
        return locations.join(self._folder, file.name)

    def _image_file(self, file: DatasetFile) -> str:
        """The ``image_file`` of the images embedded in a file.

        Raises:
            CurationError: the file is outside the image root, or is a link out of it.
        """
        name = locations.relative_name(self._full_path(file), self.image_root)
        if name is None:
            raise CurationError(
                f"{file.path} holds images, but is outside the image root {self.image_root}: "
                "change --image-root"
            )
        location.inside(self.image_root, name)
        return name


def _rows(
    file: DatasetFile,
    table: pa.Table,
    columns: _DatasetColumns,
    start: int,
    images: Iterator[ImageRef | None],
) -> Iterator[base.Row]:
    """The rows of a shard.

    Args:
        start: the number of the first row in the file.
        images: one for each row of ``table``.
    """
    used = {ORIGIN, arrow_text.BROKEN, columns.uid, columns.image}
    if not columns.has_several:
        used.add(columns.caption)
    for number, (record, image) in enumerate(zip(table.to_pylist(), images, strict=True), start):
        for name, names in columns.class_names.items():
            label = record.get(name)
            is_class = label is not None and 0 <= label < len(names)
            record[name] = names[label] if is_class else None
        caption = record.get(columns.caption)
        if columns.has_several and caption is not None:
            caption = next(iter(json.loads(caption)), None)
        uid = record.get(columns.uid)
        if not uid and image is not None and (image.row is not None or image.offset is not None):
            # The row is part of the key because many images may have the same caption. The folder
            # is not, so that a dataset can be moved.
            uid = uids.from_key(f"{file.name}\0{number}\0{(caption or '').strip()}")
        extra = {name: value for name, value in record.items() if name not in used}
        if file.split is not None:
            extra = {"split": file.split} | extra
        yield base.Row(
            where=f"{file.name} row {number}",
            image=image,
            caption=caption,
            uid=None if uid is None else str(uid),
            extra=extra,
            size=column_roles.recorded_size(extra),
            problem=arrow_text.NOT_UTF8 if record.get(arrow_text.BROKEN) else None,
        )
