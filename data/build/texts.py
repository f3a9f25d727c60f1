"""Text for the text tower: vocabulary, initial token embeddings, and captions for training."""

import gzip
import random
import re
from collections.abc import Sequence
from pathlib import Path

import model
import open_clip.tokenizer
import torch
from minilm import MiniLM
from open_clip.tokenizer import SimpleTokenizer
from pairs import Pair
from torch import Tensor

PREFIXES = ("a picture of", "a photo of", "an icon of", "a drawing of")
BYTES_AND_SPECIALS = 2 * 256 + 2
EMBEDDING_DEVIATION = 0.04
JUNK = re.compile(r"hash(\(.*\))?|0x.*|unsorted|signs?_and_symbols")


def write_vocabulary(work: Path) -> Path:
    """Write the first merges of CLIP's byte-pair encoding, as many as the vocabulary can hold."""
    file = work / model.VOCABULARY
    lines = gzip.decompress(Path(open_clip.tokenizer.default_bpe()).read_bytes()).decode()
    kept = lines.split("\n")[: 1 + model.VOCABULARY_SIZE - BYTES_AND_SPECIALS]
    file.write_bytes(gzip.compress("\n".join(kept).encode(), mtime=0))
    return file


def tokenizer(vocabulary: Path) -> SimpleTokenizer:
    """open_clip's tokenizer with the vocabulary in this file."""
    return SimpleTokenizer(bpe_path=str(vocabulary), context_length=model.CONTEXT_LENGTH)


def first_embeddings(words: SimpleTokenizer, teacher: MiniLM) -> Tensor:
    """Principal components of the teacher's embedding of each token, (vocabulary, width)."""
    tokens = [words.decode([number]).strip() for number in range(words.vocab_size)]
    rows = teacher.encode(tokens)
    rows = rows - rows.mean(dim=0)
    _, _, directions = torch.linalg.svd(rows, full_matrices=False)
    components = rows @ directions[: model.WIDTH].T
    return components * (EMBEDDING_DEVIATION / components.std())


def variants(pair: Pair, count: int, chance: random.Random) -> list[str]:
    """Captions of one pair as different authors of alt texts may write them."""
    return [_variant(pair, chance) for _ in range(count)]


def _variant(pair: Pair, chance: random.Random) -> str:
    words = [word.replace("_", " ") for word in pair.keywords if not JUNK.fullmatch(word)]
    title = pair.title.replace("_", " ")
    some = chance.sample(words, min(len(words), chance.randint(1, 6)))
    form = chance.random()
    if form < 0.45 or not words:
        text = title or ", ".join(some)
    elif form < 0.65:
        text = ", ".join(filter(None, [title, *some]))
    elif form < 0.80:
        text = ", ".join(filter(None, [title, *pair.keywords]))
    else:
        text = ", ".join(some)
    return with_prefix(text, chance)


def with_prefix(text: str, chance: random.Random) -> str:
    """The text, in half of the cases after words such as "a picture of"."""
    return f"{chance.choice(PREFIXES)} {text}" if chance.random() < 0.5 else text


def tokenize(words: SimpleTokenizer, captions: Sequence[str]) -> Tensor:
    """Token ids, shape (len(captions), context length)."""
    return words(list(captions))
