"""Fields for the scores to compute and for their parameters, from what each score declares."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from curation.errors import CurationError
from curation.scores import SCORES
from curation.scores.base import Parameter
from pages.widgets.state.url import choose
from pages.widgets.state.url_text_field import text_field, write_to_url

# Labels that are not the parameter's name.
LABELS = {"temperature": "Temperature τ", "batch_size": "Batch size", "batches": "Batches"}
_PICKED = "score_picked"


def pick_scores(has_target: bool) -> list[str]:
    """The scores to compute; those that need a target can be picked where there is one."""
    possible = [n for n, s in SCORES.items() if has_target or "target" not in s.needs]
    defaults = [name for name in possible if SCORES[name].default]
    if _PICKED not in st.session_state:
        linked = st.query_params.get("scores")
        st.session_state[_PICKED] = linked.split(",") if linked else None
    picked = st.session_state[_PICKED]
    chosen = [name for name in possible if name in (defaults if picked is None else picked)]
    st.markdown("Scores")
    columns = st.columns(3)
    for number, (name, score) in enumerate(SCORES.items()):
        key = f"pick_{name}"
        st.session_state[key] = name in chosen
        lacks = "" if name in possible else " **Needs a target.**"
        columns[number % 3].checkbox(
            score.title,
            key=key,
            help=score.help + lacks,
            disabled=name not in possible,
            wrap=True,
            on_change=_pick,
            args=(possible, defaults),
        )
    write_to_url("scores", [",".join(picked)] if picked else [])
    return chosen


def score_arguments(chosen: Sequence[str], has_target: bool) -> list[str]:
    """The arguments that name the scores; none for the default set, so that it may grow.

    Raises:
        CurationError: no score is picked.
    """
    if not chosen:
        raise CurationError("select at least one score")
    defaults = [
        name
        for name, score in SCORES.items()
        if score.default and (has_target or "target" not in score.needs)
    ]
    if list(chosen) == defaults:
        return []
    return [text for name in chosen for text in ("--score", name)]


def parameters(chosen: Sequence[str]) -> list[str]:
    """The arguments for the parameters of the chosen scores.

    Raises:
        CurationError: a value is out of range.
    """
    users: dict[Parameter, list[str]] = {}
    for name in chosen:
        for parameter in SCORES[name].parameters:
            users.setdefault(parameter, []).append(SCORES[name].title)
    arguments: list[str] = []
    columns = st.columns(3) if users else []
    for number, (parameter, titles) in enumerate(users.items()):
        with columns[number % 3]:
            arguments += _parameter(parameter, ", ".join(titles))
    return arguments


def _parameter(parameter: Parameter, scores: str) -> list[str]:
    label = LABELS.get(parameter.name, parameter.name.replace("_", " ").capitalize())
    option, key = f"--{parameter.name.replace('_', '-')}", f"p_{parameter.name}"
    help_ = f"{scores}: {parameter.help}."
    if parameter.choices and not parameter.multiple:
        start = str(parameter.default)
        value = choose(st.selectbox, label, list(parameter.choices), key, start, help=help_)
        return [] if value == start else [option, value]
    values = parameter.default if isinstance(parameter.default, tuple) else (parameter.default,)
    default = "auto" if parameter.name == "temperature" else ", ".join(map(_shown, values))
    text = text_field(label, key, placeholder=default, help=help_)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or text == default:
        return []
    try:
        read = [part if parameter.choices else parameter.type(part) for part in parts]
    except ValueError:
        raise CurationError(f"{parameter.name} is {text!r}; expected a number") from None
    if len(read) > 1 and not parameter.multiple:
        raise CurationError(f"{parameter.name} is {text!r}; expected one value")
    parameter.check(tuple(read) if parameter.multiple else read[0])
    return [text for part in parts for text in (option, part)]


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pick(possible: Sequence[str], defaults: Sequence[str]) -> None:
    picked = [name for name in possible if st.session_state[f"pick_{name}"]]
    st.session_state[_PICKED] = None if picked == list(defaults) else picked
