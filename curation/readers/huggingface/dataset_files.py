"""Which files a dataset of 🤗 datasets consists of, in their order, and of which split each is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curation.errors import CurationError
from curation.readers.huggingface import arrow_files, features
from curation.readers.shared import rows
from curation.storage import locations
from curation.storage.locations import Location

_SAVED, _SAVED_SPLITS = "state.json", "dataset_dict.json"
# Results of map and filter, which datasets keeps beside a dataset that it has prepared.
_CACHED = "cache-"

# As datasets calls the files of a split that it pushes, and the folders it takes for splits.
_OF_SPLIT = re.compile(r"(\w+(?:\.\w+)*)-\d{5}-of-\d{5}.*")
_SPLITS = frozenset(
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
class Part:
    """A file of rows.

    Attributes:
        name: the file below the source, parts parted by ``/``.
        split: the split that its rows are of, if that is told.
    """

    file: Location
    name: str
    split: str | None = None

    @property
    def is_arrow(self) -> bool:
        return _is_arrow(self.file)


def parts(source: Location) -> list[Part]:
    """The files of a source: one, a folder that ``save_to_disk`` wrote, or one of Arrow or Parquet.

    Parquet may lie as on the hub: in ``data/``, and in a folder for each split.

    Raises:
        CurationError: a folder that was saved is not whole, or there are two datasets in one.
    """
    if locations.is_file(source):
        return list(_parts(source.parent, [source])) if _is_of_rows(source) else []
    if locations.is_file(source / _SAVED_SPLITS):
        splits = _names(source / _SAVED_SPLITS, _told(source / _SAVED_SPLITS).get("splits"))
        return [part for split in splits for part in _saved(source, source / split, split)]
    if locations.is_file(source / _SAVED):
        return list(_saved(source, source, None))
    if not locations.is_dir(source):
        return []
    arrows = [f for f in locations.list_files(source, _is_arrow) if not f.name.startswith(_CACHED)]
    return list(_parts(source, arrows or _parquets(source)))


def _parts(source: Location, files: list[Location]) -> Iterator[Part]:
    for file in files:
        folder, named = file.parent.name, _OF_SPLIT.fullmatch(file.stem)
        split = None
        if not _is_arrow(file):
            split = named[1] if named else folder if folder in _SPLITS else None
        yield Part(file, locations.relative_name(file, source) or file.name, split)


def _parquets(source: Location) -> list[Location]:
    first, *others = [files for files in _layouts(source) if files] or [[]]
    for files in others:
        if _holds_images(files[0]):
            raise CurationError(
                f"{source} holds {locations.relative_name(first[0], source)} as well as "
                f"{locations.relative_name(files[0], source)}: which is the dataset? "
                "Name the file or folder "
                "that is, or move the other elsewhere"
            )
    return first


def _layouts(source: Location) -> Iterator[list[Location]]:
    """The Parquet files in each place where a dataset may have them."""
    for folder in (source, source / "data"):
        if not locations.is_dir(folder):
            continue
        yield locations.list_files(folder, rows.is_parquet)
        with locations.translate_errors(folder):
            names = sorted(found.name for found in folder.iterdir() if found.name in _SPLITS)
        splits = [folder / name for name in names if locations.is_dir(folder / name)]
        yield [file for split in splits for file in locations.list_files(split, rows.is_parquet)]


def _holds_images(file: Location) -> bool:
    try:
        return bool(features.images(rows.schema(file)))
    except CurationError:
        # It is said when the file is read, if it is one of the dataset.
        return False


def _saved(source: Location, folder: Location, split: str | None) -> Iterator[Part]:
    """The files that a saved dataset lists, in its order."""
    state = folder / _SAVED
    listed = _told(state).get("_data_files")
    names = [one.get("filename") if isinstance(one, dict) else None for one in listed or ()]
    for name in _names(state, names):
        file = folder / name
        yield Part(file, locations.relative_name(file, source) or name, split)


def _told(file: Location) -> dict[str, Any]:
    with locations.open_file(file) as opened:
        content = opened.read()
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise CurationError(f"{file} is not a JSON object: save the dataset again")
    return told


def _names(file: Location, told: object) -> list[str]:
    """Names of files or folders beside a file that lists them."""
    names = told if isinstance(told, list) else []
    plain = [name for name in names if isinstance(name, str) and re.fullmatch(r"[^/\\\0]+", name)]
    if not names or plain != names or ".." in names:
        raise CurationError(f"{file} does not list what lies beside it: save the dataset again")
    return plain


def _is_arrow(file: Location) -> bool:
    return file.suffix.lower() == arrow_files.EXTENSION


def _is_of_rows(file: Location) -> bool:
    return _is_arrow(file) or rows.is_parquet(file)
