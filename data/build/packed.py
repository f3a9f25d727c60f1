"""A faster text tower for training: the same numbers in a third of the time.

Linear layers skip padding. The last block is computed for the end-of-text token only, because the
output uses no other; the other tokens only get their keys and values.
"""

import torch
from open_clip.transformer import ResidualAttentionBlock, TextTransformer
from torch import Tensor
from torch.nn import functional as F


def encode(tower: TextTransformer, tokens: Tensor) -> Tensor:
    """The same as ``tower(tokens)``, shape (len(tokens), width)."""
    lengths = tokens.argmax(dim=1) + 1
    longest = int(lengths.max())
    position = torch.arange(longest)
    is_real = position < lengths[:, None]
    ends = lengths.cumsum(dim=0) - 1
    # The index of each token of the padded batch among the real ones. Padding comes after the end
    # of text, where no real token attends to it, so its index does not matter.
    spread = (ends - lengths + 1)[:, None] + torch.minimum(position, lengths[:, None] - 1)
    gather = (torch.arange(len(tokens))[:, None] * longest + position)[is_real]

    x = tower.token_embedding(tokens[:, :longest][is_real])
    x = x + F.embedding(position.expand_as(is_real)[is_real], tower.positional_embedding)
    causal = tower.attn_mask[:longest, :longest]
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        query, key, value = _project(block, block.ln_1(x), 0).chunk(3, dim=1)
        seen = _attend(block, *(F.embedding(spread, part) for part in (query, key, value)), causal)
        x = _finish(block, x, F.embedding(gather, seen.flatten(0, 1)))
    normed = last.ln_1(x)
    x, width = F.embedding(ends, x), x.shape[1]
    key, value = _project(last, normed, width).chunk(2, dim=1)
    query = _project(last, F.embedding(ends, normed), 0, width)
    masked = torch.zeros(is_real.shape).masked_fill(~is_real, float("-inf"))
    seen = _attend(
        last,
        query[:, None],
        *(F.embedding(spread, part) for part in (key, value)),
        masked[:, None, None],
    )
    return tower.ln_final(_finish(last, x, seen[:, 0])) @ tower.text_projection


def _project(
    block: ResidualAttentionBlock, x: Tensor, start: int, stop: int | None = None
) -> Tensor:
    """Query, key and value of each row, or columns ``start`` to ``stop`` of them."""
    attention = block.attn
    return F.linear(x, attention.in_proj_weight[start:stop], attention.in_proj_bias[start:stop])


def _attend(
    block: ResidualAttentionBlock,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
) -> Tensor:
    """Attention over (batch, positions, width); ``mask`` is added to the scores."""
    heads = block.attn.num_heads
    query, key, value = (
        part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (query, key, value)
    )
    scores = query.float() @ key.float().transpose(2, 3) / query.shape[3] ** 0.5
    seen = (scores + mask).softmax(dim=3) @ value.float()
    return seen.transpose(1, 2).flatten(2)


def _finish(block: ResidualAttentionBlock, x: Tensor, seen: Tensor) -> Tensor:
    """The part of a block after its attention."""
    x = x + block.attn.out_proj(seen)
    result: Tensor = x + block.mlp(block.ln_2(x))
    return result
