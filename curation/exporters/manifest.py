"""The manifest of an export: how it was made, its files and their hashes, and what was left out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curation import __version__, uids
from curation.catalog.catalog import Catalog
from curation.exporters import EXPORTERS
from curation.exporters.base import LeftOut
from curation.selection.recipe import describe
from curation.selection.select import Selection
from curation.storage.atomic import atomic, sha256_of
from curation.storage.workspace import now

Record = Mapping[str, Any]


def path_for(path: Path) -> Path:
    """The path of the manifest of the export ``path``. Exports with one stem share a manifest."""
    # Only a known extension is removed: dfn-0.2 is the name of a folder.
    is_file = path.suffix in {e.extension for e in EXPORTERS.values() if e.extension}
    return path.with_name(f"{path.stem if is_file else path.name}.manifest.json")


def load(file: Path) -> dict[str, Any]:
    """The manifest that an earlier export wrote; empty if there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write(file: Path, record: Record) -> None:
    """Write a manifest as strict JSON."""
    with atomic(file) as partial:
        text = json.dumps(_strict(record), indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text, encoding="utf-8")


def files_of(path: Path) -> list[Path]:
    """The files of an export: the file itself, or all files in the folder, sorted."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())


def record(
    catalog: Catalog,
    selection: Selection,
    format: str,
    path: Path,
    left_out: Sequence[LeftOut],
) -> dict[str, Any]:
    """The manifest of the export at ``path``."""
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
            for step, left in zip(selection.recipe.steps, selection.remaining, strict=True)
        ],
        "uids_not_found": list(selection.unknown),
        # What the recipe refers to can change later, so record it as it is now.
        "sets": {
            used.name: {
                "recipe": None if used.recipe is None else used.recipe.to_yaml(),
                "uids": len(used.sorted_uids),
                "sha256_of_sorted_uids": uids.digest(used.sorted_uids),
            }
            for used in selection.sets
        },
        "left_out": [
            {"of": path.name, "uid": left.uid, "reason": left.reason} for left in left_out
        ],
        "scores": {
            c.name: {"model": c.model, "parameters": c.parameters, "version": c.version}
            for c in [*catalog.scores, *catalog.measures]
        },
        "files": {f.relative_to(path.parent).as_posix(): sha256_of(f) for f in files_of(path)},
        "sha256_of_sorted_uids": selection.digest,
    }


def merge(before: Record, record: Record, path: Path) -> Record:
    """Add the other exports of the same selection in an earlier manifest to the one of ``path``."""
    files = {
        name: digest
        for name, digest in before.get("files", {}).items()
        if name.partition("/")[0] != path.name
    }
    left_out = [left for left in before.get("left_out", []) if left.get("of") != path.name]
    return {
        **record,
        "files": files | record["files"],
        "left_out": left_out + record["left_out"],
    }


def _strict(value: Any) -> Any:
    """The value with infinities as text: strict JSON has none, and NormSim's p can be infinite."""
    if isinstance(value, dict):
        return {k: _strict(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
