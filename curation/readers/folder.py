"""A folder of images: captions beside them, or in the folder's metadata file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from curation import images, places
from curation.errors import CurationError
from curation.files import fingerprint
from curation.image_ref import ImageRef
from curation.places import Place
from curation.readers import base
from curation.readers.table import TableReader

METADATA_FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class FolderReader:
    """Images anywhere below a folder.

    With ``metadata.csv``, ``.jsonl`` or ``.parquet`` in it (the imagefolder convention of
    🤗 datasets: a ``file_name`` column), that file lists the samples. Otherwise each image has
    its caption in a ``.txt`` or ``.json`` file of the same name.
    """

    name = "folder"
    description = "images with metadata.csv or metadata.jsonl, or a .txt or .json beside each"

    def __init__(self, source: Place, options: base.Options) -> None:
        if not source.is_dir():
            raise CurationError(f"{source} is not a folder; name its format with --reader")
        self.source = source
        self.options = options
        self.image_root = places.resolved(options.image_root or source)
        metadata = _metadata_file(source)
        self._table = (
            None if metadata is None
            else TableReader(metadata, replace(options, image_root=self.image_root))
        )  # fmt: skip
        self._listing: list[Place] | None = None

    @classmethod
    def recognises(cls, source: Place) -> bool:
        if not source.is_dir():
            return False
        return _metadata_file(source) is not None or next(_image_files(source), None) is not None

    def shards(self) -> Sequence[base.SourceShard]:
        if self._table is not None:
            return self._table.shards()
        files = self._files()
        if not files:
            raise CurationError(f"{self.source} holds no image and no metadata.csv or .jsonl")
        shards = base.cut(self.source, len(files), self.options.shard_size, 0, None)
        return [
            replace(shard, fingerprint=fingerprint(
                self.options.mark(),
                [(places.below(file, self.source), _pair_stamp(file))
                 for file in files[shard.start : shard.stop]],
            ))
            for shard in shards
        ]  # fmt: skip

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        if self._table is not None:
            return self._table.read(shard)
        skipped: list[base.Skipped] = []
        files = self._files()[shard.start : shard.stop]
        found = base.check(
            self._rows(files, skipped), self.image_root, self.options.captions_required
        )
        return base.ShardSamples(found.samples, [*skipped, *found.skipped])

    def _files(self) -> list[Place]:
        if self._listing is None:
            self._listing = sorted(_image_files(self.source), key=lambda file: file.as_posix())
        return self._listing

    def _rows(self, files: Sequence[Place], skipped: list[base.Skipped]) -> Iterator[base.Row]:
        for file in files:
            where = places.below(file, self.source) or file.name
            if not base.is_text(where):
                shown = where.encode("utf-8", "replace").decode()
                skipped.append(base.Skipped(shown, "the file's name is not UTF-8"))
                continue
            try:
                caption, extra = _sidecar(file)
            except CurationError as problem:
                skipped.append(base.Skipped(where, str(problem)))
                continue
            if caption is None and self.options.captions_required:
                reason = f"no caption: neither {file.stem}.txt nor {file.stem}.json beside it"
                skipped.append(base.Skipped(where, reason))
                continue
            uid = extra.pop("uid", None)
            yield base.Row(
                where, ImageRef(where), caption, None if uid is None else str(uid), extra
            )


def _metadata_file(source: Place) -> Place | None:
    return next((source / n for n in METADATA_FILES if (source / n).is_file()), None)


def _image_files(source: Place) -> Iterator[Place]:
    for file in source.rglob("*"):
        if file.suffix.lower() in images.EXTENSIONS and not file.name.startswith("."):
            yield file


def _pair_stamp(file: Place) -> list[tuple[object, ...]]:
    beside = (file, file.with_suffix(".txt"), file.with_suffix(".json"))
    return [places.stamp(f) for f in beside if f.is_file()]


def _sidecar(file: Place) -> tuple[str | None, dict[str, object]]:
    """The caption and the other facts that lie beside an image."""
    extra: dict[str, object] = {}
    caption: str | None = None
    record_file, text_file = file.with_suffix(".json"), file.with_suffix(".txt")
    try:
        if record_file.is_file():
            record = json.loads(record_file.read_bytes())
            if not isinstance(record, dict) or not base.is_text(record):
                raise CurationError(f"{record_file.name} is not a JSON object of UTF-8 text")
            key = next((name for name in base.CAPTION_COLUMNS if name in record), None)
            told = None if key is None else record.pop(key)
            caption = None if told is None else str(told)
            extra = record
        if text_file.is_file():
            caption = text_file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CurationError("the caption is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise CurationError(f"{record_file.name} is not JSON ({error.msg})") from None
    except (OSError, RecursionError) as error:
        raise CurationError(f"the caption cannot be read ({error})") from None
    return caption, extra
