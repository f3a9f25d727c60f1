"""Loads an open_clip model; encodes images and captions as embeddings of unit length."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation import resources
from curation.errors import CurationError
from curation.models import devices
from curation.models.open_clip import import_open_clip, quiet
from curation.storage.atomic import fingerprint, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from PIL import Image

# The small model in the repository, with which a first run needs no network.
SHIPPED = resources.MODEL

BPE_FILE = "bpe_vocab.txt.gz"

PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class ModelSpec:
    """Which model to load.

    Attributes:
        name: an open_clip architecture (``ViT-L-14``), a model on the Hugging Face hub
            (``hf-hub:…``), or a folder with ``open_clip_config.json``.
        pretrained: for an architecture: a tag of open_clip (``openai``) or a checkpoint file.
        alias: replaces the slug, for ready-made embeddings that have a name.
    """

    name: str = str(SHIPPED)
    pretrained: str | None = None
    alias: str | None = None

    @property
    def folder(self) -> Path | None:
        """The model's folder, if ``name`` is one."""
        text = self.name.removeprefix("local-dir:")
        is_local = self.name.startswith("local-dir:") or (Path(text) / CONFIG_FILE).is_file()
        return Path(text) if is_local else None

    @property
    def slug(self) -> str:
        """The model's name in paths and columns: ``clip_lite0``, ``vit_l_14_openai``."""
        if self.alias is not None:
            return self.alias
        stem = self.folder.resolve().name if self.folder else self.name.split(":")[-1]
        tag = "" if self.pretrained is None else f"_{Path(self.pretrained).stem}"
        return re.sub(r"[^a-z0-9]+", "_", f"{stem}{tag}".lower()).strip("_") or "model"

    def fingerprint(self) -> str:
        """A hash that changes with the model, and with its weights if they are local files."""
        files = sorted(self.folder.glob("*")) if self.folder else []
        if self.pretrained is not None and Path(self.pretrained).is_file():
            files = [Path(self.pretrained)]
        weights = self.slug if self.alias is None else (self.name, self.pretrained)
        return fingerprint(weights, [sha256_of(f) for f in files if f.is_file()])


CONFIG_FILE = "open_clip_config.json"


@dataclass(frozen=True)
class Pending:
    """Embeddings that a GPU may still be computing."""

    _rows: torch.Tensor
    _ready: torch.cuda.Event | None = None

    def rows(self) -> NDArray[np.float32]:
        """Wait for the embeddings: unit rows, shape (N, dim), float32."""
        if self._ready is not None:
            self._ready.synchronize()
        result: NDArray[np.float32] = self._rows.numpy()
        return result


