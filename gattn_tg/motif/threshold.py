"""Scores of matrices, and exactly how often random sequence reaches them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.types import Float

PSEUDOCOUNT = 0.1
"""Added to every count, so that a base never seen does not forbid a site (lightmotif's own examples use it)."""
SUM_TOLERANCE = 0.02
"""Rows that add up to 1 this closely are probabilities: files round them to two or more digits."""
LEAST_PROBABILITY = 1e-3
"""What a smaller probability counts as, so that a base never seen does not forbid a site (as in HOMER's files)."""
ENUMERATED = 10
"""Up to this width all 4**width words are scored; wider matrices are convolved."""
COARSE_BITS, FINE_BITS = 2**-6, 2**-13
"""Steps of the two convolutions; the second costs the threshold less than width * FINE_BITS, .003 bits for 24 bases."""
NEAR_STEPS = 1024
"""How far below the best score a threshold is looked for first: 16 bits."""
KEPT = 64
"""Of the fine sums every so many are kept for p-values of hits: 2**-7 bits apart, half a per cent of a p-value."""
TIE_BITS = 1e-9
"""Scores nearer than this are equal: the order of additions may not decide about a site."""


class TooShortError(ConfigError):
    """The best word of a matrix is more frequent in random sequence than the p-value allows."""

    def __init__(self, where: str, width: int, pvalue: float) -> None:
        super().__init__(
            f"{where}: expected a pvalue that the best of all words of {width} bases does not exceed, got "
            f"{pvalue}; use a larger one, or a longer motif"
        )


class Tail(NamedTuple):
    """The top of the distribution of a matrix's score in uniform random sequence.

    `threshold` is the lowest score with a probability of at most the p-value. `scores` ascend; `chances[i]` is the
    probability of at least `scores[i]`, exact up to 10 positions, else never below the exact one and about 1 % above.
    """

    threshold: float
    best: float
    scores: Float[np.ndarray, "k"]
    chances: Float[np.ndarray, "k"]

    def pvalues(self, scores: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Return the probability of each score or a better one; scores are at least `threshold`."""
        at = np.searchsorted(self.scores, scores + TIE_BITS, side="right") - 1
        found: np.ndarray = self.chances[np.maximum(at, 0)]
        return found


def is_probabilities(rows: Sequence[Sequence[float]]) -> bool:
    """Whether a matrix holds probabilities, that is, every row adds up to 1, and not counts."""
    return all(abs(sum(row) - 1) <= SUM_TOLERANCE for row in rows)


def log_odds(counts: Sequence[Sequence[float]]) -> Float[np.ndarray, "n 4"]:
    """Return `log2(p_i(b) / 0.25)` of a matrix, in bits.

    Probabilities are used as they are, those below `LEAST_PROBABILITY` as that much. To every count `PSEUDOCOUNT` is
    added.

    Args:
        counts: observed A, C, G, T at each position, or their probabilities: see `is_probabilities`.

    Example:
        >>> log_odds([(1, 1, 1, 1)]).tolist()
        [[0.0, 0.0, 0.0, 0.0]]
        >>> log_odds([(0.5, 0.25, 0.125, 0.125)]).tolist()
        [[1.0, 0.0, -1.0, -1.0]]
    """
    rows = np.asarray(counts, dtype=np.float64)
    share = np.maximum(rows, LEAST_PROBABILITY) if is_probabilities(counts) else rows + PSEUDOCOUNT
    weights: np.ndarray = np.log2(share / share.sum(axis=1, keepdims=True) / 0.25)
    return weights


def score_threshold(counts: Sequence[Sequence[float]], pvalue: float) -> float:
    """Return the lowest score that uniform random sequence reaches with a probability of at most `pvalue`.

    Args:
        counts: see `log_odds`.
        pvalue: chance of a hit per position and strand.

    Raises:
        TooShortError: even the best word is more frequent than `pvalue`.
    """
    return score_tail(tuple(map(tuple, counts)), pvalue).threshold


@lru_cache(maxsize=2048)
def score_tail(counts: tuple[tuple[float, ...], ...], pvalue: float) -> Tail:
    """Return the scores that random sequence reaches with a probability of at most `pvalue`, and how often.

    Up to 10 positions it is exact, from all words. Wider matrices: each weight is rounded up to a multiple of 2**-13
    bits, so that the distribution of sums is a convolution; the probability is then never above `pvalue`, and the
    threshold at most width * 2**-13 bits above the exact one. Only sums near the top are kept, which a first, coarse
    convolution bounds.

    Args:
        counts: see `log_odds`.
        pvalue: chance of a hit per position and strand.

    Raises:
        TooShortError: even the best word is more frequent than `pvalue`.

    Source: Touzet and Varre (2007) Algorithms Mol Biol 2:15, for the convolution near the top.
    """
    weights = log_odds(counts)
    best = float(weights.max(axis=1).sum())
    if len(weights) <= ENUMERATED:
        scores = np.zeros(1)
        for row in weights:
            scores = (scores[:, None] + row).ravel()
        n_words = len(scores)
        scores = np.sort(scores)[::-1]
        allowed = int(pvalue * n_words + 1e-9)
        reached = int((scores > scores[min(allowed, n_words - 1)] + TIE_BITS).sum())
        if not reached:
            raise TooShortError("motif matrix", len(weights), pvalue)
        top = scores[:reached][::-1]
        # of equal scores the first counts them all; rounding leaves some a little apart
        first = np.searchsorted(top, top - TIE_BITS)
        return Tail(float(top[0]), best, top, (reached - first) / n_words)
    # Rounded down, the sums bound the threshold from below; the finer convolution looks no further down.
    steps = np.floor(weights / COARSE_BITS).astype(np.int64)
    lowest = int((steps.max(axis=1) - steps.min(axis=1)).sum())
    depth = _depth(_chances(steps, lowest), pvalue)
    depth_bits = best - (steps.max(axis=1).sum() - depth - 1) * COARSE_BITS
    steps = np.ceil(weights / FINE_BITS).astype(np.int64)
    chances = _chances(steps, int(depth_bits / FINE_BITS) + 2 * len(weights))
    depth = _depth(chances, pvalue)
    if depth < 0:
        raise TooShortError("motif matrix", len(weights), pvalue)
    top_step = int(steps.max(axis=1).sum())
    depths = np.append(np.arange(0, depth, KEPT), depth)[::-1]
    # Rounded-up sums are never below the true ones, so their probability is an upper bound at every true score.
    reachable = (top_step - depths) * FINE_BITS
    return Tail(float(reachable[0]), best, reachable, np.minimum(chances[depths], pvalue))


def near_threshold(counts: Sequence[Sequence[float]], pvalue: float) -> float:
    """Return `score_threshold` within a few hundredths of a bit and much faster, for filters to begin with.

    Where even the best word is more frequent than `pvalue`, it is the score of that word.
    """
    steps = np.rint(log_odds(counts) / COARSE_BITS).astype(np.int64)
    best = steps.max(axis=1)
    whole = int((best - steps.min(axis=1)).sum())
    limit = min(whole, NEAR_STEPS)
    chances = _chances(steps, limit)
    if chances[-1] <= pvalue and limit < whole:
        chances = _chances(steps, whole)
    depth = max(_depth(chances, pvalue), 0)
    reached = int(np.searchsorted(chances, chances[depth]))  # the lowest score that there is
    return float((best.sum() - reached) * COARSE_BITS)


def _chances(steps: np.ndarray, limit: int) -> np.ndarray:
    """Return the probability of a sum at most 0, 1 .. `limit` below the best one."""
    chance = np.zeros(limit + 1)
    chance[0] = 1.0
    for row in steps:
        mixed = np.zeros_like(chance)
        for loss in (row.max() - row).tolist():
            if loss <= limit:
                mixed[loss:] += 0.25 * chance[: limit + 1 - loss]
        chance = mixed
    return np.cumsum(chance)


def _depth(chances: np.ndarray, pvalue: float) -> int:
    """Return how far below the best sum the probability of all sums above stays at most `pvalue`; -1 if nowhere."""
    # A small excess is the rounding of sums of thousands of terms.
    return int(np.searchsorted(chances, pvalue * (1 + 1e-12), side="right")) - 1
