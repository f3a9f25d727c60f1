"""A table of pairs: CSV, TSV, JSONL or Parquet, one file or a folder of parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from curation.errors import CurationError
from curation.readers import base, rows


class TableReader:
    """Rows that name an image file and hold its caption.

    Image paths are relative to ``image_root``: by default the table's folder. The columns are
    guessed from their usual names, or given; every other column is kept.
    """

    name = "table"
    description = "CSV, TSV, JSONL or Parquet with an image path and a caption in each row"

    def __init__(self, source: Path, options: base.Options) -> None:
        self.files = [source] if source.is_file() else parts(source)
        if not self.files:
            raise CurationError(f"{source} holds no CSV, TSV, JSONL or Parquet file")
        self.options = options
        folder = source.parent if source.is_file() else source
        self.image_root = (options.image_root or folder).resolve()
        # A shard is read right after its neighbour, most often of the same file.
        self._load = lru_cache(maxsize=1)(self._load_columns)

    @classmethod
    def recognises(cls, source: Path) -> bool:
        if source.is_file():
            return source.suffix.lower() in rows.EXTENSIONS
        return source.is_dir() and bool(parts(source))

    def shards(self) -> Sequence[base.SourceShard]:
        shards: list[base.SourceShard] = []
        for file in self.files:
            total = len(self._load(file)[0])
            mark = (base.stamp(file), self.options.mark())
            shards += base.cut(file, total, self.options.shard_size, len(shards), mark)
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        table, broken = self._load(shard.path)
        part = table.slice(shard.start, shard.stop - shard.start)
        found = base.check(_rows(part), self.image_root, self.options.captions_required)
        lost = broken if shard.start == 0 else []
        return base.ShardSamples(found.samples, [*lost, *found.skipped])

    def _load_columns(self, file: Path) -> tuple[pa.Table, list[base.Skipped]]:
        """The file's rows with the columns renamed to what Row calls them."""
        table, broken = rows.load(file)
        names = [n for n in table.column_names if n != rows.ORIGIN]
        image = rows.pick_column(
            names, self.options.image_column, base.IMAGE_COLUMNS, "--image-column", file
        )
        renamed = {image: "image_file"}
        # Where captions need not be, those that are there are read all the same.
        has_captions = any(name.lower() in base.CAPTION_COLUMNS for name in names)
        if (
            self.options.captions_required
            or self.options.caption_column is not None
            or has_captions
        ):
            caption = rows.pick_column(
                names, self.options.caption_column, base.CAPTION_COLUMNS, "--caption-column", file
            )
            if caption == image:
                raise CurationError(f"{file}: {image!r} cannot be both the image and the caption")
            renamed[caption] = "caption"
        if self.options.uid_column is not None or "uid" in map(str.lower, names):
            uid = rows.pick_column(names, self.options.uid_column, ("uid",), "--uid-column", file)
            if uid in renamed:
                raise CurationError(f"{file}: {uid!r} is the {renamed[uid]}, not the uid")
            renamed[uid] = "uid"
        columns: dict[str, pa.ChunkedArray] = {}
        kept: list[str] = []
        for name in table.column_names:
            column = table.column(name)
            if name in renamed:
                columns[renamed[name]] = _as_text(column, name, file)
            elif name == rows.ORIGIN:
                columns[name] = column
            else:
                kept.append(name)
        free = base.distinct([base.source_name(name) for name in kept], columns)
        for name, new in zip(kept, free, strict=True):
            columns[new] = rows.narrow(table.column(name))
        return pa.table(columns), broken


def parts(folder: Path) -> list[Path]:
    """The table files of a folder, in the order of their names."""
    return sorted(
        f for f in folder.iterdir() if f.is_file() and f.suffix.lower() in rows.EXTENSIONS
    )


def _as_text(column: pa.ChunkedArray, name: str, file: Path) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise CurationError(f"{file}: the column {name!r} is not text ({error})") from None


def _rows(table: pa.Table) -> Iterator[base.Row]:
    known = {rows.ORIGIN, "image_file", "caption", "uid"}
    extras = [name for name in table.column_names if name not in known]
    for record in table.to_pylist():
        yield base.Row(
            where=record[rows.ORIGIN],
            image_file=record["image_file"],
            caption=record.get("caption"),
            uid=record.get("uid"),
            extra={name: record[name] for name in extras},
        )