@dataclass(frozen=True)
class Encoder:
    """A loaded model.

    Attributes:
        spec: which model it is.
        device: where it is loaded.
        precision: of its products: ``float32``, ``bfloat16`` or ``float16``.
        dim: the length of an embedding.
        temperature: τ = 1 / exp(logit_scale), learned in the model's training.
        input_shape: height and width in pixels of the model's input.
        preprocess: resizes an RGB image to the model's input, uint8 (H, W, 3).
        fits_longer_side: whether the input is the whole image with bars, not its center.
    """

    spec: ModelSpec
    device: torch.device
    precision: str
    dim: int
    temperature: float
    input_shape: tuple[int, int]
    preprocess: Callable[[Image.Image], NDArray[np.uint8]]
    fits_longer_side: bool
    _mean: torch.Tensor
    _std: torch.Tensor
    _model: Any
    _tokenizer: Any

    @property
    def input_side(self) -> int:
        """The longer side of the model's input, in pixels."""
        return max(self.input_shape)

    def encode_images(self, pixels: torch.Tensor) -> Pending:
        """Encode images; on a GPU this returns before they are encoded.

        Args:
            pixels: preprocessed images, shape (N, H, W, 3), uint8. If they are pinned, a GPU copies
                them asynchronously: do not overwrite them before ``rows()`` returned.
        """
        on_device = pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        # Equal to torchvision's ToTensor and Normalize to the last bit, but computed on the device.
        scaled = on_device.float().div_(255).sub_(self._mean).div_(self._std)
        return self._unit_rows(self._model.encode_image, scaled)

    def encode_texts(self, captions: Sequence[str]) -> Pending:
        """Encode captions; tokens beyond the model's context length are dropped."""
        tokens = self._tokenizer(list(captions)).to(self.device)
        return self._unit_rows(self._model.encode_text, tokens)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Use around many batches: 16-bit weights are then converted once, not per batch."""
        with self._autocast():
            yield

    def _unit_rows(
        self, encode: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor
    ) -> Pending:
        import torch

        with torch.inference_mode(), self._autocast():
            rows = torch.nn.functional.normalize(encode(batch).float(), dim=-1)
        if self.device.type != "cuda":
            return Pending(rows.cpu())
        # The copy is queued after the products, so that the next batch can be queued meanwhile.
        host = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True)
        host.copy_(rows, non_blocking=True)
        # torch does not annotate this constructor.
        ready: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        ready.record(torch.cuda.current_stream(self.device))
        return Pending(host, ready)

    def _autocast(self) -> torch.autocast:
        import torch

        kind = getattr(torch, self.precision)
        return torch.autocast(self.device.type, kind, enabled=self.precision != "float32")


class Encoders:
    """One model on several devices, loaded on a device on first use."""

    def __init__(self, spec: ModelSpec, precision: str = "auto") -> None:
        self.spec = spec
        self.precision = precision
        self._loaded: dict[str, Encoder] = {}
        self._lock = Lock()

    def on(self, device: str) -> Encoder:
        """The model on this device.

        Raises:
            CurationError: it cannot be loaded, as for ``load``.
        """
        with self._lock:
            if device not in self._loaded:
                self._loaded[device] = load(self.spec, device, self.precision)
            return self._loaded[device]

    def mark(self) -> str:
        """A hash that changes with the embeddings that the model computes.

        It contains the requested precision, so embeddings that a GPU computed with ``auto`` remain
        valid on a machine without one.
        """
        return fingerprint(self.spec.fingerprint(), self.precision)


def load(spec: ModelSpec, device: str = "auto", precision: str = "auto") -> Encoder:
    """Load a model onto a device.

    Args:
        spec: which model.
        device: as for ``devices.pick``.
        precision: one of PRECISIONS; ``auto`` is float16 on CUDA and float32 elsewhere.

    Raises:
        CurationError: the model is unknown, its weights cannot be read or downloaded, or the device
            is not available.
    """
    open_clip = import_open_clip()
    target = devices.pick(device)
    folder = spec.folder
    name = f"local-dir:{folder}" if folder else spec.name
    _check_known(open_clip, spec)
    try:
        with quiet():
            model, _, preprocess = open_clip.create_model_and_transforms(
                name, pretrained=spec.pretrained, device=target
            )
            bpe = (
                {}
                if folder is None or not (folder / BPE_FILE).is_file()
                else {"bpe_path": str(folder / BPE_FILE)}
            )
            tokenizer = open_clip.get_tokenizer(name, **bpe)
    except Exception as error:  # open_clip raises many types; each means that loading failed
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise CurationError(
            f"the model {_describe(spec)} cannot be loaded: {first_line[:160]}. "
            "If this machine has no network, pass a checkpoint file with --pretrained, "
            "or a folder with open_clip_config.json as --model"
        ) from error
    import torch

    if precision == "auto":
        precision = "float16" if target.type == "cuda" else "float32"
    model = model.eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        dim = int(model.encode_text(tokenizer(["a"]).to(target)).shape[-1])
    # The last two of open_clip's transforms are done per batch, in encode_images.
    *resizing, _to_tensor, normalize = preprocess.transforms
    mean, std = (
        torch.tensor(values, device=target).view(3, 1, 1)
        for values in (normalize.mean, normalize.std)
    )
    size = model.visual.image_size
    height, width = size if isinstance(size, tuple | list) else (size, size)
    return Encoder(
        spec=spec,
        device=target,
        precision=precision,
        dim=dim,
        temperature=math.exp(-float(model.logit_scale.detach())),
        input_shape=(int(height), int(width)),
        preprocess=partial(_resize, resizing),
        fits_longer_side=model.visual.preprocess_cfg.get("resize_mode") == "longest",
        _mean=mean,
        _std=std,
        _model=model,
        _tokenizer=tokenizer,
    )


def _resize(
    steps: Sequence[Callable[[Image.Image], Image.Image]], image: Image.Image
) -> NDArray[np.uint8]:
    for step in steps:
        image = step(image)
    return np.asarray(image)


def _describe(spec: ModelSpec) -> str:
    return spec.name if spec.pretrained is None else f"{spec.name} / {spec.pretrained}"


def _check_known(open_clip: Any, spec: ModelSpec) -> None:
    if spec.folder is not None or ":" in spec.name:
        return
    if spec.name not in open_clip.list_models():
        close = difflib.get_close_matches(spec.name, open_clip.list_models(), 5)
        hint = f"; similar: {', '.join(close)}" if close else ""
        raise CurationError(f"open_clip has no architecture {spec.name!r}{hint}")
    if spec.pretrained is None:
        tags = open_clip.list_pretrained_tags_by_model(spec.name)
        raise CurationError(
            f"{spec.name} needs --pretrained: a checkpoint file, or one of {', '.join(tags)}"
        )
