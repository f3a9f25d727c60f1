import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from curation.errors import CurationError
from curation.executors.local import LocalExecutor
from curation.images import location
from curation.images.location import ImageRef
from curation.models import encoder, image_loader
from curation.models.encoder import Encoders, ModelSpec, Pending
from curation.pipeline import targets
from curation.pipeline.embed import SIDES, embed_shard, sides
from curation.pipeline.embed import embed as embed_store
from curation.pipeline.read import read_shard
from curation.readers import Options, base, open_source
from curation.storage.workspace import Receipt, Store
from tests import make


@pytest.fixture
def encoders(model_folder):
    return Encoders(ModelSpec(str(model_folder)))


@pytest.fixture
def read(tmp_path):
    """A store of 50 pairs in five shards, the images' folder beside it."""
    source = make.pairs(tmp_path / "source", [{}] * 50)
    reader = open_source(source, options=Options(shard_size=10))
    store = Store(tmp_path / "store")
    for shard in reader.shards():
        read_shard(store, reader, shard)
    return store


def embed(store, encoders, devices=("cpu",), **options):
    return embed_store(
        store,
        store.path.parent / "source",
        encoders,
        devices=devices,
        executor=LocalExecutor(),
        **options,
    )


def written(store, side):
    folder = store.embeddings("tiny")
    return np.concatenate([np.load(f) for f in sorted(folder.path.glob(f"*.{side}.npy"))])


def store_of(folder, rows):
    """A store of one shard whose samples are these."""
    store = Store(folder / "store")
    columns = ("uid", "caption", *location.COLUMNS)
    rows = [dict.fromkeys(columns) | {"uid": make.uid(n)} | row for n, row in enumerate(rows)]
    schema = pa.schema([f for f in base.SAMPLE_FIELDS if f.name in columns])
    store.samples.path.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), store.samples.file(0, "parquet"))
    store.samples.finish(0, Receipt("read", len(rows)))
    return store


def test_two_devices_write_what_one_writes(read, encoders, tmp_path):
    other = Store(shutil.copytree(read.path, tmp_path / "other"))
    counted = []
    one = embed(read, encoders)
    two = embed(other, encoders, ("cpu", "cpu"), advance=counted.append)
    assert [r.fingerprint for r in one] == [r.fingerprint for r in two]
    for shard in range(5):
        for side in SIDES:
            name = read.embeddings("tiny").file(shard, f"{side}.npy")
            same = other.embeddings("tiny").file(shard, f"{side}.npy")
            np.testing.assert_allclose(np.load(name), np.load(same), atol=1e-3)
    assert sum(counted) == 50


def test_the_rows_are_those_of_the_images_and_captions_one_by_one(read, encoders):
    embed(read, encoders)
    tiny = encoders.on("cpu")
    root = read.path.parent / "source"
    for number in (0, 17, 49):
        pixels = image_loader.model_input(root, tiny, ImageRef(f"{number:03d}.jpg"))
        image = tiny.encode_images(torch.from_numpy(pixels.copy())[None]).rows()[0]
        text = tiny.encode_texts([f"pair {number}"]).rows()[0]
        np.testing.assert_allclose(written(read, "image")[number], image, atol=1e-3)
        np.testing.assert_allclose(written(read, "text")[number], text, atol=1e-3)


def test_a_receipt_says_where_the_time_went(read, encoders):
    (receipt, *_) = embed(read, encoders)
    stages = ["read", "decode", "wait for decode", "image encoder", "text encoder", "write"]
    assert list(receipt.seconds) == stages
    assert all(spent >= 0 for spent in receipt.seconds.values())
    assert all(again.seconds == {} for again in embed(read, encoders))


def test_a_sample_without_an_image_has_a_row_without_numbers_and_is_not_skipped(encoders, tmp_path):
    make.jpeg(tmp_path / "source" / "a.jpg")
    rows = [{"caption": "a dog", "image_file": "a.jpg"}, {"caption": "a cat"}, {"caption": ""}]
    store = store_of(tmp_path, rows)
    (receipt,) = embed(store, encoders)
    assert (receipt.rows, receipt.skipped) == (3, 0)
    assert np.isfinite(written(store, "image")).all(axis=1).tolist() == [True, False, False]
    assert np.isfinite(written(store, "text")).all(axis=1).tolist() == [True, True, False]


def test_a_side_that_no_sample_has_is_not_written(encoders, tmp_path):
    texts = store_of(tmp_path / "texts", [{"caption": "a dog"}, {"caption": "a cat"}])
    make.jpeg(tmp_path / "images" / "source" / "a.jpg")
    images = store_of(tmp_path / "images", [{"caption": "", "image_file": "a.jpg"}])
    counted = []
    embed(texts, encoders, advance=counted.append)
    embed(images, encoders, advance=counted.append)
    assert sum(counted) == 3
    assert (sides(texts), sides(images)) == (("text",), ("image",))
    assert targets.load(texts, "tiny").image is None
    assert targets.load(images, "tiny").text is None


