"""Export a selection: the list, and beside it what is needed to make and to check it again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation import __version__
from curation.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import EXPORTERS
from curation.files import atomic, sha256_of
from curation.recipe import Recipe, describe
from curation.selection import Selection
from curation.workspace import now

DEFAULT_COLUMNS = ("uid", "caption", "image_file")


@dataclass(frozen=True)
class Exported:
    """The files that were written."""

    path: Path
    recipe: Path
    manifest: Path
    digest: str


def default_columns(catalog: Catalog) -> list[str]:
    """What a table export has unless told otherwise: identity, then every score and measure."""
    return [*DEFAULT_COLUMNS, *(c.name for c in [*catalog.scores, *catalog.measures])]


def export(
    catalog: Catalog,
    selection: Selection,
    format: str,
    path: Path,
    *,
    columns: Sequence[str] = (),
    overwrite: bool = False,
) -> Exported:
    """Write a selection, ``<name>.recipe.yaml`` and ``<name>.manifest.json``.

    Raises:
        CurationError: the format or a column is unknown, the place cannot be written, or one of
            the three files is there already, of another selection, and ``overwrite`` is False.
    """
    if format not in EXPORTERS:
        raise CurationError(f"there is no format {format!r}; there are {', '.join(EXPORTERS)}")
    exporter = EXPORTERS[format]
    wanted = dict.fromkeys(columns)
    chosen = [catalog.column(name).name for name in wanted] or default_columns(catalog)
    if path.is_dir():
        raise CurationError(f"{path} is a folder; name a file in it, as in {path / 'selection'}"
                            f"{exporter.extension}")  # fmt: skip
    if not overwrite and (there := in_the_way(selection, path)):
        raise CurationError(f"{there[0]} is there already; pass --overwrite, or another name")
    recipe_file, manifest_file = _beside(path)
    digest = selection.digest()
    before = _manifest_of(manifest_file)
    # The same selection in another format shares the recipe and the manifest.
    recipe_is_there = _holds(recipe_file, selection.recipe)
    same = recipe_is_there and before.get("sha256_of_sorted_uids") == digest
    with atomic(path) as partial:
        exporter.write(catalog, selection, chosen, partial)
    if not recipe_is_there:
        with atomic(recipe_file) as partial:
            partial.write_text(selection.recipe.to_yaml(), encoding="utf-8")
    manifest = _manifest(catalog, selection, format, path, digest)
    if same:
        manifest["files"] = before.get("files", {}) | manifest["files"]
    with atomic(manifest_file) as partial:
        text = json.dumps(_plain(manifest), indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text, encoding="utf-8")
    return Exported(path, recipe_file, manifest_file, digest)


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
        same and _manifest_of(manifest_file).get("sha256_of_sorted_uids") == selection.digest()
    ):
        there.append(manifest_file)
    return there


def _beside(path: Path) -> tuple[Path, Path]:
    """Where the recipe and the manifest of an export go."""
    return path.with_name(f"{path.stem}.recipe.yaml"), path.with_name(f"{path.stem}.manifest.json")


def _manifest_of(file: Path) -> dict[str, Any]:
    """A manifest that an earlier export wrote; empty where there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _holds(file: Path, recipe: Recipe) -> bool:
    try:
        return Recipe.load(file) == recipe
    except CurationError:
        return False


def _plain(value: Any) -> Any:
    """The value with infinities as text: JSON has none, and NormSim's p may be one."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _manifest(
    catalog: Catalog, selection: Selection, format: str, path: Path, digest: str
) -> dict[str, Any]:
    dataset = catalog.dataset
    return {
        "name": selection.recipe.name,
        "format": format,
        "exported": now(),
        "version": __version__,
        "source": dataset.source,
        "catalog_published": dataset.published,
        "pool": len(catalog),
        "selected": selection.count,
        "fraction": selection.fraction,
        "steps": [
            {"step": describe(step), "left": left}
            for step, left in zip(selection.recipe.steps, selection.left, strict=True)
        ],
        "uids_not_found": list(selection.unknown),
        "scores": {
            c.name: {"model": c.model, "parameters": c.parameters, "version": c.version}
            for c in [*catalog.scores, *catalog.measures]
        },
        "files": {path.name: sha256_of(path)},
        "sha256_of_sorted_uids": digest,
    }
