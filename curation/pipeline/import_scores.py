"""Importing what others computed: columns of scores joined by uid, and lists of uids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curation import uids
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import datacomp
from curation.pipeline import schema, score_folders
from curation.readers.base import SAMPLE_COLUMNS
from curation.readers.shared import rows, table_files
from curation.scores import SCORES
from curation.scores.base import Column, Floats
from curation.selection.decisions import Decisions
from curation.storage.atomic import atomic, fingerprint, sha256_of
from curation.storage.workspace import Receipt, Workspace, check_name

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Joined:
    """How many rows of an imported file belong to the dataset.

    Attributes:
        rows: usable rows of the file.
        matched: samples of the dataset that got a value or are in the list.
        unmatched: uids of the file that the dataset does not have.
        repeated: rows whose uid came before in the file.
    """

    rows: int
    matched: int
    unmatched: int
    repeated: int


def column_name(text: str) -> tuple[str, str]:
    """A file's column and the score it becomes, from ``NAME=SCORE`` or ``NAME``."""
    name, _, score = text.rpartition("=")
    return (name, score) if name else (score, score)


def import_scores(
    workspace: Workspace,
    file: Path,
    names: Sequence[tuple[str, str]] = (),
    uid_column: str = "uid",
) -> Joined:
    """Add columns of numbers of a table as scores, joined by uid.

    The first row of a repeated uid counts; samples without a row have the score missing.

    Args:
        names: which columns, each with the name of its score; by default every column of numbers,
            under its own name in lower case, with ``_`` for characters that are not allowed.

    Raises:
        CurationError: the file has no such column or none of numbers; or a score's name is not
            allowed, or is that of a computed score or of a column that every sample has.
    """
    if not workspace.catalog.is_file():
        raise CurationError(f"{workspace.path} has no catalog yet: run `score` to its end first")
    table = _load(file)
    words = _uid_column(table, file, uid_column)
    taken = _taken(workspace)
    columns: dict[str, Floats] = {}
    for name, score in names or _numeric(table, file, uid_column):
        if score in columns:
            raise CurationError(f"two columns cannot both be the score {score}")
        _check_score(name, score, taken, file)
        columns[score] = _floats(_column(table, name, file), name, file)
    first = uids.first_occurrences(words)
    places = _places(workspace, words[first])
    if not any((found >= 0).any() for found in places):
        raise CurationError(
            f"{file} has no uid of this dataset; check that it is the file of this dataset"
        )
    for name, values in columns.items():
        _write_score(workspace, name, values[first], places, file)
    return _joined(words, first, places)


def import_uids(workspace: Workspace, name: str, file: Path, uid_column: str = "uid") -> Joined:
    """Save the uids of a DataComp .npy, a text file (one a line) or a table as a list.

    Raises:
        CurationError: the file cannot be read as one of those, or an entry is not a uid.
    """
    check_name(name, "uid list")
    if file.suffix.lower() == ".npy":
        words = datacomp.load(file)
    elif file.suffix.lower() == ".txt":
        words = _from_text(file)
    else:
        words = _uid_column(_load(file), file, uid_column)
    first = uids.first_occurrences(words)
    Decisions.of(workspace).save_uid_list(name, words, str(file.resolve()))
    return _joined(words, first, _places(workspace, words[first]))


def _load(file: Path) -> pa.Table:
    if not file.is_file():
        raise CurationError(f"{file} does not exist")
    if file.suffix.lower() not in table_files.EXTENSIONS:
        known = ", ".join(sorted(table_files.EXTENSIONS))
        raise CurationError(f"{file} is not a table; expected one of {known}")
    table, broken = rows.load(file)
    if broken:
        raise CurationError(f"{broken[0].where}: {broken[0].reason}")
    return table


def _numeric(table: pa.Table, file: Path, uid_column: str) -> list[tuple[str, str]]:
    """The columns of numbers, each with the name of its score."""
    others = [name for name in table.column_names if name not in (uid_column, table_files.ORIGIN)]
    found = {
        name: re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        for name in others
        if _is_numeric(rows.narrow(table.column(name)))
    }
    if not found:
        raise CurationError(f"{file} has no column of numbers beside {uid_column}")
    if len(set(found.values())) < len(found):
        raise CurationError(
            f"{file} has columns whose scores would have one name ({', '.join(found)}): "
            "name each with --column NAME=SCORE"
        )
    return list(found.items())


