"""DataComp's metadata: pairs of a ``.parquet`` of captions and a ``.npz`` of CLIP embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curation.errors import CurationError
from curation.readers import base
from curation.readers.shared import aligned_tables, parquet_rows
from curation.readers.shared.column_roles import pick_column
from curation.readers.shared.table_files import is_parquet
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location
from curation.storage.matrices import Matrix, members

# Suffixes of an image's and a caption's embeddings: DataComp's own files have l14_img and l14_txt,
# those of dataset2metadata oai-clip-vit-l14-image and oai-clip-vit-l14-text.
_SUFFIXES = (("_img", "_txt"), ("-image", "-text"))
_PREFERRED = "l14"


class DatacompReader:
    """Reads metadata as DataComp publishes it and dataset2metadata writes it.

    A pair of files is one shard. Every row is a sample with its embeddings, whether or not it has
    a caption; nothing is skipped. Images are URLs only.
    """

    name = "datacomp"
    description = "DataComp metadata, <name>.parquet with <name>.npz beside"

    def __init__(self, source: Location, options: base.Options) -> None:
        self.files = _paired_files(source)
        if not self.files:
            raise CurationError(
                f"{source} holds no .parquet file with a .npz file of the same name"
            )
        if locations.is_dir(source):
            _check_all_paired(source, self.files)
        self.options = options
        self.image_root = locations.resolve(options.image_root or self.files[0].parent)
        self._members = _embedding_members(self.files[0].with_suffix(".npz"), options.features)
        image_member, _ = self._members
        stem = image_member.removesuffix("_img").removesuffix("-image")
        self.features = aligned_tables.feature_name(stem)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        return bool(_paired_files(source))

    def shards(self) -> Sequence[base.SourceShard]:
        shards = []
        for index, file in enumerate(self.files):
            mark = fingerprint(
                locations.change_stamp(file),
                locations.change_stamp(file.with_suffix(".npz")),
                self.options.caption_column,
                self.options.uid_column,
            )
            row_count = parquet_rows.group_starts(file)[-1]
            shards.append(base.SourceShard(index, file, 0, row_count, mark))
        return shards

    def embeddings(self, shard: base.SourceShard) -> Mapping[str, Matrix]:
        file = locations.resolve(shard.path.with_suffix(".npz"))
        image_member, text_member = self._members
        return {"image": Matrix(file, image_member), "text": Matrix(file, text_member)}

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        table = aligned_tables.load_table(shard.path)
        names, file = table.column_names, shard.path
        uid = pick_column(names, self.options.uid_column, ("uid",), "--uid-column", file)
        caption = pick_column(
            names, self.options.caption_column, base.CAPTION_COLUMNS, "--caption-column", file
        )
        known = {
            "uid": aligned_tables.checked_uids(table.column(uid), uid, file),
            "caption": aligned_tables.caption_texts(table.column(caption)),
            **aligned_tables.image_sizes(table, ("original_",)),
        }
        return aligned_tables.all_samples(table, known, used=(uid, caption))


def _paired_files(source: Location) -> list[Location]:
    """The ``.parquet`` files of a file or folder that have a ``.npz`` file of the same name."""
    if locations.is_file(source):
        files = [source] if source.suffix == ".parquet" else []
    else:
        files = locations.list_files(source, is_parquet) if locations.is_dir(source) else []
    return [file for file in files if locations.is_file(file.with_suffix(".npz"), guessed=True)]


def _check_all_paired(source: Location, paired: Sequence[Location]) -> None:
    """Raises:
    CurationError: a file lacks its other half, as after an interrupted download.
    """
    stems = {file.stem for file in paired}
    for file in locations.list_files(source, lambda file: is_parquet(file) or _is_npz(file)):
        if file.stem not in stems:
            other = file.with_suffix(".parquet" if _is_npz(file) else ".npz")
            raise CurationError(
                f"{source} lacks {other.name}, which belongs to {file.name}: download it again, "
                f"or move {file.name} elsewhere"
            )


def _is_npz(file: Location) -> bool:
    return file.suffix.lower() == ".npz"


def _embedding_members(file: Location, wanted: str | None) -> tuple[str, str]:
    """The names of the image embeddings and of the text embeddings in a ``.npz`` file.

    Args:
        wanted: the name without its suffix, such as ``l14``; None selects ``l14``, or the only one.

    Raises:
        CurationError: the wanted ones are missing, or there are several and none is wanted.
    """
    names = members(file)
    pairs = {
        name.removesuffix(image): (name, name.removesuffix(image) + text)
        for image, text in _SUFFIXES
        for name in names
        if name.endswith(image) and name.removesuffix(image) + text in names
    }
    if not pairs:
        raise CurationError(
            f"{file} holds no image and text embeddings with known names "
            f"(l14_img with l14_txt, …-image with …-text); it holds {', '.join(names)}"
        )
    default = _PREFERRED if len(pairs) > 1 else next(iter(pairs))
    chosen = wanted or default
    if chosen not in pairs:
        raise CurationError(
            f"{file} holds the features {', '.join(pairs)}: choose one with --features"
        )
    return pairs[chosen]
