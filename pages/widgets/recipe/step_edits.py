"""What is entered into the fields of a recipe's steps, as edits of the draft."""

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

# Scores in the order in which the paper's recipes use them.
_USUAL = ("neg_clip_loss", "norm_sim_inf", "clip_score")
_CONDITIONS = {
    "basic_filter": "basic_filter",
    "word_count": "word_count > 2",
    "width": "width >= 100",
}


def new(catalog: Catalog, draft: Draft, share: float) -> Step:
    """A step to begin with where this share of the pool is left.

    By a score that has no step yet it keeps two thirds of that, as the paper's recipes do.
    """
    used = {line.step.score for line in draft.lines if isinstance(line.step, ScoreStep)}
    names = [c.name for c in (catalog.scores or catalog.numbers)]
    free = [name for name in names if name not in used] or names
    if not free:
        return WhereStep(_condition(catalog))
    usual = (name for prefix in _USUAL for name in free if name.startswith(prefix))
    return ScoreStep(next(usual, free[0]), "top", 0.3 if share >= 1 else round(2 / 3 * share, 3))


def restated(catalog: Catalog, step: ScoreStep, rule: str, place: int, walk: Walk) -> ScoreStep:
    """The step by another rule (``pool`` and ``survivors`` are top), keeping what it keeps now.

    A share is as near as a tenth of a percent can be.
    """
    left = [len(catalog), *walk.selection.remaining]
    if place + 1 >= len(left):
        # The step, or one before it, is wrong: there is nothing to go by.
        return _started(catalog, step.score, rule)
    before, after = left[place], left[place + 1]
    if rule == "pool":
        return ScoreStep(step.score, "top", round(after / max(left[0], 1), 3), "pool")
    if rule == "survivors":
        return ScoreStep(step.score, "top", round(after / max(before, 1), 3), "survivors")
    if rule == "count":
        return ScoreStep(step.score, "count", after)
    if step.rule in ("at_least", "at_most"):
        return replace(step, rule="at_least" if rule == "at_least" else "at_most")
    # Still there after this step: left out by none, or by a later one.
    survived = (walk.left_out_by == 0) | (walk.left_out_by > place + 1)
    values = catalog.array(step.score)[survived]
    values = values[~np.isnan(values)]
    if not len(values):
        return _started(catalog, step.score, rule)
    return _at(step.score, rule, values.min())


def set_kind(catalog: Catalog, key: int, names: Sequence[str]) -> None:
    kind = st.session_state[f"step_{key}_kind"]

    def edit(draft: Draft) -> Draft:
        old = draft.lines[draft.place(key)].step
        if kind in SET_OPERATIONS:
            name = old.name if isinstance(old, SetStep) else next(iter(names), "")
            return draft.with_step(key, SetStep(kind, name))
        if kind == "where":
            return draft.with_step(key, WhereStep(_condition(catalog)))
        return draft.with_step(key, new(catalog, draft, 1))

    drafts.change(edit)


def set_score(catalog: Catalog, key: int, walk: Walk) -> None:
    """Another score: a share still means something, a value of the old one does not."""
    score = st.session_state[f"step_{key}_score"]

    def edit(draft: Draft) -> Draft:
        place = draft.place(key)
        step = draft.lines[place].step
        assert isinstance(step, ScoreStep)
        if step.rule in ("at_least", "at_most"):
            step = restated(catalog, step, "pool", place, walk)
        return draft.with_step(key, replace(step, score=score))

    drafts.change(edit)


def set_rule(catalog: Catalog, key: int, walk: Walk) -> None:
    rule = st.session_state[f"step_{key}_rule"]

    def edit(draft: Draft) -> Draft:
        place = draft.place(key)
        step = draft.lines[place].step
        assert isinstance(step, ScoreStep)
        return draft.with_step(key, restated(catalog, step, rule, place, walk))

    drafts.change(edit)


def set_number(key: int, unit: str) -> None:
    number = float(st.session_state[f"step_{key}_{unit}"])
    # 27.5 / 100, and not 0.27500000000000002.
    value = round(number / 100, 10) if unit == "percent" else number

    def edit(draft: Draft) -> Draft:
        step = draft.lines[draft.place(key)].step
        assert isinstance(step, ScoreStep)
        return draft.with_step(key, replace(step, value=value))

    drafts.change(edit)


def set_where(key: int) -> None:
    step = WhereStep(st.session_state[f"step_{key}_where"])
    drafts.change(lambda draft: draft.with_step(key, step))


def set_name(key: int) -> None:
    name = st.session_state[f"step_{key}_name"]

    def edit(draft: Draft) -> Draft:
        step = draft.lines[draft.place(key)].step
        assert isinstance(step, SetStep)
        return draft.with_step(key, replace(step, name=name))

    drafts.change(edit)


def toggle_marks() -> None:
    applied = bool(st.session_state["with_marks"])
    drafts.change(lambda draft: replace(draft, with_marks=applied))


def forget_own() -> None:
    """Leave out the uids that the recipe brought along."""
    drafts.change(lambda draft: replace(draft, keep=(), drop=()))


def _started(catalog: Catalog, score: str, rule: str) -> ScoreStep:
    if rule == "count":
        return ScoreStep(score, "count", round(0.3 * len(catalog)))
    if rule in ("at_least", "at_most"):
        known = score in catalog.columns and catalog.columns[score].is_number
        middle = caches.distribution(catalog, score).median if known else 0.0
        return _at(score, rule, np.float32(0 if np.isnan(middle) else middle))
    return ScoreStep(score, "top", 0.3, "survivors" if rule == "survivors" else "pool")


def _at(score: str, rule: str, value: np.float32) -> ScoreStep:
    # The shortest decimal that is this float32, so that the recipe reads well and is exact.
    return ScoreStep(score, "at_least" if rule == "at_least" else "at_most", float(str(value)))


def _condition(catalog: Catalog) -> str:
    return next((said for name, said in _CONDITIONS.items() if name in catalog.columns), "")
