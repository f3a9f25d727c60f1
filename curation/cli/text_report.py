"""What the command line prints about a catalog and a selection."""

from __future__ import annotations

from typing import Any

from curation.analysis import label_auc as judging
from curation.analysis.distribution import distribution
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.formatting import count, path, plural, score, settings, share
from curation.selection.recipe import describe
from curation.selection.select import Selection

# How many reasons for skipping are listed, and values of a measure.
_REASONS = 20
_VALUES = 5


def overview(catalog: Catalog) -> str:
    """Where the dataset comes from, its scores, and what was skipped."""
    about = catalog.dataset
    lines = [
        f"{plural(len(catalog), 'sample')} of {path(about.source)}, read as {about.reader}",
        f"model {about.model}; targets {about.targets or 'none'}; scored {about.published}",
        "",
        _row("score", "missing", "min", "median", "max", "parameters"),
    ]
    lines += [_spread(catalog, column) for column in catalog.scores]
    if catalog.measures:
        lines += ["", _row("measure", "missing", "min", "median", "max", "parameters")]
        numbers = [column for column in catalog.measures if column.is_number]
        lines += [_spread(catalog, column) for column in numbers]
        others = [column for column in catalog.measures if not column.is_number]
        lines += [f"  {column.name:<28}{values(catalog, column.name)}" for column in others]
    reasons = catalog.skipped_by_reason()
    unscored = [r for r in reasons if r["stage"] == "score"]
    left_out = [r for r in reasons if r["stage"] != "score"]
    if left_out:
        lines += ["", f"{plural(about.skipped, 'sample')} skipped:", *_listed(left_out)]
    else:
        lines += ["", "nothing skipped"]
    if unscored:
        total = plural(sum(r["samples"] for r in unscored), "sample")
        lines += ["", f"{total} without scores:", *_listed(unscored)]
    return "\n".join(lines)


def values(catalog: Catalog, name: str) -> str:
    """The commonest values of a column, as ``en 86.9 %, it 5.2 %``, and how many others."""
    found = catalog.value_counts(name)
    shown = [f"{value or 'missing'} {share(n, len(catalog))}" for value, n in found[:_VALUES]]
    rest = len(found) - _VALUES
    return ", ".join(shown) + (f", {plural(rest, 'other')}" if rest > 0 else "")


def labels(catalog: Catalog, name: str, keep: float) -> str:
    """How well each score tells the samples that ``name`` marks."""
    results = judging.judge_scores(catalog, name, keep)
    if not results:
        return f"\n{name}: no score to judge by it, or all samples alike"
    lines = [
        f"\n{name}: {share(results[0].base)} of the pool; "
        f"AUC of telling them, and their share in the top {100 * keep:g} % of each score",
        f"  {'score':<28}{'AUC':>7}{'in the top':>13}",
    ]
    lines += [f"  {r.score:<28}{r.auc:>7.3f}{share(r.kept):>13}" for r in results]
    return "\n".join(lines)


def selection(chosen: Selection) -> str:
    """Counts step by step, and the hash of the uids."""
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
            f"{plural(len(chosen.unknown), 'uid')} of keep and drop not in this dataset, "
            f"the first {chosen.unknown[0]}"
        )
    lines.append(f"sha256 of the sorted uids: {chosen.digest}")
    return "\n".join(lines)


def _spread(catalog: Catalog, column: ColumnInfo) -> str:
    of = distribution(catalog, column.name)
    number = int if column.is_whole else float
    low, middle, high = (
        score(number(value)) if of.known else score(None)
        for value in (of.least, of.median, of.greatest)
    )
    missing = count(len(catalog) - of.known)
    return _row(column.name, missing, low, middle, high, settings(column.parameters))


def _listed(reasons: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"  {count(r['samples']):>9}  {r['reason']}, as in {r['example']}"
        for r in reasons[:_REASONS]
    ]
    if len(reasons) > _REASONS:
        rest = sum(r["samples"] for r in reasons[_REASONS:])
        lines.append(f"  {count(rest):>9}  for other reasons")
    return lines


def _row(name: str, missing: str, low: str, middle: str, high: str, rest: str) -> str:
    return f"  {name:<28}{missing:>8}{low:>9}{middle:>9}{high:>9}  {rest}".rstrip()
