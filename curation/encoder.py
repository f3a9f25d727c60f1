"""An open_clip model as two functions: images to unit rows, captions to unit rows."""

from __future__ import annotations

import difflib
import logging
import math
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation import devices
from curation.errors import CurationError
from curation.files import fingerprint, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from PIL import Image

# The small model that ships with the project, so that the first run needs no network.
SHIPPED = Path(__file__).resolve().parent.parent / "data" / "models" / "clip-lite0"

BPE_FILE = "bpe_vocab.txt.gz"


@dataclass(frozen=True)
class ModelSpec:
    """Which model: an open_clip architecture and a tag or checkpoint, or a local folder."""

    name: str = str(SHIPPED)
    pretrained: str | None = None

    @property
    def folder(self) -> Path | None:
        """The folder with ``open_clip_config.json``, if the model is one."""
        text = self.name.removeprefix("local-dir:")
        is_local = self.name.startswith("local-dir:") or (Path(text) / CONFIG_FILE).is_file()
        return Path(text) if is_local else None

    @property
    def slug(self) -> str:
        """A name for folders: ``clip_lite0``, ``vit_l_14_openai``."""
        stem = self.folder.resolve().name if self.folder else self.name.split(":")[-1]
        tag = "" if self.pretrained is None else f"_{Path(self.pretrained).stem}"
        return re.sub(r"[^a-z0-9]+", "_", f"{stem}{tag}".lower()).strip("_") or "model"

    def fingerprint(self) -> str:
        """Changes when the weights do, as far as they lie on this machine."""
        files = sorted(self.folder.glob("*")) if self.folder else []
        if self.pretrained is not None and Path(self.pretrained).is_file():
            files = [Path(self.pretrained)]
        return fingerprint(self.slug, [sha256_of(f) for f in files if f.is_file()])


CONFIG_FILE = "open_clip_config.json"


@dataclass(frozen=True)
class Encoder:
    """A loaded model.

    Attributes:
        dim: the length of an embedding.
        temperature: τ = 1 / exp(logit_scale), the temperature the model was trained to.
        input_side: the side in pixels to which images are resized.
        preprocess: an RGB image to a float32 tensor of shape (3, H, W).
    """

    spec: ModelSpec
    device: torch.device
    dim: int
    temperature: float
    input_side: int
    preprocess: Callable[[Image.Image], torch.Tensor]
    _model: Any
    _tokenizer: Any

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Preprocessed images (N, 3, H, W) to unit rows (N, dim), float32."""
        import torch

        pixels = pixels.to(self.device, non_blocking=True, memory_format=torch.channels_last)
        return self._unit_rows(self._model.encode_image, pixels)

    def encode_texts(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Captions to unit rows (N, dim), float32; text past the context length is cut."""
        tokens = self._tokenizer(list(captions)).to(self.device)
        return self._unit_rows(self._model.encode_text, tokens)

    def _unit_rows(
        self, encode: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor
    ) -> NDArray[np.float32]:
        import torch

        # 16-bit products on a GPU; on a CPU float32, which every CPU has fast.
        half = self.device.type == "cuda"
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=half):
            rows = torch.nn.functional.normalize(encode(batch).float(), dim=-1)
        result: NDArray[np.float32] = rows.cpu().numpy()
        return result


def load(spec: ModelSpec, device: str = "auto") -> Encoder:
    """Load a model onto a device.

    Raises:
        CurationError: there is no such model, or its weights cannot be had.
    """
    open_clip = _import_open_clip()
    target = devices.pick(device)
    folder = spec.folder
    name = f"local-dir:{folder}" if folder else spec.name
    _check_known(open_clip, spec)
    try:
        with _quiet():
            model, _, preprocess = open_clip.create_model_and_transforms(
                name, pretrained=spec.pretrained, device=target
            )
            bpe = {} if folder is None or not (folder / BPE_FILE).is_file() else {
                "bpe_path": str(folder / BPE_FILE)
            }  # fmt: skip
            tokenizer = open_clip.get_tokenizer(name, **bpe)
    except Exception as error:  # open_clip raises many kinds; all mean: no such model here
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise CurationError(
            f"the model {_describe(spec)} cannot be loaded: {first_line[:160]}. "
            "If this machine has no network, pass a checkpoint file with --pretrained, "
            "or a folder with open_clip_config.json as --model"
        ) from error
    import torch

    model = model.eval().to(memory_format=torch.channels_last)
    size = model.visual.image_size
    with torch.inference_mode():
        dim = int(model.encode_text(tokenizer(["a"]).to(target)).shape[-1])
    return Encoder(
        spec=spec,
        device=target,
        dim=dim,
        temperature=math.exp(-float(model.logit_scale.detach())),
        input_side=max(size) if isinstance(size, tuple | list) else int(size),
        preprocess=preprocess,
        _model=model,
        _tokenizer=tokenizer,
    )


def _describe(spec: ModelSpec) -> str:
    return spec.name if spec.pretrained is None else f"{spec.name} / {spec.pretrained}"


def _check_known(open_clip: Any, spec: ModelSpec) -> None:
    if spec.folder is not None or ":" in spec.name:
        return
    if spec.name not in open_clip.list_models():
        close = difflib.get_close_matches(spec.name, open_clip.list_models(), 5)
        hint = f"; near it: {', '.join(close)}" if close else ""
        raise CurationError(f"open_clip has no architecture {spec.name!r}{hint}")
    if spec.pretrained is None:
        tags = open_clip.list_pretrained_tags_by_model(spec.name)
        raise CurationError(
            f"{spec.name} needs --pretrained: a checkpoint file, or one of {', '.join(tags)}"
        )


def _import_open_clip() -> Any:
    """open_clip, also where a CPU build of torch stands beside a CUDA build of torchvision.

    That torchvision fails at import because its compiled operators are missing; open_clip
    needs only its transforms, which are plain Python, so naming the operators is enough.
    """
    import torch

    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        open_library: Any = torch.library.Library
        library = open_library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept_alive.append(library)
    import open_clip

    return open_clip


# A torch.library.Library takes its operators away when it is collected.
_kept_alive: list[Any] = []


@contextmanager
def _quiet() -> Iterator[None]:
    """open_clip logs each step and each error; ours is the one line a person needs."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(previous)
