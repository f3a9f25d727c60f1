"""Export a selection: the list, and beside it what is needed to make and to check it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation import __version__
from curation.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import EXPORTERS
from curation.files import atomic, sha256_of
from curation.recipe import describe
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
    """What a table export has unless told otherwise: identity, then every score."""
    return [*DEFAULT_COLUMNS, *(c.name for c in catalog.scores)]


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
        CurationError: the format or a column is unknown, the place cannot be written, or a file
            is there already and ``overwrite`` is False.
    """
    if format not in EXPORTERS:
        raise CurationError(f"there is no format {format!r}; there are {', '.join(EXPORTERS)}")
    exporter = EXPORTERS[format]
    chosen = [catalog.column(name).name for name in columns] or default_columns(catalog)
    if path.is_dir():
        raise CurationError(f"{path} is a folder; name a file in it, as in {path / 'selection'}"
                            f"{exporter.extension}")  # fmt: skip
    if path.exists() and not overwrite:
        raise CurationError(f"{path} is there already; pass --overwrite, or another name")
    recipe_file = path.with_name(f"{path.stem}.recipe.yaml")
    manifest_file = path.with_name(f"{path.stem}.manifest.json")
    with atomic(path) as partial:
        exporter.write(catalog, selection, chosen, partial)
    with atomic(recipe_file) as partial:
        partial.write_text(selection.recipe.to_yaml(), encoding="utf-8")
    manifest = _manifest(catalog, selection, format, path)
    with atomic(manifest_file) as partial:
        partial.write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf-8")
    return Exported(path, recipe_file, manifest_file, manifest["sha256_of_sorted_uids"])


def _manifest(catalog: Catalog, selection: Selection, format: str, path: Path) -> dict[str, Any]:
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
            for c in catalog.scores
        },
        "files": {path.name: sha256_of(path)},
        "sha256_of_sorted_uids": selection.digest(),
    }
