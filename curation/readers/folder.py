"""A folder of images with captions: one file next to each image, or one metadata file."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from curation.errors import CurationError
from curation.images import decode
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.shared import arrow_text, img2dataset
from curation.readers.shared.check_rows import check_rows
from curation.readers.shared.json_object import parse_object
from curation.readers.table import TableReader
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location

METADATA_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class FolderReader:
    """Reads images anywhere below a folder.

    If the folder has a ``metadata.csv``, ``.jsonl`` or ``.parquet`` (the imagefolder convention
    of 🤗 datasets, with a ``file_name`` column), that file lists the samples. Otherwise the
    caption of each image is in a ``.txt`` or ``.json`` file of the same name; other values in
    the ``.json`` are kept. The failed downloads in img2dataset's tables are listed as skipped.

    Skipped are images without a caption, or with one that cannot be read, and images that cannot
    be opened.
    """

    name = "folder"
    description = "images with metadata.csv or metadata.jsonl, or a .txt or .json beside each"

    def __init__(self, source: Location, options: base.Options) -> None:
        if not locations.is_dir(source):
            raise CurationError(f"{source} is not a folder; name its format with --reader")
        self.source = source
        self.options = options
        self.image_root = locations.resolve(options.image_root or source)
        metadata = _metadata_file(source)
        self._table = (
            None
            if metadata is None
            else TableReader(metadata, replace(options, image_root=self.image_root))
        )
        self._listing: list[Location] | None = None
        self._download_tables: list[tuple[int, Location]] | None = None
        # One listing instead of one request for each remote file.
        self._stamps = None if isinstance(source, Path) else locations.change_stamps(source)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        if not locations.is_dir(source):
            return False
        if _metadata_file(source) is not None:
            return True
        first = next(_image_files(source), None)
        if first is None:
            return False
        # Images next to a table without caption files belong to the table.
        has_caption_file = any(map(locations.is_file, _caption_files(first)))
        return has_caption_file or not TableReader.recognizes(source)

    def shards(self) -> Sequence[base.SourceShard]:
        if self._table is not None:
            return self._table.shards()
        files = self._files()
        if not files:
            raise CurationError(f"{self.source} holds no image and no metadata.csv or .jsonl")
        shards = base.split_into_shards(self.source, len(files), self.options.shard_size, 0, None)
        return [replace(shard, fingerprint=self._fingerprint(shard)) for shard in shards]

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        if self._table is not None:
            return self._table.read(shard)
        skipped: list[base.Skipped] = []
        files = self._files()[shard.start : shard.stop]
        checked = check_rows(
            self._rows(files, skipped), self.image_root, self.options.captions_required
        )
        failed = [
            row for table in self._tables(shard) for row in img2dataset.failed_downloads(table)
        ]
        return base.ShardSamples(checked.samples, [*skipped, *checked.skipped, *failed])

    def _files(self) -> list[Location]:
        """The image files, sorted by path."""
        if self._listing is None:
            self._listing = sorted(_image_files(self.source), key=lambda file: file.as_posix())
        return self._listing

    def _fingerprint(self, shard: base.SourceShard) -> str:
        pairs = [
            (locations.relative_name(file, self.source), self._pair_stamps(file))
            for file in self._files()[shard.start : shard.stop]
        ]
        tables = [locations.change_stamp(table) for table in self._tables(shard)]
        return fingerprint(self.options.fingerprint_values(), [*pairs, *tables])

    def _image_name(self, where: str) -> str:
        """The image's path below the image root, from its path below the source."""
        full = locations.join(locations.resolve(self.source), where)
        return locations.relative_name(full, self.image_root) or where

    def _exists(self, file: Location) -> bool:
        if self._stamps is None:
            return locations.is_file(file)
        return locations.relative_name(file, self.source) in self._stamps

    def _pair_stamps(self, image: Location) -> list[tuple[object, ...]]:
        """The stamps of an image and of its caption files."""
        files = (file for file in (image, *_caption_files(image)) if self._exists(file))
        if self._stamps is None:
            return [locations.change_stamp(file) for file in files]
        return [self._stamps[locations.relative_name(file, self.source) or ""] for file in files]

    def _tables(self, shard: base.SourceShard) -> list[Location]:
        """img2dataset's tables of the folders whose first image is in a shard."""
        if self._download_tables is None:
            names = [file.as_posix() for file in self._files()]
            tables = img2dataset.folder_tables(self.source)
            starts = (bisect_left(names, f"{t.with_suffix('').as_posix()}/") for t in tables)
            # A folder without images counts at its position in the sorted listing.
            self._download_tables = [
                (min(start, len(names) - 1), table)
                for start, table in zip(starts, tables, strict=True)
            ]
        return [t for start, t in self._download_tables if shard.start <= start < shard.stop]

    def _rows(self, files: Sequence[Location], skipped: list[base.Skipped]) -> Iterator[base.Row]:
        """The rows of image files; appends what has no usable caption to ``skipped``."""
        for file in files:
            where = locations.relative_name(file, self.source) or file.name
            if not arrow_text.is_utf8(where):
                printable = where.encode("utf-8", "replace").decode()
                skipped.append(base.Skipped(printable, "file name is not UTF-8"))
                continue
            try:
                yield self._row(file, where)
            except CurationError as problem:
                skipped.append(base.Skipped(where, str(problem)))

    def _row(self, file: Location, where: str) -> base.Row:
        caption, extra = _read_caption_files(file, self._exists)
        if caption is None and self.options.captions_required:
            raise CurationError(f"no caption: none in {file.stem}.txt or {file.stem}.json")
        uid = extra.pop("uid", None)
        return base.Row(
            where=where,
            image=ImageRef(self._image_name(where)),
            caption=caption,
            uid=None if uid is None else str(uid),
            extra=extra,
        )


def _metadata_file(source: Location) -> Location | None:
    files = (source / name for name in METADATA_FILES)
    return next((file for file in files if locations.is_file(file, guessed=True)), None)


def _image_files(source: Location) -> Iterator[Location]:
    return (file for file in locations.walk(source) if file.suffix.lower() in decode.EXTENSIONS)


def _caption_files(image: Location) -> tuple[Location, Location]:
    """Paths of an image's ``.txt`` and ``.json``, which need not exist."""
    return image.with_suffix(".txt"), image.with_suffix(".json")


def _read_caption_files(
    image: Location, exists: Callable[[Location], bool]
) -> tuple[str | None, dict[str, object]]:
    """The caption next to an image, and the other values in its ``.json``.

    Raises:
        CurationError: a file cannot be read; the message is the reason for skipping the image.
    """
    extra: dict[str, object] = {}
    caption: str | None = None
    text_file, json_file = _caption_files(image)
    try:
        if exists(json_file):
            caption, extra = _read_json(json_file)
        if exists(text_file):
            caption = text_file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CurationError("caption is not UTF-8") from None
    except OSError as error:
        raise CurationError(f"caption cannot be read: {error}") from None
    return caption, extra


def _read_json(file: Location) -> tuple[str | None, dict[str, object]]:
    data = file.read_bytes()
    try:
        record = parse_object(data)
    except CurationError as problem:
        raise CurationError(f".json file is not usable: {file.name}: {problem}") from None
    key = next((name for name in base.CAPTION_COLUMNS if name in record), None)
    caption = None if key is None else record.pop(key)
    return None if caption is None else str(caption), img2dataset.source_columns(record)
