import re

import click
import pytest

from curation.cli.main import cli
from curation.scores import SCORES

COMMANDS = sorted(cli.commands)


def help_of(name: str, width: int = 100) -> str:
    command = cli.commands[name]
    context = click.Context(command, info_name=name, terminal_width=width, max_content_width=width)
    return command.get_help(context)


def test_every_command_is_listed_under_one_heading():
    listed = [command.name for commands in cli.sections.values() for command in commands]
    assert sorted(listed) == COMMANDS
    text = cli.get_help(click.Context(cli, terminal_width=100, max_content_width=100))
    for heading in cli.sections:
        assert f"\n{heading}:\n" in text
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_shows_every_option_once(name):
    text = help_of(name)
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            option = max(parameter.opts, key=len)
            assert len(re.findall(rf"^  (-\w, )?{option}\b(?!-)", text, re.MULTILINE)) == 1, option


def test_the_parameters_of_a_score_have_its_title_as_heading():
    text = help_of("score")
    for score in SCORES.values():
        for parameter in score.parameters:
            headings = re.findall(r"^(Parameters of .*):$", text, re.MULTILINE)
            assert any(score.title in heading for heading in headings), parameter.name


def test_arguments_are_not_listed_as_options():
    for name in ("score", "export"):
        assert not re.search(r"^  (SOURCE|WORKSPACE|\[RECIPE\])$", help_of(name), re.MULTILINE)
