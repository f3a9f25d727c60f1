import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from curation import encoder
from curation.encoder import ModelSpec
from curation.errors import CurationError
from tests import make


def pixels(tiny, *seeds):
    return torch.stack([tiny.preprocess(make.picture(seed)) for seed in seeds])


def test_images_become_unit_rows(tiny):
    rows = tiny.encode_images(pixels(tiny, 0, 1, 2))
    assert (rows.shape, rows.dtype) == ((3, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_captions_become_unit_rows(tiny):
    rows = tiny.encode_texts(["a dog", "", "word " * 500, "über 😀"])
    assert (rows.shape, rows.dtype) == ((4, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_row_does_not_depend_on_its_batch(tiny):
    together = tiny.encode_images(pixels(tiny, 0, 1, 2))
    np.testing.assert_allclose(tiny.encode_images(pixels(tiny, 1))[0], together[1], atol=1e-5)


def test_different_pictures_and_captions_embed_differently(tiny):
    images = tiny.encode_images(pixels(tiny, 0, 1))
    texts = tiny.encode_texts(["a dog", "a cat"])
    assert np.abs(images[0] - images[1]).max() > 1e-3
    assert np.abs(texts[0] - texts[1]).max() > 1e-3


def test_the_temperature_is_the_models_own(tiny):
    # A fresh CLIP has logit_scale log(1/0.07).
    assert tiny.temperature == pytest.approx(0.07)
    assert (tiny.dim, tiny.input_side) == (64, 64)


@pytest.mark.parametrize(
    ("name", "pretrained", "slug"),
    [
        ("ViT-B-32", "openai", "vit_b_32_openai"),
        ("ViT-L-14", "/data/weights/my run.v2.pt", "vit_l_14_my_run_v2"),
        ("hf-hub:someone/My-CLIP", None, "someone_my_clip"),
        ("模型", None, "model"),
    ],
)
def test_a_model_has_a_name_for_folders(name, pretrained, slug):
    assert ModelSpec(name, pretrained).slug == slug


def test_a_folder_is_a_model_under_its_own_name(model_folder, monkeypatch):
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


def test_an_unknown_architecture_is_named_with_those_near_it():
    with pytest.raises(CurationError, match=r"no architecture 'ViT-B-33'; near it: .*ViT-B-32"):
        encoder.load(ModelSpec("ViT-B-33", "openai"))


def test_an_architecture_needs_weights():
    with pytest.raises(CurationError, match=r"ViT-B-32 needs --pretrained: .*openai"):
        encoder.load(ModelSpec("ViT-B-32"))


def test_a_damaged_model_folder_is_one_clear_message(model_folder, tmp_path):
    copy = shutil.copytree(model_folder, tmp_path / "tiny")
    (copy / "open_clip_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CurationError, match="tiny cannot be loaded") as raised:
        encoder.load(ModelSpec(str(copy)), "cpu")
    assert "\n" not in str(raised.value)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(CurationError, match="device 'tpu' is not available here"):
        encoder.load(ModelSpec("ViT-B-32", "openai"), "tpu")


def test_loading_says_nothing_of_its_own(model_folder):
    code = (
        "from curation.encoder import ModelSpec, load\n"
        f"print(load(ModelSpec({str(model_folder)!r}), 'cpu').dim)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("64\n", "")
