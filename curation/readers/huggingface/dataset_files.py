"""The files of a 🤗 dataset, in order, and the split that each belongs to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curation.errors import CurationError
from curation.readers.huggingface import arrow_files, features
from curation.readers.shared import parquet_rows
from curation.readers.shared.table_files import is_parquet
from curation.storage import locations
from curation.storage.locations import Location

# Files that save_to_disk writes for one dataset, and for one with splits.
_STATE, _SPLIT_LIST = "state.json", "dataset_dict.json"
# Prefix of the files in which datasets caches the results of map and filter.
_CACHED = "cache-"

# How datasets names the files of a split that it uploads, and which folders it takes for splits.
_SPLIT_FILE = re.compile(r"(\w+(?:\.\w+)*)-\d{5}-of-\d{5}.*")
_SPLIT_FOLDERS = frozenset(
    {
        "train",
        "training",
        "validation",
        "valid",
        "dev",
        "val",
        "test",
        "testing",
        "eval",
        "evaluation",
    }
)


@dataclass(frozen=True)
class DatasetFile:
    """A file of rows.

    Attributes:
        path: the file.
        name: the path below the source, with ``/`` between its parts.
        split: the split that the rows belong to; None if unknown.
    """

    path: Location
    name: str
    split: str | None = None

    @property
    def is_arrow(self) -> bool:
        """Whether this is an Arrow file; if not, it is Parquet."""
        return _is_arrow(self.path)


def list_files(source: Location) -> list[DatasetFile]:
    """The files of a dataset; empty if the source is not one.

    The source is one file, a folder by ``save_to_disk``, or a folder of Arrow or Parquet files.
    Parquet may be laid out as on the hub: in ``data/``, and in one folder for each split.

    Raises:
        CurationError: a folder by ``save_to_disk`` is incomplete, or there are two datasets.
    """
    if locations.is_file(source):
        is_dataset = _is_arrow(source) or is_parquet(source)
        return list(_with_splits(source.parent, [source])) if is_dataset else []
    if locations.is_file(source / _SPLIT_LIST):
        splits = _read_json(source / _SPLIT_LIST).get("splits")
        return [
            file
            for split in _check_names(source / _SPLIT_LIST, splits)
            for file in _saved_files(source, source / split, split)
        ]
    if locations.is_file(source / _STATE):
        return list(_saved_files(source, source, None))
    if not locations.is_dir(source):
        return []
    arrows = [f for f in locations.list_files(source, _is_arrow) if not f.name.startswith(_CACHED)]
    return list(_with_splits(source, arrows or _parquet_files(source)))


def _with_splits(source: Location, files: list[Location]) -> Iterator[DatasetFile]:
    for file in files:
        folder, match = file.parent.name, _SPLIT_FILE.fullmatch(file.stem)
        split = None
        if not _is_arrow(file):
            split = match[1] if match else folder if folder in _SPLIT_FOLDERS else None
        yield DatasetFile(file, locations.relative_name(file, source) or file.name, split)


def _parquet_files(source: Location) -> list[Location]:
    """The Parquet files of the only layout that has any.

    Raises:
        CurationError: another layout has files with images too.
    """
    first, *others = [files for files in _layouts(source) if files] or [[]]
    for files in others:
        if _has_images(files[0]):
            raise CurationError(
                f"{source} holds {locations.relative_name(first[0], source)} as well as "
                f"{locations.relative_name(files[0], source)}, which may be two datasets: "
                "name the file or folder of one, or move the other elsewhere"
            )
    return first


def _layouts(source: Location) -> Iterator[list[Location]]:
    """The Parquet files of each layout that a dataset may have."""
    for folder in (source, source / "data"):
        if not locations.is_dir(folder):
            continue
        yield locations.list_files(folder, is_parquet)
        with locations.translate_errors(folder):
            names = sorted(p.name for p in folder.iterdir() if p.name in _SPLIT_FOLDERS)
        splits = [folder / name for name in names if locations.is_dir(folder / name)]
        yield [file for split in splits for file in locations.list_files(split, is_parquet)]


def _has_images(file: Location) -> bool:
    try:
        return bool(features.image_columns(parquet_rows.read_schema(file)))
    except CurationError:
        # Reported when the file is read, if it belongs to the dataset.
        return False


def _saved_files(source: Location, folder: Location, split: str | None) -> Iterator[DatasetFile]:
    """The files that a saved dataset lists, in its order."""
    state = folder / _STATE
    listed = _read_json(state).get("_data_files")
    names = [item.get("filename") if isinstance(item, dict) else None for item in listed or ()]
    for name in _check_names(state, names):
        file = folder / name
        yield DatasetFile(file, locations.relative_name(file, source) or name, split)


def _read_json(file: Location) -> dict[str, Any]:
    with locations.open_file(file) as opened:
        content = opened.read()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CurationError(f"{file} is not a JSON object: save the dataset again")
    return value


def _check_names(file: Location, value: object) -> list[str]:
    """The names in a JSON list, which must be in the same folder as the JSON file.

    Raises:
        CurationError: the value is not such a list.
    """
    names = value if isinstance(value, list) else []
    plain = [name for name in names if isinstance(name, str) and re.fullmatch(r"[^/\\\0]+", name)]
    if not names or plain != names or ".." in names:
        raise CurationError(f"{file} does not list files in its own folder: save the dataset again")
    return plain


def _is_arrow(file: Location) -> bool:
    return file.suffix.lower() == arrow_files.EXTENSION
