"""The command line: ``clip-curation``, or ``python -m curation``.

Commands import heavy modules inside their functions, so that the help appears at once.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import click

from curation import __version__, extras, progress
from curation.cli.app import app
from curation.cli.demo import demo
from curation.cli.export import export
from curation.cli.help_layout import CommandSections
from curation.cli.imports import import_scores, import_uids
from curation.cli.info import info
from curation.cli.marks import marks
from curation.cli.score import score
from curation.cli.select import select
from curation.cli.target import add_target, remove_target
from curation.errors import CurationError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=CommandSections, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="clip-curation")
def cli() -> None:
    """Score image-text pairs, select the good ones, and export the selection.

    `score` writes a workspace: a folder with the scores of one dataset. All other commands take
    that folder. A selection is a recipe, a short YAML file.

    \b
    Examples:
      clip-curation score photos/ --workspace work/photos --target food=food_images/
      clip-curation info work/photos
      clip-curation select work/photos recipe.yaml --save best
      clip-curation export work/photos --selection best --format datacomp --to best.npy
      clip-curation app work/photos

    `clip-curation COMMAND --help` explains a command.
    """


cli.add_section("In the browser", demo, app)
cli.add_section("Score a dataset", score, info, add_target, remove_target, import_scores)
cli.add_section("Select and export", select, export, import_uids, marks)


def main() -> None:
    """Run the command line. A CurationError becomes one line and exit code 2."""
    # Exit as on Ctrl-C, so that half-written files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with progress.reporting():
        _run()


def _run() -> None:
    try:
        cli(standalone_mode=False)
    except CurationError as error:
        _fail(error)
    except ImportError as error:
        advice = extras.missing(error)
        if advice is None:
            raise
        _fail(advice)
    except OSError as error:
        _fail(f"{error.filename or 'this machine'}: {error.strerror or error}")
    except click.ClickException as error:
        progress.report_failure(error.format_message())
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        hint = "; run the same command again to continue" if "score" in sys.argv else ""
        click.echo(f"stopped{hint}", err=True)
        sys.exit(130)


def _fail(error: object) -> NoReturn:
    # One line, because messages of parsers and databases have several.
    line = " ".join(str(error).split())
    progress.report_failure(line)
    click.echo(f"error: {line}", err=True)
    sys.exit(2)
