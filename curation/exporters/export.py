"""Export a selection, with the recipe that reproduces it and a manifest to check it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import EXPORTERS, manifest
from curation.exporters.base import SHARD_SIZE, ExportRequest, LeftOut
from curation.selection.recipe import Recipe
from curation.selection.select import Selection
from curation.storage import locations
from curation.storage.atomic import atomic, sha256_of

# s3:// as part of a Path, which drops the second slash.
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/")


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes:
        path: the file or folder.
        recipe: the file of the recipe.
        manifest: the file of the manifest.
        digest: the SHA-256 of the selection's sorted uids.
        left_out: the selected samples that could not be written.
    """

    path: Path
    recipe: Path
    manifest: Path
    digest: str
    left_out: tuple[LeftOut, ...] = ()


def default_columns(catalog: Catalog, format: str = "parquet") -> list[str]:
    """The columns that an export writes if none are chosen."""
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
        format: a name in EXPORTERS.
        path: the file to write, or the folder if the format is a folder.
        columns: columns of the catalog; by default those of ``default_columns``.
        shard_size: samples in each file, if the format is a folder of files.
        overwrite: replace an earlier export. Files that no export wrote are never replaced.
        advance: called with the number of samples handled since the last call.

    Raises:
        CurationError: the format or a column is unknown, the path cannot be written, or a file
            exists and ``overwrite`` is False.
    """
    if format not in EXPORTERS:
        raise CurationError(f"there is no format {format!r}; there are {', '.join(EXPORTERS)}")
    exporter = EXPORTERS[format]
    path = _full_path(path)
    chosen = [catalog.column(name).name for name in dict.fromkeys(columns)]
    chosen = chosen or exporter.default_columns(catalog)
    if exporter.extension and path.is_dir():
        raise CurationError(
            f"{path} is a folder; name a file in it, as in {path / 'selection'}{exporter.extension}"
        )
    if not overwrite and (existing := files_to_replace(selection, path)):
        raise CurationError(
            f"{existing[0]} already exists; pass --overwrite, or choose another name"
        )
    recipe_file, manifest_file = _companions(path)
    before = manifest.load(manifest_file)
    if before.get("sha256_of_sorted_uids", selection.digest) != selection.digest:
        _check_other_formats(path, before)
    if not exporter.extension:
        _check_folder(path, before)
    # The same selection in another format shares the recipe and the manifest.
    is_same_recipe = _contains(recipe_file, selection.recipe)
    is_same = is_same_recipe and before.get("sha256_of_sorted_uids") == selection.digest
    root = locations.parse(catalog.dataset.image_root)
    request = ExportRequest(catalog, selection, chosen, root, shard_size, advance)
    with atomic(path) as partial:
        left_out = tuple(exporter.write(request, partial))
    if not is_same_recipe:
        with atomic(recipe_file) as partial:
            partial.write_text(selection.recipe.to_yaml(), encoding="utf-8")
    record = manifest.record(catalog, selection, format, path, left_out)
    manifest.write(manifest_file, manifest.merge(before, record, path) if is_same else record)
    return Exported(path, recipe_file, manifest_file, selection.digest, left_out)


def files_to_replace(selection: Selection, path: Path) -> list[Path]:
    """The existing files that an export to ``path`` would replace.

    The recipe and manifest of the same selection in another format are shared, not replaced.
    """
    recipe_file, manifest_file = _companions(path)
    existing = [path] if path.exists() else []
    is_same_recipe = _contains(recipe_file, selection.recipe)
    if recipe_file.exists() and not is_same_recipe:
        existing.append(recipe_file)
    if manifest_file.exists() and not (
        is_same_recipe
        and manifest.load(manifest_file).get("sha256_of_sorted_uids") == selection.digest
    ):
        existing.append(manifest_file)
    return existing


def _companions(path: Path) -> tuple[Path, Path]:
    """The paths of the recipe and the manifest of the export ``path``."""
    manifest_file = manifest.path_for(path)
    stem = manifest_file.name.removesuffix(".manifest.json")
    return path.with_name(f"{stem}.recipe.yaml"), manifest_file


def _full_path(path: Path) -> Path:
    """The absolute path, because some libraries interpret ``~`` or ``name:`` in a relative one.

    Raises:
        CurationError: it is a URL, or has no file name.
    """
    if _URL.match(str(path)):
        raise CurationError(f"{path} is a URL; exports are written to local paths only")
    full = path.expanduser().absolute()
    if full.name in ("", ".."):
        raise CurationError(f"{path} has no file name; name a file or folder in it")
    return full


def _check_other_formats(path: Path, before: manifest.Record) -> None:
    """Refuse to leave other formats of an earlier selection next to the new recipe and manifest.

    Raises:
        CurationError: such exports exist under the same name.
    """
    names = {name.partition("/")[0] for name in before.get("files", {})} - {path.name}
    existing = sorted(name for name in names if path.with_name(name).exists())
    if existing:
        raise CurationError(
            f"{', '.join(existing)} next to {path} contain another selection under the same name; "
            "delete them, or choose another name"
        )


def _check_folder(path: Path, before: manifest.Record) -> None:
    """Refuse to replace a folder with content that no export wrote.

    Raises:
        CurationError: there is such content, or the path is a file or a link.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        what = "a link" if path.is_symlink() else "a file"
        raise CurationError(f"{path} is {what}, but this format is a folder; choose another name")
    written = before.get("files", {})
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path.parent).as_posix()
        # No export writes a link.
        is_foreign = file.is_symlink() or (file.is_file() and name not in written)
        with locations.translate_errors(file):
            if is_foreign or (file.is_file() and sha256_of(file) != written[name]):
                what = "is not from an export" if is_foreign else "was changed after its export"
                raise CurationError(
                    f"{path} cannot be replaced: {file.relative_to(path)} in it {what} and would "
                    "be lost; move it away, or choose another name"
                )


def _contains(file: Path, recipe: Recipe) -> bool:
    try:
        return Recipe.load(file) == recipe
    except CurationError:
        return False
