"""``add-target`` and ``remove-target``: change the targets of a scored dataset."""

from __future__ import annotations

from pathlib import Path

import click

from curation import formatting
from curation.cli.common import FOLDER, device_option, model_spec, quiet_option
from curation.progress import Progress
from curation.scores.target_sides import TARGET_SIDE


@click.command("add-target")
@click.argument("workspace", type=FOLDER)
@click.argument("targets", metavar="NAME=SOURCE...", nargs=-1, required=True)
@click.option(
    "--p",
    "norms",
    type=float,
    multiple=True,
    help="Norms to compute. Repeatable.  [default: as with the other targets, or inf and 2]",
)
@click.option(
    "--target-side",
    "sides",
    type=click.Choice(TARGET_SIDE.choices),
    multiple=True,
    help="Measure against its images, its captions (text), or both as one set. Repeatable.  "
    "[default: as with the other targets, or what it has]",
)
@click.option(
    "--model",
    help="The model that embedded the dataset, needed where the workspace does not record it, as "
    "with ready-made embeddings: an open_clip architecture, or a folder with "
    "open_clip_config.json.",
)
@click.option("--pretrained", help="Weights of the architecture: a tag or a checkpoint file.")
@device_option
@quiet_option
def add_target(
    workspace: Path,
    targets: tuple[str, ...],
    norms: tuple[float, ...],
    sides: tuple[str, ...],
    model: str | None,
    pretrained: str | None,
    device: str,
    quiet: bool,
) -> None:
    """Measure a scored WORKSPACE against one more target, by NormSim.

    SOURCE is what `score --target` takes: a folder, table or tars of images, a .txt of captions,
    or a .npy or .npz of embeddings. Neither the dataset's source nor the options that it was
    scored with are needed: the target is embedded by the dataset's own model, and other scores
    stay as they are. A target of this NAME is read again, or replaced if SOURCE is another one.

    \b
    Examples:
      clip-curation add-target work/pairs food=food_images/
      clip-curation add-target work/pairs in1k=class_names.txt
    """
    from curation.pipeline import change_targets
    from curation.pipeline.targets import TargetSource
    from curation.storage.workspace import Workspace

    options = change_targets.AddOptions(norms, sides, model_spec(model, pretrained), device)
    named = [TargetSource.parse(text) for text in targets]
    opened = Workspace.open(workspace)
    for target in named:
        change = change_targets.add(opened, target, options, Progress(quiet))
        status = "" if change.is_new else "nothing to do, "
        click.echo(f"{target.name}: {status}{', '.join(change.columns)} in {workspace}")


@click.command("remove-target")
@click.argument("workspace", type=FOLDER)
@click.argument("name")
@quiet_option
def remove_target(workspace: Path, name: str, quiet: bool) -> None:
    """Delete a target from WORKSPACE: its columns, its embeddings, its part in `all`.

    The images that it was read from are kept.
    """
    from curation.pipeline import change_targets
    from curation.storage.workspace import Workspace

    change = change_targets.remove(Workspace.open(workspace), name, Progress(quiet))
    gone = formatting.plural(len(change.columns), "column")
    click.echo(f"{name} removed with {gone}: {', '.join(change.columns) or 'none'}")
