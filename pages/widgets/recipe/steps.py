"""The steps of a recipe as cards, each with its fields and what remains after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.selection.marks import describe_counts
from curation.selection.recipe import ScoreStep, SetStep, Step, WhereStep
from curation.selection.select import Walk
from curation.selection.where import FUNCTIONS
from pages.widgets.app.html import Html, element, join
from pages.widgets.app.markdown import plain
from pages.widgets.recipe import draft as drafts
from pages.widgets.recipe import step_edits
from pages.widgets.recipe.draft import Draft, Line

KINDS = {
    "score": "Score",
    "where": "Where",
    "union": "Add",
    "intersect": "Intersect",
    "except": "Remove",
}
RULES = {
    "pool": "Top % of pool",
    "survivors": "Top % of remaining",
    "count": "Top N",
    "at_least": "At least",
    "at_most": "At most",
}

_CSS = """
.st-key-bench > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
  {flex-wrap: wrap}
.st-key-bench > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
  > [data-testid="stColumn"] {min-width: min(100%, 620px)}
[class*="st-key-step_card_"] {gap: .45rem; padding-bottom: .8rem}
[class*="st-key-step_act_"] button {min-height: 1.9rem; padding: 0 .35rem}
/* The label is for screen readers; the icon is for everybody else. */
[class*="st-key-step_act_"] button p {position: absolute; width: 1px; height: 1px;
  overflow: hidden; clip-path: inset(50%)}
.funnel-count {display: flex; justify-content: space-between; gap: 12px; font-size: 15px;
  line-height: 1.3; font-variant-numeric: tabular-nums}
.funnel-count small {opacity: .72; font-size: 13px}
.funnel-bar {height: 6px; border-radius: 3px; overflow: hidden; display: flex;
  background: rgba(128, 138, 152, .18)}
