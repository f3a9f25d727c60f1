"""The texts that the command line prints about a catalog and a selection."""

from __future__ import annotations

from typing import Any

from curation.analysis.distribution import distribution
from curation.analysis.label_auc import judge_scores
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.formatting import count, path, plural, score, settings, share
from curation.selection.recipe import describe
from curation.selection.select import Selection

# The number of reasons for skipping, and of values of a text column, that are listed.
_REASONS = 20
_VALUES = 5


def overview(catalog: Catalog) -> str:
    """The source of the dataset, its scores, and the skipped samples."""
    dataset = catalog.dataset
    lines = [
        f"{plural(len(catalog), 'sample')} of {path(dataset.source)}, read as {dataset.reader}",
        f"model {dataset.model}; targets {dataset.targets or 'none'}; scored {dataset.published}",
        "",
        _row("score", "missing", "min", "median", "max", "parameters"),
    ]
    lines += [_summary(catalog, column) for column in catalog.scores]
    if catalog.measures:
        lines += ["", _row("measure", "missing", "min", "median", "max", "parameters")]
        numbers = [column for column in catalog.measures if column.is_number]
        lines += [_summary(catalog, column) for column in numbers]
        others = [column for column in catalog.measures if not column.is_number]
        lines += [f"  {column.name:<28}{values(catalog, column.name)}" for column in others]
    reasons = catalog.skipped_by_reason()
    unscored = [r for r in reasons if r["stage"] == "score"]
    skipped = [r for r in reasons if r["stage"] != "score"]
    if skipped:
        lines += ["", f"{plural(dataset.skipped, 'sample')} skipped:", *_reasons(skipped)]
    else:
        lines += ["", "nothing skipped"]
    if unscored:
        total = plural(sum(r["samples"] for r in unscored), "sample")
        lines += ["", f"{total} without scores:", *_reasons(unscored)]
    return "\n".join(lines)


def values(catalog: Catalog, name: str) -> str:
    """en 86.9 %, it 5.2 %, 3 others: the most frequent values of a column."""
    counts = catalog.value_counts(name)
    shown = [f"{value or 'missing'} {share(n, len(catalog))}" for value, n in counts[:_VALUES]]
    rest = len(counts) - _VALUES
    return ", ".join(shown) + (f", {plural(rest, 'other')}" if rest > 0 else "")


def labels(catalog: Catalog, name: str, keep: float) -> str:
    """How well each score separates the samples that the label ``name`` marks."""
    results = judge_scores(catalog, name, keep)
    if not results:
        return f"\n{name}: there are no scores, or all samples have the same label"
    lines = [
        f"\n{name}: {share(results[0].base)} of the pool; "
        f"AUC of each score, and their share in its top {100 * keep:g} %",
        f"  {'score':<28}{'AUC':>7}{'in the top':>13}",
    ]
    lines += [f"  {r.score:<28}{r.auc:>7.3f}{share(r.kept):>13}" for r in results]
    return "\n".join(lines)


def selection(chosen: Selection) -> str:
    """The counts after each step, and the hash of the uids."""
    whole = len(chosen.mask)
    lines = [f"{count(whole):>12}  in the pool"]
    lines += [
        f"{count(left):>12}  {share(left, whole):>8}  after {describe(step)}"
        for step, left in zip(chosen.recipe.steps, chosen.remaining, strict=True)
    ]
    lines.append(
        f"{count(chosen.count):>12}  {share(chosen.count, whole):>8}  selected by "
        f"{chosen.recipe.name}"
    )
    if chosen.unknown:
        lines.append(
            f"{plural(len(chosen.unknown), 'uid')} in keep and drop not in this dataset, "
            f"the first {chosen.unknown[0]}"
        )
    lines.append(f"sha256 of the sorted uids: {chosen.digest}")
    return "\n".join(lines)


def _summary(catalog: Catalog, column: ColumnInfo) -> str:
    values = distribution(catalog, column.name)
    number = int if column.is_whole else float
    low, middle, high = (
        score(number(value)) if values.known else score(None)
        for value in (values.least, values.median, values.greatest)
    )
    missing = count(len(catalog) - values.known)
    return _row(column.name, missing, low, middle, high, settings(column.parameters))


def _reasons(reasons: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"  {count(r['samples']):>9}  {r['reason']}, for example {r['example']}"
        for r in reasons[:_REASONS]
    ]
    if len(reasons) > _REASONS:
        rest = sum(r["samples"] for r in reasons[_REASONS:])
        lines.append(f"  {count(rest):>9}  for other reasons")
    return lines


def _row(name: str, missing: str, low: str, middle: str, high: str, rest: str) -> str:
    return f"  {name:<28}{missing:>8}{low:>9}{middle:>9}{high:>9}  {rest}".rstrip()
