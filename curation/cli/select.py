"""The command ``select``: how many samples a recipe selects."""

from __future__ import annotations

from pathlib import Path

import click

from curation.cli.common import FOLDER


@click.command()
@click.argument("workspace", type=FOLDER)
@click.argument("recipe", type=FOLDER)
@click.option("--save", metavar="NAME", help="Save the selection in the workspace under NAME.")
def select(workspace: Path, recipe: Path, save: str | None) -> None:
    """Count the samples that RECIPE selects.

    RECIPE is a YAML file. The output is the count after each step, and the hash of the selected
    uids, the same as `LC_ALL=C sort uids.txt | sha256sum` prints.

    \b
    A recipe, and examples:
      name: best
      steps:
        - {score: neg_clip_loss, top: 0.30}
        - {where: "width >= 200"}
    \b
      clip-curation select work/pairs recipe.yaml
      clip-curation select work/pairs recipe.yaml --save best
    """
    from curation.catalog.catalog import Catalog
    from curation.cli import text_report
    from curation.selection.decisions import Decisions
    from curation.selection.recipe import Recipe
    from curation.selection.select import select as evaluate
    from curation.storage.workspace import Workspace

    opened = Workspace.open(workspace)
    decisions = Decisions.of(opened)
    loaded = Recipe.load(recipe)
    selection = evaluate(loaded, Catalog.of(opened), decisions)
    click.echo(text_report.selection(selection))
    if save is not None:
        decisions.save_recipe(save, loaded)
        click.echo(f"saved as {save}")
