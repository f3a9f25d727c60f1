"""Callbacks of the fields of recipe steps: each one edits the draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from curation.catalog.catalog import Catalog
from curation.selection.recipe import SET_OPERATIONS, ScoreStep, SetStep, Step, WhereStep
from curation.selection.select import Walk
from pages.widgets.recipe import draft as drafts
from pages.widgets.recipe.draft import Draft
from pages.widgets.state import caches

# Prefixes of scores, in the order in which the paper's recipes use them.
_USUAL = ("neg_clip_loss", "norm_sim_inf", "clip_score")
_CONDITIONS = {
    "basic_filter": "basic_filter",
    "word_count": "word_count > 2",
    "width": "width >= 100",
}


def new_step(catalog: Catalog, draft: Draft, share: float) -> Step:
    """A first suggestion for a new step.

    Like the paper's recipes, it keeps two thirds of what remains, by a score without a step yet.

    Args:
        share: the share of the pool that remains before the step.
    """
    used = {line.step.score for line in draft.lines if isinstance(line.step, ScoreStep)}
    names = [c.name for c in (catalog.scores or catalog.numbers)]
    free = [name for name in names if name not in used] or names
    if not free:
        return WhereStep(_condition(catalog))
    usual = (name for prefix in _USUAL for name in free if name.startswith(prefix))
    return ScoreStep(next(usual, free[0]), "top", 0.3 if share >= 1 else round(2 / 3 * share, 3))


def with_rule(catalog: Catalog, step: ScoreStep, rule: str, index: int, walk: Walk) -> ScoreStep:
    """The step by another rule that keeps the same samples, shares to a tenth of a percent.

    Args:
        rule: a key of ``steps.RULES``; ``pool`` and ``survivors`` are the rule top.
        index: the position of the step in the recipe.
    """
    left = [len(catalog), *walk.selection.remaining]
    if index + 1 >= len(left):
        # This step or an earlier one is invalid, so what it keeps is not known.
        return _default_step(catalog, step.score, rule)
    before, after = left[index], left[index + 1]
    if rule == "pool":
        return ScoreStep(step.score, "top", round(after / max(left[0], 1), 3), "pool")
    if rule == "survivors":
        return ScoreStep(step.score, "top", round(after / max(before, 1), 3), "survivors")
    if rule == "count":
        return ScoreStep(step.score, "count", after)
    if step.rule in ("at_least", "at_most"):
        return replace(step, rule="at_least" if rule == "at_least" else "at_most")
    # Samples that remain after this step: removed by no step, or by a later one.
    survived = (walk.left_out_by == 0) | (walk.left_out_by > index + 1)
    values = catalog.array(step.score)[survived]
    values = values[~np.isnan(values)]
    if not len(values):
        return _default_step(catalog, step.score, rule)
    return _value_step(step.score, rule, values.min())


def set_kind(catalog: Catalog, key: int, names: Sequence[str]) -> None:
    kind = st.session_state[f"step_{key}_kind"]

    def edit(draft: Draft) -> Draft:
        old = draft.lines[draft.index(key)].step
        if kind in SET_OPERATIONS:
            name = old.name if isinstance(old, SetStep) else next(iter(names), "")
            return draft.with_step(key, SetStep(kind, name))
        if kind == "where":
            return draft.with_step(key, WhereStep(_condition(catalog)))
        return draft.with_step(key, new_step(catalog, draft, 1))

    drafts.change(edit)


def set_score(catalog: Catalog, key: int, walk: Walk) -> None:
    """Change the score; a value of the old score becomes a share."""
    score = st.session_state[f"step_{key}_score"]

    def edit(draft: Draft) -> Draft:
        index = draft.index(key)
        step = draft.lines[index].step
        assert isinstance(step, ScoreStep)
        if step.rule in ("at_least", "at_most"):
            step = with_rule(catalog, step, "pool", index, walk)
        return draft.with_step(key, replace(step, score=score))

    drafts.change(edit)


def set_rule(catalog: Catalog, key: int, walk: Walk) -> None:
    rule = st.session_state[f"step_{key}_rule"]

    def edit(draft: Draft) -> Draft:
        index = draft.index(key)
        step = draft.lines[index].step
        assert isinstance(step, ScoreStep)
        return draft.with_step(key, with_rule(catalog, step, rule, index, walk))

    drafts.change(edit)


def set_number(key: int, unit: str) -> None:
    number = float(st.session_state[f"step_{key}_{unit}"])
    # 0.275 instead of 0.27500000000000002.
    value = round(number / 100, 10) if unit == "percent" else number

    def edit(draft: Draft) -> Draft:
        step = draft.lines[draft.index(key)].step
        assert isinstance(step, ScoreStep)
        return draft.with_step(key, replace(step, value=value))

    drafts.change(edit)


def set_where(key: int) -> None:
    step = WhereStep(st.session_state[f"step_{key}_where"])
    drafts.change(lambda draft: draft.with_step(key, step))


def set_name(key: int) -> None:
    name = st.session_state[f"step_{key}_name"]

    def edit(draft: Draft) -> Draft:
        step = draft.lines[draft.index(key)].step
        assert isinstance(step, SetStep)
        return draft.with_step(key, replace(step, name=name))

    drafts.change(edit)


def toggle_marks() -> None:
    applied = bool(st.session_state["with_marks"])
    drafts.change(lambda draft: replace(draft, with_marks=applied))


def remove_own_uids() -> None:
    """Remove the keep and drop lists of the recipe itself."""
    drafts.change(lambda draft: replace(draft, keep=(), drop=()))


def _default_step(catalog: Catalog, score: str, rule: str) -> ScoreStep:
    if rule == "count":
        return ScoreStep(score, "count", round(0.3 * len(catalog)))
    if rule in ("at_least", "at_most"):
        known = score in catalog.columns and catalog.columns[score].is_number
        middle = caches.distribution(catalog, score).median if known else 0.0
        return _value_step(score, rule, np.float32(0 if np.isnan(middle) else middle))
    return ScoreStep(score, "top", 0.3, "survivors" if rule == "survivors" else "pool")


def _value_step(score: str, rule: str, value: np.float32) -> ScoreStep:
    # The shortest decimal that gives this float32: readable and exact.
    return ScoreStep(score, "at_least" if rule == "at_least" else "at_most", float(str(value)))


def _condition(catalog: Catalog) -> str:
    return next((text for name, text in _CONDITIONS.items() if name in catalog.columns), "")
