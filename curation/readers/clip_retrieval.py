"""The output of clip-retrieval: parts of CLIP embeddings, each with a table of metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curation import uids
from curation.errors import CurationError
from curation.readers import base
from curation.readers.shared import aligned_tables, arrow_text, parquet_rows
from curation.readers.shared.column_roles import find_column, pick_column
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location
from curation.storage.matrices import Matrix

_FEATURES = "clip"
_METADATA = "metadata"
_FOLDERS = {"image": "img_emb", "text": "text_emb"}
_PATH = "image_path"


@dataclass(frozen=True)
class _Part:
    """One numbered part.

    Attributes:
        metadata: the ``.parquet`` file with one row a sample.
        embeddings: the ``.npy`` files of ``image`` and ``text``, aligned with the rows.
    """

    metadata: Location
    embeddings: Mapping[str, Location]


class ClipRetrievalReader:
    """Reads a folder that ``clip-retrieval inference`` wrote.

    A part is one shard. Every row is a sample with its embeddings; nothing is skipped. A row's
    ``image_path`` becomes its image if that is a full path below the image root. It may also be
    the key of a sample in a tar, which is not an image. No image is opened.
    """

    name = "clip_retrieval"
    description = "clip-retrieval's output, img_emb/, text_emb/ and metadata/ with parts by number"

    def __init__(self, source: Location, options: base.Options) -> None:
        self.options = options
        self.image_root = locations.resolve(options.image_root or source)
        self.features = aligned_tables.feature_name(options.features or "") or _FEATURES
        self._parts = {part.metadata: part for part in _list_parts(source)}

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        if not locations.is_dir(source) or not locations.is_dir(source / _METADATA):
            return False
        return any(locations.is_dir(source / folder) for folder in _FOLDERS.values())

    def shards(self) -> Sequence[base.SourceShard]:
        columns = (self.options.caption_column, self.options.uid_column)
        shards = []
        for index, part in enumerate(self._parts.values()):
            files = (part.metadata, *part.embeddings.values())
            # The image root decides which rows have an image.
            mark = fingerprint(*map(locations.change_stamp, files), *columns, str(self.image_root))
            row_count = parquet_rows.group_starts(part.metadata)[-1]
            shards.append(base.SourceShard(index, part.metadata, 0, row_count, mark))
        return shards

    def embeddings(self, shard: base.SourceShard) -> Mapping[str, Matrix]:
        files = self._parts[shard.path].embeddings
        return {side: Matrix(locations.resolve(file)) for side, file in files.items()}

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        self._check_lengths(shard)
        table = aligned_tables.load_table(shard.path)
        names, file = table.column_names, shard.path
        caption = pick_column(
            names, self.options.caption_column, base.CAPTION_COLUMNS, "--caption-column", file
        )
        captions = aligned_tables.caption_texts(table.column(caption))
        known = {"caption": captions, **aligned_tables.image_sizes(table, ("", "original_"))}
        if path := find_column(names, _PATH):
            known["image_file"] = self._image_files(table.column(path))
        used = [caption]
        if self.options.uid_column or find_column(names, "uid"):
            uid = pick_column(names, self.options.uid_column, ("uid",), "--uid-column", file)
            known["uid"] = aligned_tables.checked_uids(table.column(uid), uid, file)
            used.append(uid)
        else:
            known["uid"] = _make_uids(table, captions)
        return aligned_tables.all_samples(table, known, used)

    def _check_lengths(self, shard: base.SourceShard) -> None:
        """Raises:
        CurationError: a matrix has more or fewer rows than the metadata.
        """
        for matrix in self.embeddings(shard).values():
            # A remote matrix is downloaded only once, by a later stage, which checks it too.
            if locations.is_local(matrix.file) and (count := len(matrix.open())) != shard.stop:
                raise CurationError(
                    f"{matrix.file} holds {count} embeddings, but {shard.path} has {shard.stop} "
                    "rows: they are not from the same run of clip-retrieval"
                )

    def _image_files(self, paths: pa.ChunkedArray) -> pa.ChunkedArray:
        """The paths relative to the image root; NULL for those that are not below it."""
        root = self.image_root.as_posix().rstrip("/") + "/"
        paths = arrow_text.text(paths)
        names = pc.utf8_slice_codeunits(paths, len(root))
        return pc.if_else(pc.starts_with(paths, root), names, pa.scalar(None, pa.string()))


def _list_parts(source: Location) -> Iterator[_Part]:
    """The parts in the order of their numbers.

    Raises:
        CurationError: image or text embeddings are missing, or a part is not complete.
    """
    metadata = _numbered_files(source, _METADATA, ".parquet")
    sides = {side: _numbered_files(source, folder, ".npy") for side, folder in _FOLDERS.items()}
    for side, files in sides.items():
        if not files:
            raise CurationError(
                f"{source} holds no {side} embeddings ({_FOLDERS[side]}/{_FOLDERS[side]}_0.npy): "
                "run clip-retrieval inference with --enable_image True --enable_text True"
            )
    folders = {_METADATA: metadata} | {_FOLDERS[side]: files for side, files in sides.items()}
    for number in sorted({number for files in folders.values() for number in files}):
        for folder, files in folders.items():
            if number not in files:
                others = ", ".join(f[number].name for f in folders.values() if number in f)
                raise CurationError(
                    f"{source / folder} lacks part {number}, but {others} exists: download or "
                    "compute the missing file again, or move the rest of the part elsewhere"
                )
        yield _Part(metadata[number], {side: files[number] for side, files in sides.items()})


def _numbered_files(source: Location, folder: str, extension: str) -> dict[int, Location]:
    """The files ``<folder>/<folder>_<number>``, by number.

    Raises:
        CurationError: two files have the same number.
    """
    if not locations.is_dir(source / folder):
        return {}
    name = re.compile(rf"{folder}_(\d+){re.escape(extension)}")
    numbered: dict[int, Location] = {}
    for file in locations.list_files(source / folder, lambda file: bool(name.fullmatch(file.name))):
        match = name.fullmatch(file.name)
        number = int(match[1]) if match else -1
        if number in numbered:
            raise CurationError(
                f"{source / folder} holds part {number} twice, {numbered[number].name} and "
                f"{file.name}: move the files of the other run elsewhere"
            )
        numbered[number] = file
    return numbered


def _make_uids(table: pa.Table, captions: pa.ChunkedArray) -> pa.ChunkedArray:
    """Uids from each row's URL, or else its path, and its caption; repeated pairs share one."""
    columns = [
        arrow_text.text(table.column(column)).to_pylist()
        for name in (base.URL, _PATH)
        if (column := find_column(table.column_names, name))
    ]
    keys = []
    for row, caption in enumerate(captions.to_pylist()):
        image = next((column[row] for column in columns if column[row]), "")
        keys.append(uids.from_key(f"{image}\0{caption}"))
    return pa.chunked_array([keys], pa.string())
