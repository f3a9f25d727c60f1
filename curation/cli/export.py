"""The command ``export``: write a selection in one of the output formats."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from curation import formatting
from curation.cli.common import FOLDER
from curation.cli.help_layout import GroupedCommand, GroupedOption
from curation.errors import CurationError
from curation.exporters import EXPORTERS
from curation.exporters.base import SHARD_SIZE
from curation.progress import Progress

_WHAT = "What to export"
_OUTPUT = "Output"


@click.command(cls=GroupedCommand)
@click.argument("workspace", type=FOLDER)
@click.argument("recipe", type=FOLDER, required=False)
@click.option(
    "--selection",
    "saved",
    cls=GroupedOption,
    heading=_WHAT,
    metavar="NAME",
    help="A saved selection, instead of RECIPE.",
)
@click.option(
    "--column",
    "columns",
    cls=GroupedOption,
    heading=_WHAT,
    multiple=True,
    metavar="NAME",
    help="A column to write. Repeatable.  [default: uid for txt; otherwise uid, caption, "
    "image_file or url, and every score]",
)
@click.option(
    "--format",
    "format_",
    cls=GroupedOption,
    heading=_OUTPUT,
    default="parquet",
    show_default=True,
    type=click.Choice(list(EXPORTERS)),
    help="Output format.",
)
@click.option(
    "--to",
    "path",
    cls=GroupedOption,
    heading=_OUTPUT,
    type=FOLDER,
    required=True,
    help="File to write, or folder for webdataset, imagefolder and huggingface.",
)
@click.option(
    "--shard-size",
    cls=GroupedOption,
    heading=_OUTPUT,
    type=click.IntRange(1),
    default=SHARD_SIZE,
    show_default=True,
    help="Samples in each file of webdataset and huggingface.",
)
@click.option(
    "--overwrite",
    cls=GroupedOption,
    heading=_OUTPUT,
    is_flag=True,
    help="Replace an existing export.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a sample could not be written.")
def export(
    workspace: Path,
    recipe: Path | None,
    saved: str | None,
    format_: str,
    path: Path,
    columns: tuple[str, ...],
    shard_size: int,
    overwrite: bool,
    strict: bool,
) -> None:
    """Write the selected samples in one of eight formats.

    The samples are those that RECIPE, a YAML file, or a saved selection selects. Next to the
    output it writes NAME.recipe.yaml, which reproduces the selection, and NAME.manifest.json with
    counts, parameters and hashes.

    \b
    Examples:
      clip-curation export work/pairs recipe.yaml --to best.parquet
      clip-curation export work/pairs --selection best --format datacomp --to best.npy
      clip-curation export work/pairs recipe.yaml --format webdataset --to shards/
    """
    from curation.catalog.catalog import Catalog
    from curation.cli import text_report
    from curation.exporters import export as exporting
    from curation.selection.decisions import Decisions
    from curation.selection.recipe import Recipe
    from curation.selection.select import select as evaluate
    from curation.storage.workspace import Workspace

    if (recipe is None) == (saved is None):
        raise CurationError("export takes a RECIPE file or --selection NAME; give one of the two")
    opened = Workspace.open(workspace)
    decisions = Decisions.of(opened)
    chosen = Recipe.load(recipe) if recipe else decisions.recipe(saved or "")
    if chosen is None:
        known = ", ".join(decisions.selection_names()) or "none yet"
        raise CurationError(f"there is no selection {saved!r}; there are: {known}")
    catalog = Catalog.of(opened)
    selection = evaluate(chosen, catalog, decisions)
    # Only formats with images take long enough for a bar.
    is_long = not EXPORTERS[format_].extension
    with Progress(quiet=not is_long).bar("Exporting", selection.count) as bar:
        exported = exporting.export(
            catalog,
            selection,
            format_,
            path,
            columns=columns,
            shard_size=shard_size,
            overwrite=overwrite,
            advance=bar.update,
        )
    click.echo(text_report.selection(selection))
    click.echo(f"wrote {exported.path}, {exported.recipe.name}, {exported.manifest.name}")
    if exported.left_out:
        first = exported.left_out[0]
        click.echo(
            f"{formatting.plural(len(exported.left_out), 'selected sample')} could not be written, "
            f"the first {first.uid}: {first.reason}; {exported.manifest.name} lists them",
            err=True,
        )
        if strict:
            sys.exit(1)
