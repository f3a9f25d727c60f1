"""The command ``marks``: what was kept and dropped by hand."""

from __future__ import annotations

from pathlib import Path

import click

from curation import formatting
from curation.cli.common import FOLDER


@click.command()
@click.argument("workspace", type=FOLDER)
@click.option("--log", is_flag=True, help="Every change instead: time, action, uid, before, after.")
@click.option("--clear", is_flag=True, help="Take every mark away; --undo brings them back.")
@click.option("--undo", is_flag=True, help="Take back the last change, here or in the app.")
def marks(workspace: Path, log: bool, clear: bool, undo: bool) -> None:
    """The samples marked keep or drop by hand in the app: uid, mark, time; newest first.

    They are the `keep` and `drop` of the recipes that the app makes of a quadrant.
    """
    from curation.catalog.catalog import Catalog
    from curation.selection.marks import Marks, describe_counts
    from curation.storage.workspace import Workspace

    opened = Workspace.open(workspace)
    made = Marks.of(opened)
    if undo:
        change = made.undo()
        click.echo(f"taken back: {change}" if change else "there is nothing to undo")
    elif clear:
        click.echo(made.clear() or "there are no marks")
    elif log:
        for line in made.log():
            before, after = line.old or "unmarked", line.new or "unmarked"
            click.echo(f"{line.logged}  {line.action}  {line.uid}  {before} → {after}")
    else:
        listed = made.newest()
        for mark in listed:
            click.echo(f"{mark.uid}  {mark.mark}  {mark.marked}")
        counts = made.counts()
        absent = len(listed) - len(Catalog.of(opened).uids.find_rows([mark.uid for mark in listed]))
        missing = f", {formatting.count(absent)} of them not in this dataset" if absent else ""
        click.echo(describe_counts(counts["keep"], counts["drop"]) + missing)
