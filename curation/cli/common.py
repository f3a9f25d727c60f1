"""Options and types that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from curation.cli.help_layout import GroupedOption
from curation.errors import CurationError
from curation.models.devices import CHOICES
from curation.models.encoder import ModelSpec

# The type of a file or a folder; the command itself checks whether it exists.
FOLDER = click.Path(path_type=Path)

RUN = "Run options"

device_option = click.option(
    "--device",
    cls=GroupedOption,
    heading=RUN,
    type=click.Choice(CHOICES),
    default="auto",
    show_default=True,
    help="Device to compute on; auto is CUDA if available, else MPS, else the CPU.",
)
quiet_option = click.option(
    "--quiet",
    "-q",
    cls=GroupedOption,
    heading=RUN,
    is_flag=True,
    help="Print only warnings and errors.",
)


def model_spec(model: str | None, pretrained: str | None) -> ModelSpec | None:
    """The model that ``--model`` and ``--pretrained`` name; None if neither is given.

    Raises:
        CurationError: ``--pretrained`` is given without ``--model``.
    """
    if model:
        return ModelSpec(model, pretrained)
    if pretrained:
        raise CurationError(
            "--pretrained goes with --model: it names weights of that model; add --model"
        )
    return None
