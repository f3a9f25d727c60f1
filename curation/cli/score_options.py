"""Options of ``score`` that the scores declare: one option a parameter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from curation.scores import SCORES
from curation.scores.base import Parameter

SCORE_NAMES = tuple(SCORES)
ON_REQUEST = " or ".join(name for name, score in SCORES.items() if not score.default)

Command = TypeVar("Command", bound=Callable[..., Any])


def score_options(command: Command) -> Command:
    """Give a command every parameter of every score as an option."""
    users: dict[str, list[str]] = {}
    parameters: dict[str, Parameter] = {}
    for score in SCORES.values():
        for parameter in score.parameters:
            # Scores may share a setting; they share its declaration then.
            assert parameters.setdefault(parameter.name, parameter) is parameter
            users.setdefault(parameter.name, []).append(score.title)
    for name, parameter in reversed(parameters.items()):
        command = _option(parameter, ", ".join(users[name]))(command)
    return command


class _Number(click.ParamType[Any]):
    """A number, ``inf``, or ``auto`` where that leaves the choice to the program."""

    name = "number"

    def __init__(self, auto: bool) -> None:
        self.auto = auto

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        if value is None or isinstance(value, float):
            return value
        if value == "auto" and self.auto:
            return None
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, context)


def _option(parameter: Parameter, title: str) -> Callable[[Command], Command]:
    kind: Any = click.Choice(parameter.choices) if parameter.choices else parameter.type
    is_temperature = parameter.name == "temperature"
    shown = "auto" if is_temperature else _shown(parameter.default)
    return click.option(
        f"--{parameter.name.replace('_', '-')}",
        parameter.name,
        type=_Number(is_temperature) if kind is float else kind,
        multiple=parameter.multiple,
        default=None,
        help=f"{title}: {parameter.help}.{' Repeatable.' if parameter.multiple else ''}"
        f"  [default: {shown}]",
    )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(_shown(v) for v in value)
    if isinstance(value, float):
        return "inf" if math.isinf(value) else f"{value:g}"
    return str(value)
