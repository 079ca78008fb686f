"""Masks for language models that fill in: which tokens are hidden, and what stands in their place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gattn_tg.data.sampler import hashed, mixed
from gattn_tg.motif.kmers import kmer_codes
from gattn_tg.seq.alphabet import N
from gattn_tg.types import Int, UInt8

HIDDEN, REPLACED = 0.8, 0.1  # of the chosen spans: shown as N, shown as random bases; the rest as they are


class Masked(NamedTuple):
    """What the model reads, the tokens that it is to name, and their true words, -1 where one contains an N.

    Args:
        bases: with N and random bases in the place of masked ones.
        places: index of every token to name, the same number in every row.
        labels: code of the word that ends there, or the base for k = 1.
    """

    bases: UInt8[np.ndarray, "b n"]
    places: Int[np.ndarray, "b p"]
    labels: Int[np.ndarray, "b p"]


def n_masked(width: int, share: float, k: int) -> int:
    """Tokens that are named in every row: whole spans of k, about a share of the row."""
    return max(round(share * width / k), 1) * k


def mask(windows: UInt8[np.ndarray, "b n"], keys: np.ndarray, share: float, k: int) -> Masked:
    """Hide some tokens of each window; a function of the windows and the keys alone.

    A row is cut into equal parts, and one span of k tokens (words that end at k bases in a row) lies at random in
    each. Overlapping words tell each other's bases, so a span hides its k bases: every word that touches one of them
    is read as unknown, and the last word of the span has no base that is seen.

    80 % of the spans are shown as N, 10 % as random bases, 10 % as they are.

    Args:
        windows: base ids, at least k bases wide in every part.
        keys: one 64-bit number per window.
        share: of the tokens that are to be named.
        k: bases of a token.

    Source: Devlin et al. 2019, BERT, section 3.1; spans of k as in Ji et al. 2021, DNABERT, Bioinformatics 37:2112.
    """
    b, n = windows.shape
    spans = n_masked(n, share, k) // k
    index = np.arange(spans, dtype=np.uint64)
    numbers = [
        mixed(keys.astype(np.uint64)[:, None] ^ mixed(index * np.uint64(2) + np.uint64(hashed(stream))))
        for stream in range(2)
    ]
    edges = np.arange(spans + 1) * n // spans
    # a span of k ends inside its part; the first begins where its words are whole
    lows = np.maximum(edges[:-1], k - 1)
    room = np.maximum(edges[1:] - k - lows, 0) + 1
    first = lows + (numbers[0] % room.astype(np.uint64)).astype(np.int64)  # (b, spans)
    places = np.minimum((first[..., None] + np.arange(k)), n - 1).reshape(b, -1)
    codes = np.full((b, n), -1, dtype=np.int32)
    codes[:, k - 1 :] = kmer_codes(windows, k)
    bases = windows.copy()
    fate = (numbers[1] >> np.uint64(11)).astype(np.float64) * 2.0**-53
    drawn = mixed(numbers[1][..., None] + np.arange(k, dtype=np.uint64) * np.uint64(hashed(2)))
    values = np.where((fate < HIDDEN)[..., None], N, (drawn >> np.uint64(60) & np.uint64(3)).astype(np.uint8))
    is_shown = (fate >= HIDDEN + REPLACED)[..., None]
    at = places.reshape(b, spans, k)
    rows = np.arange(b)[:, None, None]
    bases[rows, at] = np.where(is_shown, windows[rows, at], values)
    return Masked(bases, places.astype(np.int32), np.take_along_axis(codes, places, axis=1))
