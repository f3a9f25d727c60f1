"""``python -m curation score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curation import formatting
from curation.cli.common import FOLDER, device_option, model_spec, quiet_option
from curation.cli.score_options import ON_REQUEST, SCORE_NAMES, score_options
from curation.executors import EXECUTORS
from curation.models.encoder import PRECISIONS, ModelSpec
from curation.progress import Progress
from curation.readers import READERS
from curation.storage import locations
from curation.storage.locations import Location

if TYPE_CHECKING:
    from curation.pipeline.run import Summary


class _PlaceType(click.ParamType[Location]):
    """A local path, or a URL that fsspec reads."""

    name = "place"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Location:
        return locations.parse(value) if isinstance(value, str) else value


_PLACE = _PlaceType()


@click.command()
@click.argument("source", type=_PLACE)
@click.option(
    "--workspace",
    "-w",
    type=FOLDER,
    required=True,
    help="Folder to score into; an unfinished run there is taken up where it stopped.",
)
@click.option(
    "--reader",
    type=click.Choice(["auto", *READERS]),
    default="auto",
    show_default=True,
    help="How to read SOURCE.",
)
@click.option(
    "--image-column",
    help="Column of a table with the image's path, URL or bytes; of tars, the image's extension.",
)
@click.option("--caption-column", help="Column of a table, or of a tar's .json, with the caption.")
@click.option("--uid-column", help="Column of a table, or of a tar's .json, with uids (32 hex).")
@click.option(
    "--features",
    help="Which of DataComp's embeddings: l14, b32, …, or what to call clip-retrieval's.  "
    "[default: l14, clip]",
)
@click.option(
    "--image-root",
    type=_PLACE,
    help="Folder that the image paths of a table are relative to.  [default: the table's]",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Samples a shard, the unit of work that a killed run loses at most; a tar is one.",
)
@click.option(
    "--model",
    help="An open_clip architecture (ViT-L-14), or a folder with "
    "open_clip_config.json.  [default: the small model that ships]",
)
@click.option(
    "--pretrained",
    help="Weights of the architecture: a tag (openai, dfn2b_s39b) or a checkpoint file.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME=SOURCE",
    help="Reference set for NormSim: a folder, table or tars of images, with or without captions; "
    "a .txt of captions, one a line; or embeddings: a .npy of images, or a .npz with image, text "
    "or both. Repeatable; several are also measured together, as `all`.",
)
@click.option(
    "--score",
    "scores",
    multiple=True,
    type=click.Choice(SCORE_NAMES),
    help="Only this score. Repeatable.  [default: all that the inputs allow, "
    f"but not {ON_REQUEST}]",
)
@score_options
@device_option
@click.option(
    "--embed-precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="Precision that embeddings are computed in; auto takes float16 on CUDA and float32 "
    "elsewhere. bfloat16 is faster on CPUs with AVX-512 BF16 or AMX.",
)
@click.option(
    "--executor",
    type=click.Choice(list(EXECUTORS)),
    default="local",
    show_default=True,
    help="Where shards are worked on.",
)
@quiet_option
@click.option("--strict", is_flag=True, help="Exit with 1 if any sample was skipped.")
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
    """Score the pairs of SOURCE into a workspace.

    SOURCE is a folder of images (captions in metadata.csv or beside each image), a table (CSV,
    TSV, JSONL, Parquet) of image paths, URLs or bytes, tars as img2dataset and webdataset write
    them (one, or a folder of them), a Hugging Face dataset, or DataComp's or clip-retrieval's
    metadata with embeddings, which are used as they are. It may lie anywhere that fsspec reads
    (s3://, gs://, hf://, https://). Each stage works shard by shard and is used again by the next
    run.

    \b
    Examples:
      python -m curation score photos/ -w work/photos --target food=food_images/
      python -m curation score pairs.parquet -w work/pairs --caption-column alt_text \\
          --model ViT-L-14 --pretrained openai
      python -m curation score metadata/ -w work/small --features l14 --target in1k=in1k_l14.npy
      python -m curation score s3://bucket/shards/ -w work/s --model ViT-B-32 --pretrained openai
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
        click.echo(f"What was skipped, and why: python -m curation info {workspace} --skipped")
        if strict:
            sys.exit(1)


def _time(summary: Summary) -> str:
    """Where the time went: the stages, and how fast what was embedded was."""
    words = {
        name: f"{name} {formatting.duration(spent)}" for name, spent in summary.seconds.items()
    }
    if "decode" in words:
        words["decode"] += f" beside it ({formatting.plural(summary.workers, 'worker')})"
    line = f"Time: {', '.join(words.values())}"
    if summary.embedded:
        rate = summary.embedded / summary.embedding_seconds
        line += f"; embedded {rate:,.0f} samples a second"
    return line