.funnel-count + .funnel-bar {margin-top: 7px}
.funnel-bar .left {background: var(--funnel-left)}
.funnel-bar .taken {background: var(--funnel-left); opacity: .28}
"""


def style(dark: bool) -> None:
    blue = "#4FA8E0" if dark else "#0072B2"
    st.html(f"<style>:root {{--funnel-left: {blue}}} {_CSS}</style>")


def show(catalog: Catalog, draft: Draft, walk: Walk, names: Sequence[str]) -> None:
    """Show each step with its fields, its buttons and the number of samples that remain.

    Args:
        names: the saved selections and uid lists that a step can use.
    """
    pool, left = len(catalog), walk.selection.remaining
    with st.container(border=True, key="step_card_pool"):
        st.html(join(_count("Pool", pool, 0), _bar(pool, pool, pool)))
    for index, line in enumerate(draft.lines):
        before = [pool, *left][index] if index <= len(left) else None
        after = left[index] if index < len(left) else None
        with st.container(border=True, key=f"step_card_{line.key}"):
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
                _fields(catalog, line, index, walk, names)
            if index == len(left) and walk.problem is not None:
                st.error(plain(walk.problem), icon=":material/error:")
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.html(_count("", after, pool), width="stretch")
                _actions(catalog, draft, line, index, after)
            st.html(_bar(before, after, pool))


def marks_row(draft: Draft, walk: Walk, marked: tuple[int, int]) -> None:
    """Show the last row: marks, which override the steps, and what is selected."""
    pool, left = len(walk.left_out_by), walk.selection.remaining
    with st.container(border=True, key="step_card_marks"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.session_state["with_marks"] = draft.with_marks
            st.toggle("Apply manual marks", key="with_marks", on_change=step_edits.toggle_marks)
            st.caption(describe_counts(*marked))
        if draft.keep or draft.drop:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                own = describe_counts(len(draft.keep), len(draft.drop))
                st.caption(f"The recipe has its own uids: {own}")
                st.button(
                    "Remove these uids",
                    key="own_out",
                    type="tertiary",
                    on_click=step_edits.remove_own_uids,
                )
        if walk.problem is None:
            count = walk.selection.count
            bar = _bar(left[-1] if left else pool, count, pool)
            st.html(join(_count("Selected", count, pool), bar))
        unknown = walk.selection.unknown
        if unknown:
            absent = formatting.plural(len(unknown), "uid")
            st.caption(f"{absent} marked but not in this dataset (first: `{unknown[0]}`)")


def _fields(catalog: Catalog, line: Line, index: int, walk: Walk, names: Sequence[str]) -> None:
    step, key = line.step, f"step_{line.key}"
    kinds = {
        k: title for k, title in KINDS.items() if names or k in ("score", "where", _kind(step))
    }
    _field(
        st.selectbox,
        f"Step {index + 1}",
        f"{key}_kind",
        _kind(step),
        step_edits.set_kind,
        catalog,
        line.key,
        names,
        options=list(kinds),
        format_func=kinds.get,
        width=132,
    )
    match step:
        case ScoreStep():
            _score_fields(catalog, step, line.key, walk)
        case WhereStep(condition):
            _field(
                st.text_input,
                "Condition",
                f"{key}_where",
                condition,
                step_edits.set_where,
                line.key,
                placeholder="width >= 200 and word_count > 2",
                help=_where_help(catalog),
            )
        case SetStep(_, name):
            titles = {n: n for n in names} | ({} if name in names else {name: f"{name} (missing)"})
            _field(
                st.selectbox,
                "Selection or uid list",
                f"{key}_name",
                name,
                step_edits.set_name,
                line.key,
                options=list(titles),
                format_func=titles.get,
            )


def _score_fields(catalog: Catalog, step: ScoreStep, line: int, walk: Walk) -> None:
    key, about = f"step_{line}", catalog.columns.get(step.score)
    titles = {c.name: c.title for c in catalog.numbers}
    titles |= {} if step.score in titles else {step.score: f"{step.score} (missing)"}
    _field(
        st.selectbox,
        "Score",
        f"{key}_score",
        step.score,
        step_edits.set_score,
        catalog,
        line,
        walk,
        options=list(titles),
        format_func=titles.get,
        help=plain(about.help) if about and about.help else None,
    )
    rule = step.of if step.rule == "top" else step.rule
    _field(
        st.selectbox,
        "Rule",
        f"{key}_rule",
        rule,
        step_edits.set_rule,
        catalog,
        line,
        walk,
        options=list(RULES),
        format_func=RULES.get,
        width=182,
    )
    if rule in ("pool", "survivors"):
        unit, now = "percent", round(100 * step.value, 8)
        range_: dict[str, Any] = {"min_value": 0.0, "max_value": 100.0, "step": 0.5}
    elif rule == "count":
        unit, now = "samples", int(step.value)
        range_ = {"min_value": 0, "step": max(1, len(catalog) // 100)}
    else:
        unit, now = "value", step.value
        range_ = {"step": 1.0 if about is not None and about.is_whole else 0.01}
    _field(
        st.number_input,
        unit.capitalize(),
        f"{key}_{unit}",
        now,
        step_edits.set_number,
        line,
        unit,
        format="%d" if rule == "count" else "%.7g",
        width=124,
        **range_,
    )


def _field(
    widget: Any, label: str, key: str, now: Any, edit: Any, *args: Any, **settings: Any
) -> None:
    """A widget that shows the draft; what is entered becomes an edit of the draft."""
    st.session_state[key] = now
    widget(label, key=key, on_change=edit, args=args, **settings)


def _where_help(catalog: Catalog) -> str:
    return plain(
        f"Columns: {', '.join(catalog.columns)}. Operators: == != < <= > >= and or not + - * /. "
        f"Functions: {', '.join(FUNCTIONS)}. Text goes in quotes."
    )


def _actions(catalog: Catalog, draft: Draft, line: Line, index: int, after: int | None) -> None:
    share = 0.3 if after is None else after / max(len(catalog), 1)
    # Each label names its step, so that a screen reader tells the buttons apart.
    acts = (
        ("Move up", "arrow_upward", index == 0, lambda d: d.moved(line.key, -1)),
        (
            "Move down",
            "arrow_downward",
            index == len(draft.lines) - 1,
            lambda d: d.moved(line.key, 1),
        ),
        ("Duplicate", "content_copy", False, lambda d: d.with_new_step(line.step, index + 1)),
        (
            "Add step below",
            "add",
            False,
            lambda d: d.with_new_step(step_edits.new_step(catalog, d, share), index + 1),
        ),
        ("Delete", "delete", False, lambda d: d.without(line.key)),
    )
    with st.container(horizontal=True, gap=None, width="content", key=f"step_act_{line.key}"):
        for label, icon, disabled, edit in acts:
            st.button(
                f"{label}, step {index + 1}",
                icon=f":material/{icon}:",
                type="tertiary",
                key=f"step_{line.key}_{icon}",
                disabled=disabled,
                help=label,
                on_click=drafts.change,
                args=(edit,),
            )


def _count(name: str, after: int | None, pool: int) -> Html:
    """How many samples remain, and their share of the pool unless ``pool`` is 0."""
    if after is None:
        number = element("span", "—")
    else:
        share = element("small", f"· {formatting.share(after, pool)} of the pool") if pool else None
        number = element(
            "span",
            element("b", formatting.count(after)),
            " " if name else " remaining ",
            share,
        )
    return element("div", element("b", name) if name else None, number, class_="funnel-count")


def _bar(before: int | None, after: int | None, pool: int) -> Html:
    """What remains as a share of the pool, and in a paler color what the step removed."""
    if after is None or before is None:
        return element("div", class_="funnel-bar")
    left, removed = (100 * n / max(pool, 1) for n in (after, max(before - after, 0)))
    return element(
        "div",
        element("span", class_="left", style=f"width: {min(left, 100):.2f}%"),
        element("span", class_="taken", style=f"width: {removed:.2f}%"),
        class_="funnel-bar",
    )


def _kind(step: Step) -> str:
    match step:
        case ScoreStep():
            return "score"
        case WhereStep():
            return "where"
        case SetStep(operation, _):
            return operation
