"""The command ``score``: score a dataset into a workspace."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curation import formatting
from curation.cli.common import FOLDER, RUN, device_option, model_spec, quiet_option
from curation.cli.help_layout import GroupedCommand, GroupedOption
from curation.cli.score_options import ON_REQUEST, SCORE_NAMES, Command, score_options
from curation.executors import EXECUTORS
from curation.models.encoder import PRECISIONS, ModelSpec
from curation.progress import Progress
from curation.readers import READERS
from curation.storage import locations
from curation.storage.locations import Location

if TYPE_CHECKING:
    from curation.pipeline.run import Summary


class _LocationType(click.ParamType[Location]):
    """A local path, or a URL that fsspec can read."""

    name = "path or URL"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Location:
        return locations.parse(value) if isinstance(value, str) else value


_LOCATION = _LocationType()


def _option(heading: str, *names: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that the help lists under a heading."""
    return click.option(*names, cls=GroupedOption, heading=heading, **settings)


_INPUT = "Input options"
_MODEL = "Model options"
_SCORES = "Scores"


@click.command(cls=GroupedCommand)
@click.argument("source", type=_LOCATION)
@click.option(
    "--workspace",
    "-w",
    type=FOLDER,
    required=True,
    help="Folder to write to. An unfinished run there is continued.",
)
@_option(
    _INPUT,
    "--reader",
    type=click.Choice(["auto", *READERS]),
    default="auto",
    show_default=True,
    help="Format of SOURCE.",
)
@_option(
    _INPUT,
    "--image-column",
    metavar="NAME",
    help="Column of a table with image paths, URLs or bytes; for tars, the extension of images.  "
    "[default: a usual name]",
)
@_option(
    _INPUT,
    "--caption-column",
    metavar="NAME",
    help="Column of a table, or key of a tar's .json files, with captions.  "
    "[default: a usual name]",
)
@_option(
    _INPUT,
    "--uid-column",
    metavar="NAME",
    help="Column of a table, or key of a tar's .json files, with uids of 32 hex digits.  "
    "[default: uid, or uids made from the source's own keys]",
)
@_option(
    _INPUT,
    "--features",
    metavar="NAME",
    help="Which embeddings of DataComp metadata to use (l14, b32, …), or a name for those of "
    "clip-retrieval.  [default: l14, clip]",
)
@_option(
    _INPUT,
    "--image-root",
    type=_LOCATION,
    metavar="FOLDER",
    help="Folder that a table's image paths are relative to.  [default: the table's folder]",
)
@_option(
    _INPUT,
    "--shard-size",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Samples in each shard; a stopped run loses one shard at most. A tar is one shard.",
)
@_option(
    _MODEL,
    "--model",
    metavar="NAME",
    help="An open_clip architecture (such as ViT-L-14), or a folder with open_clip_config.json.  "
    "[default: the small bundled model]",
)
@_option(
    _MODEL,
    "--pretrained",
    metavar="TAG",
    help="Weights of the architecture: an open_clip tag (such as openai) or a checkpoint file.",
)
@_option(
    _MODEL,
    "--embed-precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="Precision of the model; auto is float16 on CUDA and float32 elsewhere. bfloat16 is "
    "faster on CPUs with AVX-512 BF16 or AMX.",
)
@_option(
    _SCORES,
    "--score",
    "scores",
    multiple=True,
    type=click.Choice(SCORE_NAMES),
    help="Compute only this score. Repeatable.  [default: all that the input allows, except "
    f"{ON_REQUEST}]",
)
@_option(
    _SCORES,
    "--target",
    "targets",
    multiple=True,
    metavar="NAME=SOURCE",
    help="Reference set for NormSim: a folder, table or tars of images, with or without captions; "
    "a .txt of captions, one a line; an .npy of image embeddings; or an .npz of image, text or "
    "both. Repeatable; several targets are also combined into one named `all`.",
)
@score_options
@device_option
@_option(
    RUN,
    "--executor",
    type=click.Choice(list(EXECUTORS)),
    default="local",
    show_default=True,
    help="Where shards are processed.",
)
@quiet_option
@_option(RUN, "--strict", is_flag=True, help="Exit with 1 if a sample was skipped.")
def score(
    source: Location,
    workspace: Path,
    reader: str,
    image_column: str | None,
    caption_column: str | None,
    uid_column: str | None,
    features: str | None,
    image_root: Location | None,
    shard_size: int,
    model: str | None,
    pretrained: str | None,
    targets: tuple[str, ...],
    scores: tuple[str, ...],
    device: str,
    embed_precision: str,
    executor: str,
    quiet: bool,
    strict: bool,
    **parameters: Any,
) -> None:
    """Score the image-text pairs of SOURCE.

    The scores are written to a workspace, a folder. SOURCE is one of these:

    \b
      a folder of images, with captions in metadata.csv or next to each image
      a table (CSV, TSV, JSONL, Parquet) of image paths, URLs or bytes
      tars in the layout of img2dataset or webdataset, one or a folder of them
      a Hugging Face dataset
      metadata with embeddings, of DataComp or clip-retrieval; its embeddings are used as they are

    It is a local path, or a URL that fsspec can read (s3://, gs://, hf://, https://). A later run
    reuses every finished shard whose input and settings are the same.

    \b
    Examples:
      clip-curation score photos/ -w work/photos --target food=food_images/
      clip-curation score pairs.parquet -w work/pairs --caption-column alt_text \\
          --model ViT-L-14 --pretrained openai
      clip-curation score metadata/ -w work/small --features l14 --target in1k=in1k_l14.npy
      clip-curation score s3://bucket/shards/ -w work/s --model ViT-B-32 --pretrained openai
    """
    from curation.pipeline.run import Job, score_dataset
    from curation.pipeline.targets import TargetSource
    from curation.readers import Options

    job = Job(
        source=source,
        workspace=workspace,
        reader=reader,
        options=Options(
            image_column, caption_column, uid_column, image_root, shard_size, features=features
        ),
        model=model_spec(model, pretrained) or ModelSpec(),
        targets=tuple(TargetSource.parse(text) for text in targets),
        scores=scores,
        parameters=parameters,
        device=device,
        executor=executor,
        precision=embed_precision,
    )
    summary = score_dataset(job, Progress(quiet))
    click.echo(
        f"{formatting.plural(summary.samples, 'sample')} scored, "
        f"{formatting.count(summary.skipped)} skipped: {workspace}"
    )
    if not quiet:
        click.echo(_time(summary))
    if summary.skipped:
        click.echo(f"To list skipped samples: clip-curation info {workspace} --skipped")
        if strict:
            sys.exit(1)


def _time(summary: Summary) -> str:
    """A line with the duration of each stage and the speed of embedding."""
    durations = {name: f"{name} {formatting.duration(t)}" for name, t in summary.seconds.items()}
    if "decode" in durations:
        workers = formatting.plural(summary.workers, "worker")
        durations["decode"] += f" in parallel ({workers})"
    line = f"Time: {', '.join(durations.values())}"
    if summary.embedded:
        rate = summary.embedded / summary.embedding_seconds
        line += f"; embedded {rate:,.0f} samples a second"
    return line
