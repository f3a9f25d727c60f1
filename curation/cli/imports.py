"""The commands ``import-scores`` and ``import-uids``: files made elsewhere, joined by uid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from curation import formatting
from curation.cli.common import FOLDER
from curation.progress import Progress

if TYPE_CHECKING:
    from curation.pipeline.import_scores import Joined

_uid_column_option = click.option(
    "--uid-column",
    default="uid",
    show_default=True,
    metavar="COLUMN",
    help="Column of FILE with the uids.",
)


@click.command("import-scores")
@click.argument("workspace", type=FOLDER)
@click.argument("file", type=FOLDER)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME[=SCORE]",
    help="Import only this column, as score SCORE. Repeatable.  [default: every numeric column]",
)
@_uid_column_option
def import_scores(workspace: Path, file: Path, columns: tuple[str, ...], uid_column: str) -> None:
    """Add numeric columns of FILE as scores.

    FILE is a table (CSV, TSV, JSONL, Parquet) with a column of uids. Samples that FILE does not
    list have no value for these scores.

    \b
    Examples:
      clip-curation import-scores work/pairs aesthetics.parquet
      clip-curation import-scores work/pairs tmars.csv --column "CLIP score=tmars"
    """
    from curation.pipeline import import_scores as importing
    from curation.pipeline import publish
    from curation.storage.workspace import Workspace

    opened = Workspace.open(workspace)
    with opened.lock():
        names = [importing.column_name(text) for text in columns]
        joined = importing.import_scores(opened, file, names, uid_column)
        publish.publish(opened, Progress())
    _echo_counts(joined)


@click.command("import-uids")
@click.argument("workspace", type=FOLDER)
@click.argument("name")
@click.argument("file", type=FOLDER)
@_uid_column_option
def import_uids(workspace: Path, name: str, file: Path, uid_column: str) -> None:
    """Save the uids of FILE as a list for recipes.

    Recipes refer to the list by NAME in `union`, `intersect` and `except`. FILE is a
    DataComp subset (.npy), a .txt with one uid a line, or a table (CSV, TSV, JSONL, Parquet) with
    a column of uids.

    \b
    Example:
      clip-curation import-uids work/pairs dfn_top15 dfn.npy
    """
    from curation.pipeline import import_scores as importing
    from curation.storage.workspace import Workspace

    _echo_counts(importing.import_uids(Workspace.open(workspace), name, file, uid_column))


def _echo_counts(joined: Joined) -> None:
    click.echo(
        f"{formatting.plural(joined.rows, 'row')}: {formatting.plural(joined.matched, 'sample')} "
        f"matched, {formatting.plural(joined.unmatched, 'uid')} not in this dataset, "
        f"{formatting.plural(joined.repeated, 'row')} repeat a uid"
    )
