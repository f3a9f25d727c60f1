"""The scores to make and their parameters, as fields made of what each score declares."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from curation.errors import CurationError
from curation.scores import SCORES
from curation.scores.base import Parameter
from pages.widgets.state.url import choose
from pages.widgets.state.url_text_field import field, in_url

# Labels that are not the parameter's name.
LABELS = {"temperature": "Temperature τ", "batch_size": "Batch size", "batches": "Batches"}
_PICKED = "score_picked"


def pick_scores(has_target: bool) -> list[str]:
    """The scores to make; what needs a target can be picked where there is one."""
    possible = [n for n, s in SCORES.items() if has_target or "target" not in s.needs]
    usual = [name for name in possible if SCORES[name].default]
    if _PICKED not in st.session_state:
        told = st.query_params.get("scores")
        st.session_state[_PICKED] = told.split(",") if told else None
    picked = st.session_state[_PICKED]
    chosen = [name for name in possible if name in (usual if picked is None else picked)]
    st.markdown("Scores")
    columns = st.columns(3)
    for place, (name, score) in enumerate(SCORES.items()):
        key = f"pick_{name}"
        st.session_state[key] = name in chosen
        lacks = "" if name in possible else " **Needs a target.**"
        columns[place % 3].checkbox(
            score.title,
            key=key,
            help=score.help + lacks,
            disabled=name not in possible,
            wrap=True,
            on_change=_pick,
            args=(possible, usual),
        )
    in_url("scores", [",".join(picked)] if picked else [])
    return chosen


def score_arguments(chosen: Sequence[str], has_target: bool) -> list[str]:
    """Nothing for the default set, which may grow; else each by its name.

    Raises:
        CurationError: none is picked.
    """
    if not chosen:
        raise CurationError("select at least one score")
    usual = [n for n, s in SCORES.items() if s.default and (has_target or "target" not in s.needs)]
    if list(chosen) == usual:
        return []
    return [text for name in chosen for text in ("--score", name)]


def parameters(chosen: Sequence[str]) -> list[str]:
    """The arguments for the parameters of the scores picked, each declared by its score.

    Raises:
        CurationError: a value is out of range.
    """
    users: dict[Parameter, list[str]] = {}
    for name in chosen:
        for parameter in SCORES[name].parameters:
            users.setdefault(parameter, []).append(SCORES[name].title)
    found: list[str] = []
    columns = st.columns(3) if users else []
    for place, (parameter, titles) in enumerate(users.items()):
        with columns[place % 3]:
            found += _parameter(parameter, ", ".join(titles))
    return found


def _parameter(parameter: Parameter, of: str) -> list[str]:
    label = LABELS.get(parameter.name, parameter.name.replace("_", " ").capitalize())
    option, key = f"--{parameter.name.replace('_', '-')}", f"p_{parameter.name}"
    about = f"{of}: {parameter.help}."
    if parameter.choices and not parameter.multiple:
        start = str(parameter.default)
        said = choose(st.selectbox, label, list(parameter.choices), key, start, help=about)
        return [] if said == start else [option, said]
    values = parameter.default if isinstance(parameter.default, tuple) else (parameter.default,)
    usual = "auto" if parameter.name == "temperature" else ", ".join(map(_shown, values))
    text = field(label, key, placeholder=usual, help=about)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or text == usual:
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


def _pick(possible: Sequence[str], usual: Sequence[str]) -> None:
    picked = [name for name in possible if st.session_state[f"pick_{name}"]]
    st.session_state[_PICKED] = None if picked == list(usual) else picked
