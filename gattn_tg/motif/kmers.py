"""k-mers: words of k bases as integers."""

from __future__ import annotations

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.seq.alphabet import N
from gattn_tg.types import Int, UInt8

MAX_K = 31
"""4**31 is the largest power of four whose codes fit a signed 64-bit integer with room for -1."""


def kmer_codes(ids: UInt8[np.ndarray, "... n"], k: int) -> Int[np.ndarray, "... n-k+1"]:
    """Return the code of the word that begins at each base, -1 where it would contain an N.

    The code of `b_0 .. b_{k-1}` is `sum_i b_i 4**(k-1-i)`, so codes sort as the words do.

    Raises:
        ConfigError: k is not in 1..31.

    Example:
        >>> kmer_codes(np.array([0, 1, 2, 4, 3], dtype=np.uint8), 2).tolist()
        [1, 6, -1, -1]
    """
    if not 1 <= k <= MAX_K:
        raise ConfigError(f"k-mers: expected k in 1..{MAX_K}, got {k}; choose a shorter word")
    ids = np.asarray(ids)
    n_words = max(ids.shape[-1] - k + 1, 0)
    codes = np.zeros((*ids.shape[:-1], n_words), dtype=np.int64)
    known = np.ones(codes.shape, dtype=bool)
    for at in range(k):
        letter = ids[..., at : at + n_words]
        codes = codes * 4 + np.minimum(letter, 3)
        known &= letter != N
    codes[~known] = -1
    return codes
