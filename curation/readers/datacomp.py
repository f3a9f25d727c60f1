"""DataComp's metadata: pairs of a ``.parquet`` of captions and a ``.npz`` of CLIP embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curation.errors import CurationError
from curation.readers import base
from curation.readers.shared import aligned_tables, rows
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location
from curation.storage.matrices import Matrix, members

# DataComp's own names (l14_img, l14_txt), and dataset2metadata's (oai-clip-vit-l14-image, …-text).
_PAIRS = (("_img", "_txt"), ("-image", "-text"))
_PREFERRED = "l14"


class DatacompReader:
    """Metadata as DataComp publishes it and dataset2metadata writes it; images are only URLs.

    A pair of files is one shard. Every row is a sample, aligned with its embeddings.
    """

    name = "datacomp"
    description = "DataComp metadata, <name>.parquet with <name>.npz beside"

    def __init__(self, source: Location, options: base.Options) -> None:
        self.files = pairs(source)
        if not self.files:
            raise CurationError(f"{source} holds no .parquet with a .npz of that name beside it")
        if locations.is_dir(source):
            _check_whole(source, self.files)
        self.options = options
        self.image_root = locations.resolve(options.image_root or self.files[0].parent)
        self._columns = _feature_columns(self.files[0].with_suffix(".npz"), options.features)
        stem = self._columns[0].removesuffix("_img").removesuffix("-image")
        self.features = aligned_tables.features(stem)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        return bool(pairs(source))

    def shards(self) -> Sequence[base.SourceShard]:
        return [
            base.SourceShard(
                index,
                file,
                0,
                rows.group_starts(file)[-1],
                fingerprint(
                    locations.change_stamp(file),
                    locations.change_stamp(file.with_suffix(".npz")),
                    self.options.caption_column,
                    self.options.uid_column,
                ),
            )
            for index, file in enumerate(self.files)
        ]

    def embeddings(self, shard: base.SourceShard) -> Mapping[str, Matrix]:
        file = shard.path.with_suffix(".npz")
        return {
            side: Matrix(locations.resolve(file), member)
            for side, member in zip(("image", "text"), self._columns, strict=True)
        }

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        table = aligned_tables.table(shard.path)
        uid = aligned_tables.pick(table, self.options.uid_column, ("uid",), shard.path)
        caption = aligned_tables.pick(
            table, self.options.caption_column, base.CAPTION_COLUMNS, shard.path
        )
        known = {
            "uid": aligned_tables.uid(table.column(uid), uid, shard.path),
            "caption": aligned_tables.text(table.column(caption)),
        }
        known |= aligned_tables.sides(table, ("original_",))
        return aligned_tables.samples(table, known, used=(uid, caption))


def pairs(source: Location) -> list[Location]:
    """The ``.parquet`` files that have their ``.npz`` beside them."""
    if locations.is_file(source):
        files = [source] if source.suffix == ".parquet" else []
    else:
        files = locations.list_files(source, rows.is_parquet) if locations.is_dir(source) else []
    return [file for file in files if locations.is_file(file.with_suffix(".npz"), guessed=True)]


def _check_whole(source: Location, paired: Sequence[Location]) -> None:
    """Raises:
    CurationError: a file lacks its other half, as a download that broke off leaves it.
    """
    stems = {file.stem for file in paired}
    for file in locations.list_files(source, lambda file: rows.is_parquet(file) or _is_npz(file)):
        if file.stem not in stems:
            other = file.with_suffix(".parquet" if _is_npz(file) else ".npz")
            raise CurationError(
                f"{source} lacks {other.name}, which belongs to {file.name}: fetch it again, or "
                f"move {file.name} elsewhere"
            )


def _is_npz(file: Location) -> bool:
    return file.suffix.lower() == ".npz"


def _feature_columns(file: Location, wanted: str | None) -> tuple[str, str]:
    """The members of the images' and of the captions' embeddings.

    Raises:
        CurationError: there are none, or several and none is named; lists those there are.
    """
    there = members(file)
    known = {
        name.removesuffix(image): (name, name.removesuffix(image) + text)
        for image, text in _PAIRS
        for name in there
        if name.endswith(image) and name.removesuffix(image) + text in there
    }
    listed = ", ".join(known) or "none"
    if not known:
        raise CurationError(
            f"{file} holds no embeddings of images and captions by names known here "
            f"(l14_img with l14_txt, …-image with …-text); it holds {', '.join(there)}"
        )
    chosen = wanted or (_PREFERRED if _PREFERRED in known else next(iter(known)))
    if chosen not in known or (wanted is None and len(known) > 1 and chosen != _PREFERRED):
        raise CurationError(f"{file} holds the features {listed}: name one with --features")
    return known[chosen]
