"""What several commands share: options, and what they mean."""

from __future__ import annotations

from pathlib import Path

import click

from curation.errors import CurationError
from curation.models.devices import CHOICES
from curation.models.encoder import ModelSpec

FOLDER = click.Path(path_type=Path)

device_option = click.option(
    "--device",
    type=click.Choice(CHOICES),
    default="auto",
    show_default=True,
    help="auto takes CUDA, then MPS, then the CPU.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Only warnings and errors.")


def model_spec(model: str | None, pretrained: str | None) -> ModelSpec | None:
    """What ``--model`` and ``--pretrained`` name; None where neither is given.

    Raises:
        CurationError: there are weights, but no model.
    """
    if model:
        return ModelSpec(model, pretrained)
    if pretrained:
        raise CurationError("--pretrained goes with --model: it names the weights of that model")
    return None
