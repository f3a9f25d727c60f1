"""A folder of images: captions beside them, or in the folder's metadata file."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from curation.errors import CurationError
from curation.images import decode
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.shared import img2dataset
from curation.readers.table import TableReader
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location

METADATA_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class FolderReader:
    """Images anywhere below a folder.

    With ``metadata.csv``, ``.jsonl`` or ``.parquet`` in it (the imagefolder convention of
    🤗 datasets: a ``file_name`` column), that file lists the samples. Otherwise each image has
    its caption in a ``.txt`` or ``.json`` file of the same name; where img2dataset has written
    them, the ``.parquet`` beside each of its folders tells which downloads failed.
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
        self._beside: list[tuple[int, Location]] | None = None
        # Of remote files, which would take a request each to ask for.
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
        # Beside a table of captions, images have theirs there.
        has_own = any(map(locations.is_file, _sidecars(first)))
        return has_own or not TableReader.recognizes(source)

    def shards(self) -> Sequence[base.SourceShard]:
        if self._table is not None:
            return self._table.shards()
        files = self._files()
        if not files:
            raise CurationError(f"{self.source} holds no image and no metadata.csv or .jsonl")
        shards = base.cut(self.source, len(files), self.options.shard_size, 0, None)
        return [
            replace(
                shard,
                fingerprint=fingerprint(
                    self.options.mark(),
                    [
                        (locations.relative_name(file, self.source), self._pair_stamp(file))
                        for file in files[shard.start : shard.stop]
                    ]
                    + [locations.change_stamp(table) for table in self._tables(shard)],
                ),
            )
            for shard in shards
        ]

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        if self._table is not None:
            return self._table.read(shard)
        skipped: list[base.Skipped] = []
        files = self._files()[shard.start : shard.stop]
        found = base.check(
            self._rows(files, skipped), self.image_root, self.options.captions_required
        )
        failed = [one for table in self._tables(shard) for one in img2dataset.failures(table)]
        return base.ShardSamples(found.samples, [*skipped, *found.skipped, *failed])

    def _files(self) -> list[Location]:
        if self._listing is None:
            self._listing = sorted(_image_files(self.source), key=lambda file: file.as_posix())
        return self._listing

    def _below_root(self, where: str) -> str:
        """The name of an image below the image root, by its name below the source."""
        full = locations.join(locations.resolve(self.source), where)
        return locations.relative_name(full, self.image_root) or where

    def _is_there(self, file: Location) -> bool:
        if self._stamps is None:
            return locations.is_file(file)
        return locations.relative_name(file, self.source) in self._stamps

    def _pair_stamp(self, file: Location) -> list[tuple[object, ...]]:
        there = (f for f in (file, *_sidecars(file)) if self._is_there(f))
        if self._stamps is None:
            return [locations.change_stamp(f) for f in there]
        return [self._stamps[locations.relative_name(f, self.source) or ""] for f in there]

    def _tables(self, shard: base.SourceShard) -> list[Location]:
        """The tables of failed downloads of the folders that begin in a shard."""
        if self._beside is None:
            names = [file.as_posix() for file in self._files()]
            tables = img2dataset.beside_folders(self.source)
            starts = (bisect_left(names, f"{t.with_suffix('').as_posix()}/") for t in tables)
            # A folder of which nothing was downloaded belongs to where it would stand.
            self._beside = [
                (min(at, len(names) - 1), t) for at, t in zip(starts, tables, strict=True)
            ]
        return [table for at, table in self._beside if shard.start <= at < shard.stop]

    def _rows(self, files: Sequence[Location], skipped: list[base.Skipped]) -> Iterator[base.Row]:
        for file in files:
            where = locations.relative_name(file, self.source) or file.name
            if not base.is_text(where):
                shown = where.encode("utf-8", "replace").decode()
                skipped.append(base.Skipped(shown, "the file's name is not UTF-8"))
                continue
            try:
                caption, extra = _sidecar(file, self._is_there)
            except CurationError as problem:
                skipped.append(base.Skipped(where, str(problem)))
                continue
            if caption is None and self.options.captions_required:
                reason = f"no caption: neither {file.stem}.txt nor {file.stem}.json beside it"
                skipped.append(base.Skipped(where, reason))
                continue
            uid = extra.pop("uid", None)
            yield base.Row(
                where,
                ImageRef(self._below_root(where)),
                caption,
                None if uid is None else str(uid),
                extra,
            )


def _metadata_file(source: Location) -> Location | None:
    files = (source / name for name in METADATA_FILES)
    return next((file for file in files if locations.is_file(file, guessed=True)), None)


def _image_files(source: Location) -> Iterator[Location]:
    return (file for file in locations.walk(source) if file.suffix.lower() in decode.EXTENSIONS)


def _sidecars(image: Location) -> tuple[Location, Location]:
    return image.with_suffix(".txt"), image.with_suffix(".json")


def _sidecar(
    file: Location, is_there: Callable[[Location], bool]
) -> tuple[str | None, dict[str, object]]:
    """The caption and the other facts that lie beside an image."""
    extra: dict[str, object] = {}
    caption: str | None = None
    text_file, record_file = _sidecars(file)
    try:
        if is_there(record_file):
            record = json.loads(record_file.read_bytes())
            if not isinstance(record, dict) or not base.is_text(record):
                raise CurationError(f"{record_file.name} is not a JSON object of UTF-8 text")
            key = next((name for name in base.CAPTION_COLUMNS if name in record), None)
            told = None if key is None else record.pop(key)
            caption = None if told is None else str(told)
            extra = img2dataset.facts(record)
        if is_there(text_file):
            caption = text_file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CurationError("the caption is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise CurationError(f"{record_file.name} is not JSON ({error.msg})") from None
    except ValueError:
        raise CurationError(f"{record_file.name} holds a number too long to be read") from None
    except (OSError, RecursionError) as error:
        raise CurationError(f"the caption cannot be read ({error})") from None
    return caption, extra
