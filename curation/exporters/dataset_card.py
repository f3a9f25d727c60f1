"""The card of an exported dataset: what is in it, and how it was chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.exporters.base import LeftOut
from curation.selection.select import Selection

# The hub's words for how many samples there are, each with the first number that is too many.
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
    """The README.md of a dataset: YAML for the hub, then Markdown."""
    count = selection.count - len(left_out)
    parts = [
        _front_matter(count),
        f"# {_plain(selection.recipe.name)}",
        _counts(catalog, selection, len(left_out)),
        _origin(catalog),
        "## Recipe",
        _code(selection.recipe.to_yaml(), "yaml"),
    ]
    if measured := [*catalog.scores, *catalog.measures]:
        parts += ["## Scores", _table(measured)]
    parts += [
        "## Check",
        "The SHA-256 of the sorted uids of the selection, one a line, as "
        "`LC_ALL=C sort uids.txt | sha256sum` gives it:",
        _code(selection.digest),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(count: int) -> str:
    size = next((name for limit, name in _SIZES if count < limit), "10B<n<100B")
    # Nothing of where the data lie: 🤗 datasets finds them, and would take two exports with one
    # such line for one dataset, and show the one that it has cached.
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
    # A card is for others: the way to a folder of one's own says nothing to them.
    name = source if "://" in source else source.rstrip("/").rpartition("/")[2]
    read = "fetched from their addresses" if not catalog.images.in_files else "copied byte for byte"
    return (
        f"Captions and images come from {_plain(name)} (read as {_plain(catalog.dataset.reader)}), "
        f"the images {read}. Whose they are, and what may be done with them, the source tells."
    )


def _table(columns: Sequence[ColumnInfo]) -> str:
    rows = ["| column | what it is | model | parameters |", "|---|---|---|---|"]
    for c in columns:
        cells = (c.name, c.title, c.model, formatting.settings(c.parameters))
        rows.append("| " + " | ".join(map(_plain, cells)) + " |")
    return "\n".join(rows)


def _code(text: str, language: str = "") -> str:
    # A fence is longer than any in the text.
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _plain(text: str) -> str:
    """Text of a dataset's in Markdown, as it is: no markup, no line break."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))
