"""Names for a source's columns that do not clash. DuckDB ignores case in column names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from curation.readers.base import SAMPLE_COLUMNS


def unique_names(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Non-empty names that differ from each other and from ``taken``, ignoring case.

    A repeated name gets a number (``a_2``); an empty one becomes ``column_<position>``.
    """
    used = {name.lower() for name in taken}
    result = []
    for position, name in enumerate(names, 1):
        stem = name.encode("utf-8", "replace").decode() or f"column_{position}"
        unique, number = stem, 2
        while unique.lower() in used:
            unique, number = f"{stem}_{number}", number + 1
        used.add(unique.lower())
        result.append(unique)
    return result


def source_names(names: Sequence[str], taken: Collection[str] = SAMPLE_COLUMNS) -> list[str]:
    """Unique names for a source's columns; a column named as one of ``taken`` gets ``source_``."""
    lower = {name.lower() for name in taken}
    prefixed = [f"source_{name}" if name.lower() in lower else name for name in names]
    return unique_names(prefixed, taken)