def test_a_caption_that_comes_later_is_embedded_in_every_shard(read, encoders):
    # Shards are read one by one, but the rows of a target are taken together.
    for shard in range(5):
        file = read.samples.file(shard, "parquet")
        table = pq.read_table(file)
        captions = pa.array(["late" if shard == 3 else ""] * len(table))
        pq.write_table(table.set_column(1, "caption", captions), file)
    embed(read, encoders)
    assert len(written(read, "text")) == len(written(read, "image")) == 50
    assert np.flatnonzero(np.isfinite(written(read, "text")[:, 0])).tolist() == [*range(30, 40)]


def test_an_embedding_that_is_not_finite_is_skipped_and_listed(read, encoders):
    tiny = encoders.on("cpu")

    class Overflowing:
        def __init__(self):
            self.images = self.texts = 0

        def encode_image(self, pixels):
            rows = tiny._model.encode_image(pixels)
            rows[1], rows[2] = float("inf"), 0
            return rows

        def encode_text(self, tokens):
            rows = tiny._model.encode_text(tokens)
            rows[3] = float("nan")
            return rows

    receipt = embed_shard(
        read, 0, read.path.parent / "source", replace(tiny, _model=Overflowing()), "mark"
    )
    listed = pq.read_table(read.embeddings("tiny").file(0, "skipped.parquet")).to_pylist()
    assert receipt.skipped == 3
    assert [row["uid"] for row in listed] == [make.uid(n) for n in (1, 2, 3)]
    reasons = [row["reason"] for row in listed]
    assert reasons[:2] == ["the embedding of its image is zero or not finite"] * 2
    assert reasons[2] == "the embedding of its caption is zero or not finite"
    assert np.isnan(written(read, "image")[[1, 2]]).all()
    assert np.isnan(written(read, "text")[3]).all()


def test_another_precision_is_embedded_anew(read, encoders, model_folder):
    before = embed(read, encoders)
    half = Encoders(encoders.spec, "bfloat16")
    after = embed(read, half)
    assert half.on("cpu").precision == "bfloat16"
    assert all(r.seconds for r in after)
    assert {r.fingerprint for r in before}.isdisjoint(r.fingerprint for r in after)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
def test_images_are_made_ahead_in_order_into_a_few_buffers(count):
    made = []

    def prepare(ref):
        made.append(ref)
        if int(ref.file) % 10 == 3:
            raise CurationError(f"{ref.file} is damaged")
        return np.full((2, 3, 3), int(ref.file), dtype=np.uint8)

    refs = [ImageRef(str(number)) for number in range(count)]
    seen, buffers, before = [], set(), None
    for batch in image_loader.batches(refs, prepare, (2, 3), size=8, workers=3):
        # Never more than are asked for, what is with the encoder, and what fits into the rest.
        assert len(made) <= batch.start + 8 * (image_loader.BUFFERS - 1)
        assert batch.start == len(seen)
        if before is not None:
            assert before[0].pixels.eq(before[1]).all()
        before = (batch, batch.pixels.clone())
        buffers.add(batch.pixels.data_ptr())
        numbers = batch.pixels[:, 0, 0, 0].tolist()
        seen += [-1 if k in batch.failed else number for k, number in enumerate(numbers)]
    assert seen == [-1 if number % 10 == 3 else number for number in range(count)]
    assert len(buffers) <= image_loader.BUFFERS


def test_what_goes_wrong_in_a_worker_comes_to_the_caller():
    def prepare(ref):
        raise MemoryError("no room")

    with pytest.raises(MemoryError):
        list(image_loader.batches([ImageRef("1")] * 100, prepare, (2, 2), size=8, workers=2))


def test_the_encoder_has_a_batch_before_the_rows_of_the_last_are_waited_for(tiny, tmp_path):
    told = []

    class Slow(Pending):
        def rows(self):
            told.append("read")
            return super().rows()

    class Watched:
        def __getattr__(self, name):
            return getattr(tiny, name)

        def encode_texts(self, captions):
            told.append("send")
            return Slow(torch.zeros(len(captions), tiny.dim))

    from curation.models.batch_encoder import Clock, Encoding

    Encoding(Watched(), 1, Clock()).texts(["a"] * 150)
    assert told == ["send", "send", "read", "send", "read", "read"]


def test_a_model_is_loaded_once_for_each_device(encoders):
    assert encoders.on("cpu") is encoders.on("cpu")
    assert encoders.on("cpu").precision == "float32"
    with pytest.raises(CurationError, match="not available"):
        encoders.on("cuda:99")


def test_sixteen_bits_are_near_thirty_two(tiny, model_folder):
    half = encoder.load(ModelSpec(str(model_folder)), "cpu", "bfloat16")
    pixels = torch.from_numpy(np.stack([tiny.preprocess(make.picture(n)) for n in range(5)]))
    cosine = (tiny.encode_images(pixels).rows() * half.encode_images(pixels).rows()).sum(axis=1)
    assert cosine.min() > 0.999
