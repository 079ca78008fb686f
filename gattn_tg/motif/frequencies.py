"""Base frequencies of motifs: from counts or from log odds, and sites drawn from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gattn_tg.types import Float, UInt8


def of_counts(counts: Sequence[Sequence[float]]) -> Float[np.ndarray, "w 4"]:
    """Frequencies of A, C, G, T at each position of a matrix of counts or probabilities, without pseudocounts."""
    found = np.asarray(counts, dtype=np.float64)
    shares: np.ndarray = found / found.sum(1, keepdims=True)
    return shares


def of_log_odds(bits: Float[np.ndarray, "... 4"]) -> Float[np.ndarray, "... 4"]:
    """Frequencies of which these are the log odds in bits, up to a constant for each position."""
    odds = np.exp2(bits - bits.max(-1, keepdims=True))
    shares: np.ndarray = odds / odds.sum(-1, keepdims=True)
    return shares


def information(frequencies: Float[np.ndarray, "w 4"]) -> Float[np.ndarray, "w"]:
    """What each position tells, in bits: 2 where one base is certain, 0 where all are even."""
    p = np.maximum(frequencies, 1e-12)
    bits: np.ndarray = np.maximum(2 + (p * np.log2(p)).sum(1), 0.0)
    return bits


def drawn(frequencies: Float[np.ndarray, "w 4"], rng: np.random.Generator) -> UInt8[np.ndarray, "w"]:
    """A site, every base with the frequency that it has at its position."""
    return np.array([rng.choice(4, p=row) for row in frequencies], dtype=np.uint8)
