"""The layout of help texts: commands and options under headings, in a chosen order."""

from __future__ import annotations

from typing import Any

import click


class GroupedOption(click.Option):
    """An option that the help of a ``GroupedCommand`` lists under a heading."""

    def __init__(self, *args: Any, heading: str = "Options", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.heading = heading


class GroupedCommand(click.Command):
    """A command whose help lists its options under their headings, in order of declaration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and not isinstance(parameter, click.Argument):
                heading = parameter.heading if isinstance(parameter, GroupedOption) else "Options"
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


class CommandSections(click.Group):
    """A group of commands whose help lists them under headings."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.sections: dict[str, list[click.Command]] = {}

    def add_section(self, heading: str, *commands: click.Command) -> None:
        self.sections[heading] = list(commands)
        for command in commands:
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = [str(c.name) for commands in self.sections.values() for c in commands]
        limit = formatter.width - 6 - max(map(len, names), default=0)
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(str(c.name), c.get_short_help_str(limit)) for c in commands])
