"""Export a selection: the list, and beside it what is needed to make and to check it again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import EXPORTERS, manifest
from curation.exporters.base import SHARD_SIZE, LeftOut, Order
from curation.selection.recipe import Recipe
from curation.selection.select import Selection
from curation.storage import locations
from curation.storage.atomic import atomic, sha256_of

# As s3:// looks once it is a path.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")


@dataclass(frozen=True)
class Exported:
    """The files that were written.

    Attributes:
        path: the file, or the folder.
        digest: the SHA-256 of the selection's sorted uids.
        left_out: what is selected and could not be written.
    """

    path: Path
    recipe: Path
    manifest: Path
    digest: str
    left_out: tuple[LeftOut, ...] = ()


def default_columns(catalog: Catalog, format: str = "parquet") -> list[str]:
    """What an export has unless told otherwise."""
    return EXPORTERS[format].default_columns(catalog)


def export(
    catalog: Catalog,
    selection: Selection,
    format: str,
    path: Path,
    *,
    columns: Sequence[str] = (),
    shard_size: int = SHARD_SIZE,
    overwrite: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> Exported:
    """Write a selection, ``<name>.recipe.yaml`` and ``<name>.manifest.json``.

    Args:
        path: the file, or the folder of a format that is many files.
        columns: of the catalog; by default those of ``default_columns``.
        shard_size: samples a file of a folder.
        advance: called with how many samples have been worked on.

    Raises:
        CurationError: the format or a column is unknown, the place cannot be written, or one of
            the files is there already, of another selection, and ``overwrite`` is False.
    """
    if format not in EXPORTERS:
        raise CurationError(f"there is no format {format!r}; there are {', '.join(EXPORTERS)}")
    exporter = EXPORTERS[format]
    path = _place(path)
    wanted = dict.fromkeys(columns)
    chosen = [catalog.column(name).name for name in wanted] or exporter.default_columns(catalog)
    if exporter.extension and path.is_dir():
        raise CurationError(
            f"{path} is a folder; name a file in it, as in {path / 'selection'}{exporter.extension}"
        )
    if not overwrite and (there := in_the_way(selection, path)):
        raise CurationError(f"{there[0]} is there already; pass --overwrite, or another name")
    recipe_file, manifest_file = _beside(path)
    before = manifest.load(manifest_file)
    if before.get("sha256_of_sorted_uids", selection.digest) != selection.digest:
        _check_others(path, before)
    if not exporter.extension:
        _check_folder(path, before)
    # The same selection in another format shares the recipe and the manifest.
    recipe_is_there = _holds(recipe_file, selection.recipe)
    same = recipe_is_there and before.get("sha256_of_sorted_uids") == selection.digest
    root = locations.of(catalog.dataset.image_root)
    order = Order(catalog, selection, chosen, root, shard_size, advance)
    with atomic(path) as partial:
        left_out = tuple(exporter.write(order, partial))
    if not recipe_is_there:
        with atomic(recipe_file) as partial:
            partial.write_text(selection.recipe.to_yaml(), encoding="utf-8")
    record = manifest.record(catalog, selection, format, path, left_out)
    manifest.write(manifest_file, manifest.joined(before, record, path) if same else record)
    return Exported(path, recipe_file, manifest_file, selection.digest, left_out)


def in_the_way(selection: Selection, path: Path) -> list[Path]:
    """The files that an export to ``path`` would replace.

    The recipe and the manifest of the same selection in another format are not among them.
    """
    recipe_file, manifest_file = _beside(path)
    there = [path] if path.exists() else []
    same = _holds(recipe_file, selection.recipe)
    if recipe_file.exists() and not same:
        there.append(recipe_file)
    if manifest_file.exists() and not (
        same and manifest.load(manifest_file).get("sha256_of_sorted_uids") == selection.digest
    ):
        there.append(manifest_file)
    return there


def _beside(path: Path) -> tuple[Path, Path]:
    """Where the recipe and the manifest of an export go."""
    manifest_file = manifest.beside(path)
    return path.with_name(manifest_file.name.replace(".manifest.json", ".recipe.yaml")), (
        manifest_file
    )


def _place(path: Path) -> Path:
    """The path in full: a library that writes there may read ``~`` or ``name:`` in its own way.

    Raises:
        CurationError: it is an address, or no name.
    """
    if _ADDRESS.match(str(path)):
        raise CurationError(f"{path} is an address; exports are written to this machine")
    full = path.expanduser().absolute()
    if full.name in ("", ".."):
        raise CurationError(f"{path} is no name for an export; name a file or folder in it")
    return full


def _check_others(path: Path, before: manifest.Record) -> None:
    """Raises:
    CurationError: other formats of the selection before lie there under the same name.
    """
    names = {name.partition("/")[0] for name in before.get("files", {})} - {path.name}
    there = sorted(name for name in names if path.with_name(name).exists())
    if there:
        raise CurationError(
            f"{', '.join(there)} beside {path} are of the selection before, and would be taken for "
            "this one's: delete them, or choose another name"
        )


def _check_folder(path: Path, before: manifest.Record) -> None:
    """Raises:
    CurationError: something lies there that no export wrote, and would be lost.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        what = "a link" if path.is_symlink() else "a file"
        raise CurationError(f"{path} is {what}; this format is a folder: give another name")
    written = before.get("files", {})
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path.parent).as_posix()
        # A link is a file of someone's, wherever it leads.
        is_other = file.is_symlink() or (file.is_file() and name not in written)
        with locations.asking(file):
            if is_other or (file.is_file() and sha256_of(file) != written[name]):
                what = "is not of an export" if is_other else "was changed after its export"
                raise CurationError(
                    f"{path} is a folder in which {file.relative_to(path)} {what}; it would be "
                    "replaced as a whole: give another name"
                )


def _holds(file: Path, recipe: Recipe) -> bool:
    try:
        return Recipe.load(file) == recipe
    except CurationError:
        return False