def _is_numeric(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


def _column(table: pa.Table, name: str, file: Path) -> pa.ChunkedArray:
    if name not in table.column_names or name == table_files.ORIGIN:
        there = ", ".join(n for n in table.column_names if n != table_files.ORIGIN)
        raise CurationError(f"{file} has no column {name}; it has {there}")
    return table.column(name)


def _uid_column(table: pa.Table, file: Path, name: str) -> uids.Words:
    try:
        # UUIDs are written with dashes.
        text = pc.replace_substring(_column(table, name, file).cast(pa.string()), "-", "")
        return uids.to_words(text)
    except ValueError as error:
        raise CurationError(f"{file}: {error}") from None


def _from_text(file: Path) -> uids.Words:
    try:
        lines = file.read_text(encoding="utf-8-sig").split()
        return uids.to_words(lines)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CurationError(f"{file}: {error}") from None


def _taken(workspace: Workspace) -> set[str]:
    """Names that an imported score must not have, because a column has them already."""
    records = score_folders.finished(workspace)
    columns = {c.name for record in records if record.score in SCORES for c in record.columns}
    told = {c.name for c in Catalog.of(workspace).columns.values() if c.kind == "source"}
    return columns | told | set(SCORES) | set(SAMPLE_COLUMNS) | set(schema.ROW_NAMES)


def _check_score(name: str, score: str, taken: set[str], file: Path) -> None:
    """Raises:
    CurationError: the score's name is not allowed, or is taken.
    """
    advice = f"choose columns, and name their scores, with --column {name}=SCORE"
    if score in taken:
        raise CurationError(f"{file}: the dataset already has a column {score}; {advice}")
    try:
        check_name(score, "score")
    except CurationError as problem:
        raise CurationError(f"{file}, column {name}: {problem}; {advice}") from None


def _floats(column: pa.ChunkedArray, name: str, file: Path) -> Floats:
    numbers = rows.narrow(column)
    if not _is_numeric(numbers):
        raise CurationError(f"{file}: the column {name} holds {numbers.type}, not numbers")
    wide = numbers.cast(pa.float64(), safe=False).combine_chunks()
    with np.errstate(over="ignore"):
        return np.asarray(wide, dtype=np.float64).astype(np.float32)


def _places(workspace: Workspace, ranked: uids.Words) -> list[Places]:
    """For each shard, the positions of its samples in the sorted uids of the file, or −1."""
    places = []
    for shard in range(workspace.shard_count()):
        table = pq.read_table(workspace.samples.file(shard, "parquet"), columns=["uid"])
        places.append(uids.find(uids.to_words(table.column("uid")), ranked))
    return places


def _joined(words: uids.Words, first: Places, places: list[Places]) -> Joined:
    matched = [found[found >= 0] for found in places]
    known = len(np.unique(np.concatenate(matched))) if matched else 0
    return Joined(len(words), sum(map(len, matched)), len(first) - known, len(words) - len(first))


def _write_score(
    workspace: Workspace,
    name: str,
    values: Floats,
    places: list[Places],
    file: Path,
) -> None:
    folder = workspace.scores(name)
    mark = fingerprint("import", sha256_of(file), name)
    # Until every shard is written anew, the score is not whole and is not published.
    score_folders.open_again(folder)
    for shard, found in enumerate(places):
        folder.discard(shard)
        column = np.full(len(found), np.nan, dtype=np.float32)
        column[found >= 0] = values[found[found >= 0]]
        with atomic(folder.file(shard, "parquet")) as partial:
            pq.write_table(pa.table({name: column}), partial)
        folder.finish(shard, Receipt(mark, len(found)))
    score_folders.write_record(
        workspace,
        folder,
        score=name,
        model="",
        source=f"imported from {file.name}",
        parameters={},
        columns=[Column(name, name, f"Imported from {file.name}; higher is taken as better.")],
    )
