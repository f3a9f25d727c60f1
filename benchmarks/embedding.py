"""Images embedded per second, compared with decoding alone and with the encoder alone.

    python -m benchmarks.embedding [--model ViT-B-32] [--pretrained FILE] [--count 256]

*decode* reads, decodes and resizes every JPEG with all workers and no encoder. *encoder* computes
the embeddings of pixels in memory. *embedding* is the real stage, which does both. The three are
timed in turn, several times; the best time of each counts, since other load only adds time.

Two ratios are printed. Against the *slower stage*: on a GPU, which uses no core, a pipeline that
never lets the GPU wait reaches 1. Against the *sum*: on a CPU both stages use all cores, so a
perfect pipeline needs the sum of both times, and reaches 1 / (1 / decode + 1 / encoder) images per
second.

Without --pretrained, an architecture gets random weights. Without --model, the model in the
repository is used.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from curation.images.location import ImageRef
from curation.models import devices, encoder, image_loader
from curation.models.batch_encoder import BATCH
from curation.models.encoder import Encoder, ModelSpec
from curation.pipeline.embed import embed_shard
from curation.pipeline.read import read_shard
from curation.readers import Options, open_source
from curation.storage.workspace import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model")
    parser.add_argument("--pretrained")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 512), metavar=("W", "H"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=encoder.PRECISIONS, default="auto")
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = devices.names(chosen.device)[:1]
        model = encoder.load(model_of(chosen, folder), names[0], chosen.precision)
        workers = devices.workers_each(names)
        make_images(folder / "images", chosen.count, chosen.size)
        print(
            f"{devices.describe(names)}, {workers} workers, torch {torch.__version__}; "
            f"{model.spec.slug} in {model.precision}, {model.input_shape[0]} pixels per side; "
            f"{chosen.count} JPEGs of {chosen.size[0]} × {chosen.size[1]}"
        )
        compare(folder, model, workers, chosen.count, chosen.repeat)


def compare(folder: Path, model: Encoder, workers: int, count: int, repeat: int) -> None:
    store, root = Store(folder / "store"), folder / "images"
    reader = open_source(root, options=Options(shard_size=count, captions_required=False))
    for shard in reader.shards():
        read_shard(store, reader, shard)
    refs = [ImageRef(file.name) for file in sorted(root.iterdir())]
    size = BATCH[model.device.type]
    decode = partial(
        image_loader.batches,
        refs,
        partial(image_loader.model_input, root, model),
        model.input_shape,
        size=size,
        workers=workers,
        pinned=model.device.type == "cuda",
    )
    ready = torch.cat([batch.pixels.clone() for batch in decode()])

    def encode() -> None:
        with model.session():
            before = None
            for start in range(0, count, size):
                pending = model.encode_images(ready[start : start + size])
                if before is not None:
                    before.rows()
                before = pending
            before.rows()

    def embed() -> None:
        # A new fingerprint makes the stage compute again.
        embed_shard(store, 0, root, model, str(time.time_ns()), made=("image",), workers=workers)

    works = {"decode": lambda: [None for _ in decode()], "encoder": encode, "embedding": embed}
    rates = {name: count / spent for name, spent in timed(works, repeat).items()}
    slower = min(rates["decode"], rates["encoder"])
    both = 1 / (1 / rates["decode"] + 1 / rates["encoder"])
    for name, rate in rates.items():
        print(f"{name:<22}{rate:>9,.1f} images/s")
    print(f"{'ratio, slower stage':<22}{rates['embedding'] / slower:>9.2f}")
    print(
        f"{'ratio, sum of both':<22}{rates['embedding'] / both:>9.2f}"
        f"   ({both:,.1f} images/s; the bound if both use the same cores)"
    )


def timed(works: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """The shortest time of several runs of each, in turn, after one run to warm up."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    works["encoder"]()
    for _ in range(repeat):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            spent[name].append(time.perf_counter() - began)
    return {name: min(seconds) for name, seconds in spent.items()}


def model_of(chosen: argparse.Namespace, folder: Path) -> ModelSpec:
    """The requested model; an architecture without weights becomes a folder with random weights."""
    if chosen.model is None:
        return ModelSpec()
    spec = ModelSpec(chosen.model, chosen.pretrained)
    if spec.folder is not None or spec.pretrained is not None:
        return spec
    import open_clip
    from safetensors.torch import save_file

    made = folder / chosen.model
    made.mkdir()
    torch.manual_seed(0)
    model = open_clip.create_model(chosen.model)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, made / "open_clip_model.safetensors")
    config = {"model_cfg": open_clip.get_model_config(chosen.model), "preprocess_cfg": {}}
    (made / "open_clip_config.json").write_text(json.dumps(config))
    return ModelSpec(str(made))


def make_images(folder: Path, count: int, size: tuple[int, int]) -> None:
    """JPEGs with the file size of photographs, about 140 kB: coarse patches and noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        patches = Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
        smooth = np.asarray(patches.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
        noisy = smooth + rng.normal(0, 8, (size[1], size[0], 1))
        image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        image.save(folder / f"{number:05d}.jpg", quality=90)


if __name__ == "__main__":
    main()
