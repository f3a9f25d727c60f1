"""``clip-curation demo``: score the bundled sample, then open it in the app."""

from __future__ import annotations

from pathlib import Path

import click

from curation import resources
from curation.cli.app import browser_option, port_option, serve
from curation.cli.common import FOLDER
from curation.progress import Progress

DEFAULT = Path("clip-curation-demo")


@click.command()
@click.option(
    "--workspace",
    "-w",
    type=FOLDER,
    default=DEFAULT,
    show_default=True,
    help="Folder to score the sample into; a finished demo is opened as it is.",
)
@port_option
@browser_option
def demo(workspace: Path, port: int | None, no_browser: bool) -> None:
    """Score the bundled sample and open it in the browser.

    The bundled model scores 1,500 pieces of clip art with captions, 30 % of which are swapped on
    purpose, so that you can see what each score catches. It needs no network and takes one to two
    minutes on two cores.
    """
    from curation.pipeline.run import Job, score_dataset
    from curation.pipeline.targets import TargetSource

    targets = tuple(TargetSource(name, resources.TARGETS / name) for name in ("animals", "food"))
    job = Job(source=resources.SAMPLE, workspace=workspace, targets=targets)
    score_dataset(job, Progress())
    serve((workspace,), port, open_browser=not no_browser)
