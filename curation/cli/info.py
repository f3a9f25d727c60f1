"""The command ``info``: what a workspace contains."""

from __future__ import annotations

from pathlib import Path

import click

from curation.cli.common import FOLDER


@click.command()
@click.argument("workspace", type=FOLDER)
@click.option(
    "--label",
    metavar="COLUMN",
    help="A true-or-false column of the source that marks bad samples.  "
    "[default: every such column]",
)
@click.option(
    "--keep",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Fraction of the pool to keep when measuring scores against labels.",
)
@click.option(
    "--skipped", is_flag=True, help="List every skipped sample and the reason, and nothing else."
)
def info(workspace: Path, label: str | None, keep: float, skipped: bool) -> None:
    """Show the scores and the skipped samples of a workspace.

    If the source has a true-or-false column that marks bad samples (such as `swapped` of the
    bundled sample), it also shows how well each score separates them: the AUC, and the fraction of
    bad samples among the best by that score.

    \b
    Examples:
      clip-curation info work/pairs
      clip-curation info work/pairs --skipped
    """
    from curation.catalog.catalog import Catalog
    from curation.cli import text_report
    from curation.storage.workspace import Workspace

    catalog = Catalog.of(Workspace.open(workspace))
    if skipped:
        for row in catalog.skipped(limit=1 << 40):
            click.echo(f"{row['where']}: {row['reason']}")
        return
    click.echo(text_report.overview(catalog))
    for name in [label] if label else [c.name for c in catalog.labels]:
        click.echo(text_report.labels(catalog, name, keep))
