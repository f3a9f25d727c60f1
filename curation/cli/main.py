"""The command line: ``python -m curation``. Heavy imports wait until a command needs them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from curation import __version__, extras, formatting, progress
from curation.cli.app import app
from curation.cli.common import FOLDER
from curation.cli.demo import demo
from curation.cli.marks import marks
from curation.cli.score import score
from curation.cli.target import add_target, remove_target
from curation.errors import CurationError
from curation.exporters import EXPORTERS
from curation.exporters.base import SHARD_SIZE
from curation.progress import Progress

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main() -> None:
    """Run the command line; a CurationError becomes one line and exit code 2."""
    # As Ctrl-C: what is half-written is taken away on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with progress.reporting():
        _run()


def _run() -> None:
    try:
        cli(standalone_mode=False)
    except CurationError as problem:
        _fail(problem)
    except ImportError as problem:
        advice = extras.missing(problem)
        if advice is None:
            raise
        _fail(advice)
    except OSError as problem:
        _fail(f"{problem.filename or 'this machine'}: {problem.strerror or problem}")
    except click.ClickException as problem:
        progress.report_failure(problem.format_message())
        problem.show()
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        goes_on = "; the same command again goes on where it stopped" if "score" in sys.argv else ""
        click.echo(f"stopped{goes_on}", err=True)
        sys.exit(130)


def _fail(problem: object) -> NoReturn:
    # Parsers and databases explain themselves over several lines.
    line = " ".join(str(problem).split())
    progress.report_failure(line)
    click.echo(f"error: {line}", err=True)
    sys.exit(2)


@click.group(context_settings=_HELP)
@click.version_option(__version__, prog_name="clip-curation")
def cli() -> None:
    """Score image-text pairs, choose among them, and take the list away.

    \b
      score   SOURCE → a workspace with a catalog of scores
      info    what a workspace holds
      select  how many samples a recipe keeps
      export  write the list, with its recipe and a manifest
      marks   what was kept and dropped by hand

    To look and decide in the browser: streamlit run app.py
    """


cli.add_command(app)
cli.add_command(demo)
cli.add_command(score)
cli.add_command(marks)
cli.add_command(add_target)
cli.add_command(remove_target)


@cli.command()
@click.argument("workspace", type=FOLDER)
@click.option(
    "--label",
    help="A true-or-false column of the source that marks bad samples: how "
    "well does each score tell them?  [default: every such column]",
)
@click.option(
    "--keep",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Share of the pool that is kept when judging labels.",
)
@click.option("--skipped", is_flag=True, help="List every skipped sample: where, and why.")
def info(workspace: Path, label: str | None, keep: float, skipped: bool) -> None:
    """What a workspace holds: samples, scores with their parameters, skipped samples.

    Where the source has a true-or-false column (as the sample's `swapped`), prints how well each
    score tells it: the AUC, and the share of marked samples in the kept top.
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


@cli.command("import-scores")
@click.argument("workspace", type=FOLDER)
@click.argument("file", type=FOLDER)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME[=SCORE]",
    help="Only this column, under this name. Repeatable.  [default: every column of numbers]",
)
@click.option("--uid-column", default="uid", show_default=True, help="Column with the uids.")
def import_scores(workspace: Path, file: Path, columns: tuple[str, ...], uid_column: str) -> None:
    """Join columns of numbers of FILE (CSV, TSV, JSONL, Parquet) as scores, by uid.

    \b
    Examples:
      python -m curation import-scores work/pairs aesthetics.parquet
      python -m curation import-scores work/pairs tmars.csv --column "CLIP score=tmars"
    """
    from curation.pipeline import import_scores, publish
    from curation.storage.workspace import Workspace

    opened = Workspace.open(workspace)
    with opened.lock():
        names = [import_scores.column_name(text) for text in columns]
        joined = import_scores.import_scores(opened, file, names, uid_column)
        publish.publish(opened, Progress())
    _say_joined(joined)


@cli.command("import-uids")
@click.argument("workspace", type=FOLDER)
@click.argument("name")
@click.argument("file", type=FOLDER)
@click.option("--uid-column", default="uid", show_default=True, help="Column with the uids.")
def import_uids(workspace: Path, name: str, file: Path, uid_column: str) -> None:
    """Keep a list of uids under NAME, for `union`, `intersect` and `except` in recipes.

    FILE is a DataComp .npy, a .txt with one uid a line, or a table with a column of uids.
    """
    from curation.pipeline import import_scores
    from curation.storage.workspace import Workspace

    _say_joined(import_scores.import_uids(Workspace.open(workspace), name, file, uid_column))


@cli.command()
@click.argument("workspace", type=FOLDER)
@click.argument("recipe", type=FOLDER)
@click.option("--save", metavar="NAME", help="Keep the recipe in the workspace under this name.")
def select(workspace: Path, recipe: Path, save: str | None) -> None:
    """How many samples RECIPE (a YAML file) keeps, step by step, and the hash of their uids.

    The hash is that of `LC_ALL=C sort uids.txt | sha256sum`.
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


@cli.command()
@click.argument("workspace", type=FOLDER)
@click.argument("recipe", type=FOLDER, required=False)
@click.option("--selection", "saved", metavar="NAME", help="A saved selection instead of RECIPE.")
@click.option(
    "--format",
    "format_",
    default="parquet",
    show_default=True,
    type=click.Choice(list(EXPORTERS)),
    help="What to write.",
)
@click.option("--to", "path", type=FOLDER, required=True, help="The file to write, or the folder.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="A column to write. Repeatable.  [default: of txt, uid; of tables and images, uid, "
    "caption, image_file or url, and every score]",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    default=SHARD_SIZE,
    show_default=True,
    help="Samples a file, of webdataset and huggingface.",
)
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
@click.option("--strict", is_flag=True, help="Exit with 1 if any sample could not be written.")
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
    """Write the samples that RECIPE, or a saved selection, keeps.

    Beside the file: NAME.recipe.yaml, which makes it again, and NAME.manifest.json with counts,
    parameters and hashes.
    """
    from curation.catalog.catalog import Catalog
    from curation.cli import text_report
    from curation.exporters import export as exporting
    from curation.selection.decisions import Decisions
    from curation.selection.recipe import Recipe
    from curation.selection.select import select as evaluate
    from curation.storage.workspace import Workspace

    if (recipe is None) == (saved is None):
        raise CurationError("export takes a RECIPE file or --selection NAME, one of the two")
    opened = Workspace.open(workspace)
    decisions = Decisions.of(opened)
    chosen = Recipe.load(recipe) if recipe else decisions.recipe(saved or "")
    if chosen is None:
        known = ", ".join(decisions.names()) or "none yet"
        raise CurationError(f"there is no selection {saved!r}; there are: {known}")
    catalog = Catalog.of(opened)
    selection = evaluate(chosen, catalog, decisions)
    # A list is there in a second; images take their time.
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


def _say_joined(joined: Any) -> None:
    click.echo(
        f"{formatting.plural(joined.rows, 'row')}: {formatting.plural(joined.matched, 'sample')} "
        f"matched, {formatting.plural(joined.unmatched, 'uid')} not in this dataset, "
        f"{formatting.plural(joined.repeated, 'row')} repeat a uid"
    )
