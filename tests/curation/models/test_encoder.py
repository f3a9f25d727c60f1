import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from curation.errors import CurationError
from curation.images import decode
from curation.models import encoder
from curation.models.encoder import ModelSpec
from tests import make


def pixels(tiny, *seeds):
    return torch.from_numpy(np.stack([tiny.preprocess(make.picture(s)) for s in seeds]))


def test_images_become_unit_rows(tiny):
    rows = tiny.encode_images(pixels(tiny, 0, 1, 2)).rows()
    assert (rows.shape, rows.dtype) == ((3, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_captions_become_unit_rows(tiny):
    rows = tiny.encode_texts(["a dog", "", "word " * 500, "über 😀"]).rows()
    assert (rows.shape, rows.dtype) == ((4, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_row_does_not_depend_on_its_batch(tiny):
    together = tiny.encode_images(pixels(tiny, 0, 1, 2)).rows()
    np.testing.assert_allclose(
        tiny.encode_images(pixels(tiny, 1)).rows()[0], together[1], atol=1e-5
    )


def test_different_images_and_captions_have_different_embeddings(tiny):
    images = tiny.encode_images(pixels(tiny, 0, 1)).rows()
    texts = tiny.encode_texts(["a dog", "a cat"]).rows()
    assert np.abs(images[0] - images[1]).max() > 1e-3
    assert np.abs(texts[0] - texts[1]).max() > 1e-3


def test_the_temperature_is_the_models_own(tiny):
    # A fresh CLIP has logit_scale log(1/0.07).
    assert tiny.temperature == pytest.approx(0.07)
    assert (tiny.dim, tiny.input_shape) == (64, (64, 64))


@pytest.mark.parametrize(
    ("name", "pretrained", "slug"),
    [
        ("ViT-B-32", "openai", "vit_b_32_openai"),
        ("ViT-L-14", "/data/weights/my run.v2.pt", "vit_l_14_my_run_v2"),
        ("hf-hub:someone/My-CLIP", None, "someone_my_clip"),
        ("模型", None, "model"),
    ],
)
def test_a_model_has_a_slug_for_paths(name, pretrained, slug):
    assert ModelSpec(name, pretrained).slug == slug


def test_a_folder_of_a_model_gives_the_slug(model_folder, monkeypatch):
    assert ModelSpec(str(model_folder)).slug == "tiny"
    assert ModelSpec(f"local-dir:{model_folder}").slug == "tiny"
    monkeypatch.chdir(model_folder)
    assert ModelSpec(".").slug == "tiny"


def test_the_fingerprint_changes_with_the_weights(model_folder, tmp_path):
    copy = shutil.copytree(model_folder, tmp_path / "tiny")
    before = ModelSpec(str(copy)).fingerprint()
    assert before == ModelSpec(str(model_folder)).fingerprint()
    weights = copy / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert ModelSpec(str(copy)).fingerprint() != before


def test_an_unknown_architecture_is_an_error_that_lists_similar_ones():
    with pytest.raises(CurationError, match=r"no architecture 'ViT-B-33'; similar: .*ViT-B-32"):
        encoder.load(ModelSpec("ViT-B-33", "openai"))


def test_an_architecture_without_weights_is_an_error():
    with pytest.raises(CurationError, match=r"ViT-B-32 needs --pretrained: .*openai"):
        encoder.load(ModelSpec("ViT-B-32"))


def test_a_damaged_model_folder_is_a_one_line_error(model_folder, tmp_path):
    copy = shutil.copytree(model_folder, tmp_path / "tiny")
    (copy / "open_clip_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CurationError, match="tiny cannot be loaded") as raised:
        encoder.load(ModelSpec(str(copy)), "cpu")
    assert "\n" not in str(raised.value)


def test_a_missing_device_is_an_error():
    with pytest.raises(CurationError, match="device 'tpu' is not available here"):
        encoder.load(ModelSpec("ViT-B-32", "openai"), "tpu")


def test_loading_prints_nothing(model_folder):
    code = (
        "from curation.models.encoder import ModelSpec, load\n"
        f"print(load(ModelSpec({str(model_folder)!r}), 'cpu').dim)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("64\n", "")


def scene(size):
    """An image with edges, noise and shades, like a photograph."""
    noise = np.random.default_rng(0).normal(0, 12, (size[1], size[0], 1))
    grain = np.asarray(make.picture(3, size).resize(size), dtype=float) + noise
    picture = Image.fromarray(grain.clip(0, 255).astype(np.uint8))
    for line in range(0, size[0], 37):
        picture.paste((250, 250, 240), (line, 0, line + 3, size[1]))
    return picture


@pytest.mark.parametrize("size", [(640, 512), (512, 640), (2000, 1500), (1500, 300)])
@pytest.mark.parametrize("fits_longer_side", [False, True])
def test_reduced_decoding_changes_less_than_another_filter_would(tiny, size, fits_longer_side):
    side = tiny.input_side

    def shrunk(picture, filter):
        scale = side / (max if fits_longer_side else min)(size)
        return np.asarray(picture.resize([round(s * scale) for s in size], filter), dtype=float)

    data = make.encoded(scene(size), quality=90)
    whole, reduced = decode.rgb(data), decode.rgb(data, 2 * side, longer_side=fits_longer_side)
    assert reduced.width < whole.width
    bicubic = shrunk(whole, Image.Resampling.BICUBIC)
    changed = np.abs(shrunk(reduced, Image.Resampling.BICUBIC) - bicubic)
    other = np.abs(shrunk(whole, Image.Resampling.BOX) - bicubic)
    assert changed.mean() < other.mean()
    assert changed.max() <= other.max()


def test_pixels_are_normalized_as_in_open_clip(tiny, model_folder):
    _, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{model_folder}")
    batches = []

    class RecordingModel:
        def encode_image(self, batch):
            batches.append(batch)
            return tiny._model.encode_image(batch)

    replace(tiny, _model=RecordingModel()).encode_images(pixels(tiny, 4))
    assert torch.equal(batches[0][0], preprocess(make.picture(4)))


def test_a_session_does_not_change_16_bit_embeddings(model_folder):
    half = encoder.load(ModelSpec(str(model_folder)), "cpu", "float16")
    alone = half.encode_texts(["a dog"]).rows()
    with half.session():
        assert torch.equal(*(torch.from_numpy(half.encode_texts(["a dog"]).rows()) for _ in "ab"))
        np.testing.assert_array_equal(half.encode_texts(["a dog"]).rows(), alone)
