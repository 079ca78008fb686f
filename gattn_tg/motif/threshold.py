"""Exact thresholds: which score of a matrix random sequence reaches with a given probability."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.types import Float

PSEUDOCOUNT = 0.1
"""Added to every count, so that a base never seen does not forbid a site (lightmotif's own examples use it)."""
ENUMERATED = 10
"""Up to this width all 4**width words are scored; wider matrices are convolved."""
COARSE_BITS, FINE_BITS = 2**-6, 2**-13
"""Steps of the two convolutions; the second costs the threshold less than width * FINE_BITS, .003 bits for 24 bases."""
TIE_BITS = 1e-9
"""Scores nearer than this are equal: the order of additions may not decide about a site."""


def log_odds(counts: Sequence[Sequence[int]]) -> Float[np.ndarray, "n 4"]:
    """Return `log2(p_i(b) / 0.25)` of a count matrix, in bits, with `PSEUDOCOUNT` added to every count.

    Example:
        >>> log_odds([(1, 1, 1, 1)]).tolist()
        [[0.0, 0.0, 0.0, 0.0]]
    """
    observed = np.asarray(counts, dtype=np.float64) + PSEUDOCOUNT
    weights: np.ndarray = np.log2(observed / observed.sum(axis=1, keepdims=True) / 0.25)
    return weights


@cache
def score_threshold(counts: tuple[tuple[int, ...], ...], pvalue: float) -> float:
    """Return the lowest score that uniform random sequence reaches with a probability of at most `pvalue`.

    Up to 10 positions it is exact, from all words. Wider matrices: each weight is rounded up to a multiple of 2**-13
    bits, so that the distribution of sums is a convolution; the probability is then never above `pvalue`, and the
    threshold at most width * 2**-13 bits above the exact one. Only sums near the top are kept, which a first, coarse
    convolution bounds.

    Args:
        counts: observed A, C, G, T at each position.
        pvalue: chance of a hit per position and strand.

    Raises:
        ConfigError: even the best word is more frequent than `pvalue`.

    Source: Touzet and Varre (2007) Algorithms Mol Biol 2:15, for the convolution near the top.
    """
    weights = log_odds(counts)
    if len(weights) <= ENUMERATED:
        scores = np.zeros(1)
        for row in weights:
            scores = (scores[:, None] + row).ravel()
        scores = np.sort(scores)[::-1]
        allowed = int(pvalue * len(scores) + 1e-9)
        reached = int((scores > scores[min(allowed, len(scores) - 1)] + TIE_BITS).sum())
        if not reached:
            raise _too_small(len(weights), pvalue)
        return float(scores[reached - 1])
    best = float(weights.max(axis=1).sum())
    # Rounded down, the sums bound the threshold from below; the finer convolution looks no further down.
    steps = np.floor(weights / COARSE_BITS).astype(np.int64)
    lowest = int((steps.max(axis=1) - steps.min(axis=1)).sum())
    depth_bits = best - (steps.max(axis=1).sum() - _depth(steps, lowest, pvalue) - 1) * COARSE_BITS
    steps = np.ceil(weights / FINE_BITS).astype(np.int64)
    depth = _depth(steps, int(depth_bits / FINE_BITS) + 2 * len(weights), pvalue)
    if depth < 0:
        raise _too_small(len(weights), pvalue)
    return float((steps.max(axis=1).sum() - depth) * FINE_BITS)


def _depth(steps: np.ndarray, limit: int, pvalue: float) -> int:
    """Return how far below the best sum the probability of all sums above stays at most `pvalue`; -1 if nowhere."""
    chance = np.zeros(limit + 1)
    chance[0] = 1.0
    for row in steps:
        mixed = np.zeros_like(chance)
        for loss in (row.max() - row).tolist():
            if loss <= limit:
                mixed[loss:] += 0.25 * chance[: limit + 1 - loss]
        chance = mixed
    # A small excess is the rounding of sums of thousands of terms.
    return int(np.searchsorted(np.cumsum(chance), pvalue * (1 + 1e-12), side="right")) - 1


def _too_small(width: int, pvalue: float) -> ConfigError:
    return ConfigError(
        f"motif matrix: a pvalue that the best of all words of {width} bases does not exceed is required, but came "
        f"{pvalue}; use a larger one, or a longer motif"
    )
