"""The options of ``score`` for the parameters that the scores declare."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from curation.cli.help_layout import GroupedOption
from curation.scores import SCORES
from curation.scores.base import Parameter

SCORE_NAMES = tuple(SCORES)
# The scores that are computed only if asked for, for the help.
ON_REQUEST = ", ".join(name for name, score in SCORES.items() if not score.default)

Command = TypeVar("Command", bound=Callable[..., Any])


def score_options(command: Command) -> Command:
    """Add an option for every parameter of every score to a command."""
    users: dict[str, list[str]] = {}
    parameters: dict[str, Parameter] = {}
    for score in SCORES.values():
        for parameter in score.parameters:
            # Scores with a common parameter share its declaration.
            assert parameters.setdefault(parameter.name, parameter) is parameter
            users.setdefault(parameter.name, []).append(score.title)
    for name, parameter in reversed(parameters.items()):
        command = _option(parameter, ", ".join(users[name]))(command)
    return command


class _Number(click.ParamType[Any]):
    """A number, ``inf``, or ``auto`` (None) if that is allowed."""

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


def _option(parameter: Parameter, titles: str) -> Callable[[Command], Command]:
    kind: Any = click.Choice(parameter.choices) if parameter.choices else parameter.type
    is_temperature = parameter.name == "temperature"
    default = "auto" if is_temperature else _format(parameter.default)
    return click.option(
        f"--{parameter.name.replace('_', '-')}",
        parameter.name,
        cls=GroupedOption,
        heading=f"Parameters of {titles}",
        type=_Number(is_temperature) if kind is float else kind,
        multiple=parameter.multiple,
        default=None,
        help=f"{parameter.help}."
        f"{' Repeatable.' if parameter.multiple else ''}  [default: {default}]",
    )


def _format(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(_format(v) for v in value)
    if isinstance(value, float):
        return "inf" if math.isinf(value) else f"{value:g}"
    return str(value)
