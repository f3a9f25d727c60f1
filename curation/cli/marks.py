"""The command ``marks``: the samples marked by hand."""

from __future__ import annotations

from pathlib import Path

import click

from curation import formatting
from curation.cli.common import FOLDER


@click.command()
@click.argument("workspace", type=FOLDER)
@click.option(
    "--log",
    is_flag=True,
    help="List every change instead: time, action, uid, mark before → after.",
)
@click.option("--clear", is_flag=True, help="Remove all marks; --undo restores them.")
@click.option("--undo", is_flag=True, help="Undo the last change, whether made here or in the app.")
def marks(workspace: Path, log: bool, clear: bool, undo: bool) -> None:
    """List the samples marked by hand.

    Samples are marked keep or drop in the app, which adds the marks to its recipes. Each line of
    the output is a uid, its mark and the time; the newest come first.

    \b
    Examples:
      clip-curation marks work/pairs
      clip-curation marks work/pairs --undo
    """
    from curation.catalog.catalog import Catalog
    from curation.selection.marks import Marks, describe_counts
    from curation.storage.workspace import Workspace

    opened = Workspace.open(workspace)
    stored = Marks.of(opened)
    if undo:
        change = stored.undo()
        click.echo(f"undone: {change}" if change else "there is nothing to undo")
    elif clear:
        click.echo(stored.clear() or "there are no marks")
    elif log:
        for line in stored.log():
            before, after = line.old or "unmarked", line.new or "unmarked"
            click.echo(f"{line.logged}  {line.action}  {line.uid}  {before} → {after}")
    else:
        listed = stored.newest()
        for mark in listed:
            click.echo(f"{mark.uid}  {mark.mark}  {mark.marked}")
        counts = stored.counts()
        absent = len(listed) - len(Catalog.of(opened).uids.find_rows([mark.uid for mark in listed]))
        suffix = f", {formatting.count(absent)} of them not in this dataset" if absent else ""
        click.echo(describe_counts(counts["keep"], counts["drop"]) + suffix)
