"""Sample identifiers: 32 hex digits, as DataComp uses them, and their 128-bit form.

Millions of uids are an array of shape (N, 2), uint64: the first and the last 16 hex digits.
Sorting, hashing and comparing such an array takes milliseconds; Python strings take seconds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_UID = re.compile(r"[0-9a-f]{32}\Z")
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
# The two hex digits of each byte as one uint16, so that one look-up converts a byte.
_TWO_DIGITS = np.stack([np.repeat(_HEX, 16), np.tile(_HEX, 16)], axis=1).view(np.uint16).ravel()
_NIBBLE = np.full(256, 255, dtype=np.uint8)
_NIBBLE[_HEX] = np.arange(16)
_NIBBLE[np.frombuffer(b"ABCDEF", dtype=np.uint8)] = np.arange(10, 16)


def is_uid(text: str) -> bool:
    """Whether ``text`` is 32 lower-case hex digits."""
    return _UID.match(text) is not None


def from_key(key: str) -> str:
    """A uid for a sample without one: the 128-bit BLAKE2b hash of its key in the source."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def to_words(uids: pa.Array | pa.ChunkedArray | Sequence[str]) -> Words:
    """Uids as an array of shape (N, 2), uint64. Upper-case digits are accepted.

    Raises:
        ValueError: an entry is not 32 hex digits; the message names the first such entry.
    """
    if isinstance(uids, pa.ChunkedArray):
        starts = accumulate(map(len, uids.chunks), initial=0)
        chunks = [_to_words(chunk, start) for chunk, start in zip(uids.chunks, starts)]  # noqa: B905
        return np.concatenate(chunks) if chunks else np.empty((0, 2), dtype=np.uint64)
    return _to_words(uids if isinstance(uids, pa.Array) else pa.array(uids, type=pa.string()), 0)


def _to_words(uids: pa.Array, start: int) -> Words:
    """As ``to_words``; error messages number the entries from ``start``."""
    if len(uids) == 0:
        return np.empty((0, 2), dtype=np.uint64)
    text = uids.cast(pa.large_string())
    offsets = np.frombuffer(text.buffers()[1], dtype=np.int64)[text.offset :][: len(text) + 1]
    if uids.null_count or (np.diff(offsets) != 32).any():
        row = next(n for n, u in enumerate(uids.to_pylist()) if u is None or len(u.encode()) != 32)
        raise _not_a_uid(uids, row, start)
    data = np.frombuffer(text.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    nibbles = _NIBBLE[data].reshape(-1, 32)
    if (nibbles == 255).any():
        row = int(np.flatnonzero((nibbles == 255).any(axis=1))[0])
        raise _not_a_uid(uids, row, start)
    packed = (nibbles[:, 0::2] << 4) | nibbles[:, 1::2]
    return np.ascontiguousarray(packed).view(">u8").astype(np.uint64)


def _not_a_uid(uids: pa.Array, row: int, start: int) -> ValueError:
    return ValueError(f"row {start + row}: {uids[row].as_py()!r} is not a uid (32 hex digits)")


def to_hex(words: Words) -> pa.Array:
    """The uids of an (N, 2) uint64 array as an Arrow string array, lower case."""
    text = _hex(words)
    offsets = np.arange(0, 32 * len(words) + 1, 32, dtype=np.int64)
    large = pa.LargeStringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(text))
    return large.cast(pa.string()) if text.nbytes < 2**31 else large


def _hex(words: Words, width: int = 32) -> NDArray[np.uint8]:
    """The digits of each uid, (N, width) ASCII; columns beyond 32 are not initialized."""
    data = words.astype(">u8").view(np.uint8).reshape(-1, 16)
    digits = np.take(_TWO_DIGITS, data).view(np.uint8)
    if width == 32:
        return digits
    text = np.empty((len(data), width), dtype=np.uint8)
    text[:, :32] = digits
    return text


def order(words: Words) -> NDArray[np.int64]:
    """The permutation (N,) that sorts uids in the order of their hex text."""
    first = np.argsort(words[:, 0])
    high = words[first, 0]
    # Random uids rarely share a first half, and sorting by both halves takes three times as long.
    if (high[1:] != high[:-1]).all():
        return first
    return np.lexsort((words[:, 1], words[:, 0]))


def first_occurrences(words: Words) -> NDArray[np.int64]:
    """The position of the first occurrence of each distinct uid, in the order of the uids."""
    return first_and_counts(words)[0]


def first_and_counts(words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As ``first_occurrences``, and how many times each distinct uid occurs."""
    ranked = order(words)
    new = np.ones(len(words), dtype=bool)
    new[1:] = (words[ranked][1:] != words[ranked][:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    return ranked[new], np.diff(starts, append=len(words))


def find(words: Words, ranked: Words) -> NDArray[np.int64]:
    """The position of each of ``words`` (N, 2) in ``ranked`` (M, 2); −1 if it is not there.

    A binary search by the first half, then steps over uids that share it.

    Args:
        ranked: sorted and distinct.
    """
    if not len(ranked):
        return np.full(len(words), -1, dtype=np.int64)
    position = np.searchsorted(ranked[:, 0], words[:, 0])
    last = len(ranked) - 1
    while True:
        candidate = ranked[np.minimum(position, last)]
        behind = (
            (position < last) & (candidate[:, 0] == words[:, 0]) & (candidate[:, 1] < words[:, 1])
        )
        if not behind.any():
            break
        position += behind
    candidate = ranked[np.minimum(position, last)]
    return np.where((candidate == words).all(axis=1), np.minimum(position, last), -1)


def digest(words: Words) -> str:
    """The SHA-256 of the sorted uids, one a line: ``LC_ALL=C sort uids.txt | sha256sum``."""
    total = hashlib.sha256()
    ranked = words if is_sorted(words) else words[order(words)]
    for start in range(0, len(ranked), 1 << 18):
        lines = _hex(ranked[start : start + (1 << 18)], width=33)
        lines[:, 32] = ord("\n")
        total.update(lines.data)
    return total.hexdigest()


def is_sorted(words: Words) -> bool:
    """Whether the uids are in ascending order; repeats are allowed."""
    high, low = words[:, 0], words[:, 1]
    rises = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] >= low[:-1]))
    return bool(rises.all())


def draw_keys(words: Words, seed: int, draw: int) -> NDArray[np.uint64]:
    """A pseudo-random number for each uid, (N,) uint64, that depends on the seed and the draw.

    The samples with the smallest numbers are a random draw that depends neither on the order of
    the samples nor on how they are sharded. The hash is SplitMix64's finalizer.
    """
    salt = np.uint64(int(from_key(f"draw {draw} of seed {seed}")[:16], 16))
    mixed = words[:, 0] ^ _mix(words[:, 1] ^ salt)
    return _mix(mixed)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
