"""The dataset card of a Hugging Face export: its content, origin, recipe and scores."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.exporters.base import LeftOut
from curation.selection.select import Selection

# The hub's size categories, each with the first number of samples above it.
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"),
)


def card(catalog: Catalog, selection: Selection, left_out: Sequence[LeftOut]) -> str:
    """The README.md of an exported dataset: YAML front matter for the hub, then Markdown."""
    count = selection.count - len(left_out)
    parts = [
        _front_matter(count),
        f"# {_escape(selection.recipe.name)}",
        _counts(catalog, selection, len(left_out)),
        _origin(catalog),
        "## Recipe",
        _code(selection.recipe.to_yaml(), "yaml"),
    ]
    if measured := [*catalog.scores, *catalog.measures]:
        parts += ["## Scores", _table(measured)]
    parts += [
        "## Check",
        "SHA-256 of the selection's sorted uids, one a line "
        "(`LC_ALL=C sort uids.txt | sha256sum`):",
        _code(selection.digest),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(count: int) -> str:
    size = next((name for limit, name in _SIZES if count < limit), "10B<n<100B")
    # No data_files: 🤗 datasets finds the files itself. With data_files it would take two exports
    # with the same line for one dataset, and load the cached one.
    return f"""---
size_categories:
- {size}
---"""


def _counts(catalog: Catalog, selection: Selection, lost: int) -> str:
    pool = f"{formatting.count(len(catalog))} in the pool"
    if not lost:
        return f"{formatting.plural(selection.count, 'sample')}, chosen from {pool}."
    return (
        f"{formatting.plural(selection.count - lost, 'sample')} of the "
        f"{selection.count:,} that were "
        f"chosen from {pool}; the images of the others could not be read."
    )


def _origin(catalog: Catalog) -> str:
    source = catalog.dataset.source
    # Only the last part of a local path: cards are published.
    name = source if "://" in source else source.rstrip("/").rpartition("/")[2]
    reader = _escape(catalog.dataset.reader)
    copied = "copied byte for byte" if catalog.images.in_files else "downloaded from their URLs"
    return (
        f"Captions and images come from {_escape(name)} (read as {reader}), "
        f"the images {copied}. See the source for copyright and license."
    )


def _table(columns: Sequence[ColumnInfo]) -> str:
    rows = ["| column | what it is | model | parameters |", "|---|---|---|---|"]
    for c in columns:
        cells = (c.name, c.title, c.model, formatting.settings(c.parameters))
        rows.append("| " + " | ".join(map(_escape, cells)) + " |")
    return "\n".join(rows)


def _code(text: str, language: str = "") -> str:
    # The fence must be longer than any run of backticks in the text.
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _escape(text: str) -> str:
    """Escape text for Markdown: no markup, no line break."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))
