"""Could it be chance? Intervals of means, permutation p-values, and q-values of many of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.types import Bool, Float, Int

RESAMPLES = 1000
PERMUTATIONS = 2000
AT_ONCE = 1 << 22  # draws that are held in memory together
EDGES = (2.5, 97.5)


class Mean(NamedTuple):
    """Means of columns and their 95 % intervals; nan for columns of no rows."""

    value: Float[np.ndarray, "m"]
    low: Float[np.ndarray, "m"]
    high: Float[np.ndarray, "m"]


def mean(values: Float[np.ndarray, "n m"], seed: int = 0) -> Mean:
    """The mean over rows, with the percentiles 2.5 and 97.5 of the means over rows drawn again.

    Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", section 13.3.

    Example:
        >>> mean(np.ones((5, 1)))
        Mean(value=array([1.]), low=array([1.]), high=array([1.]))
    """
    n, m = values.shape
    if not n:
        return Mean(*(np.full(m, np.nan) for _ in range(3)))
    low, high = np.percentile(_resampled(values, np.random.default_rng(seed)), EDGES, axis=0)
    return Mean(values.mean(0), low, high)


def difference(one: Float[np.ndarray, "n m"], other: Float[np.ndarray, "k m"], seed: int = 0) -> Mean:
    """The mean over the rows of one minus that of the other, with an interval as in `mean`; each is drawn by itself."""
    if not len(one) or not len(other):
        return Mean(*(np.full(one.shape[1], np.nan) for _ in range(3)))
    rng = np.random.default_rng(seed)
    low, high = np.percentile(_resampled(one, rng) - _resampled(other, rng), EDGES, axis=0)
    return Mean(one.mean(0) - other.mean(0), low, high)


def redrawn(
    statistic: Callable[[Int[np.ndarray, "n"]], Sequence[float]], n: int, times: int, seed: int = 0
) -> Float[np.ndarray, "times m"]:
    """Numbers of what is drawn again from n rows, with replacement: one row of them for each time.

    Args:
        statistic: the numbers of the rows with these places, nan where one is not defined.
        n: rows to draw from, and drawn.
        times: how often.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    return np.array([statistic(rng.integers(0, n, n)) for _ in range(times)], float)


def edges(values: Float[np.ndarray, "k"]) -> tuple[float, float]:
    """The percentiles 2.5 and 97.5 of the values that are not nan; nan of none."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.percentile(defined, EDGES)
    return float(low), float(high)


def p_of_labels(
    values: Float[np.ndarray, "n m"], positive: Bool[np.ndarray, "n"], seed: int = 0, n: int = PERMUTATIONS
) -> Float[np.ndarray, "m"]:
    """How often columns differ as much between two groups of rows, in either direction, when labels are shuffled.

        p = (1 + shuffles with |difference of means| >= the one that is there) / (1 + n)

    Source: Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9:39.

    Args:
        values: one row per item.
        positive: the group of each; both must have an item.
        seed: of the shuffles.
        n: shuffles; p is at least 1 / (n + 1).
    """
    centred = values - values.mean(0)
    weights = np.where(positive, 1 / positive.sum(), -1 / (~positive).sum())
    rng = np.random.default_rng(seed)
    return _p(weights @ centred, n, lambda k: rng.permuted(np.tile(weights, (k, 1)), axis=1) @ centred, len(values))


def p_of_signs(values: Float[np.ndarray, "n m"], seed: int = 0, n: int = PERMUTATIONS) -> Float[np.ndarray, "m"]:
    """How often the mean of a column is as far from 0 when each of its values may as well be its negative.

    p as in `p_of_labels`; 1 for columns of no rows.
    """
    rng = np.random.default_rng(seed)
    if not len(values):
        return np.ones(values.shape[1])

    def drawn(k: int) -> np.ndarray:
        found: np.ndarray = (rng.integers(0, 2, (k, len(values))) * 2.0 - 1) @ values
        return found

    return _p(values.sum(0), n, drawn, len(values))


def q_values(p: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """The least false discovery rate at which each would be called: q_(i) = min over j >= i of m p_(j) / j.

    nan where p is, and m counts the others.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57:289.

    Example:
        >>> q_values(np.array([0.01, 0.04, 0.03])).round(3).tolist()
        [0.03, 0.04, 0.04]
    """
    found = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")][::-1]
    ranks = np.arange(len(known), 0, -1)
    found[order] = np.minimum(np.minimum.accumulate(p[order] * len(known) / ranks), 1.0)
    return found


def _resampled(values: Float[np.ndarray, "n m"], rng: np.random.Generator) -> Float[np.ndarray, "r m"]:
    n = len(values)
    size = max(AT_ONCE // n, 1)
    drawn = [rng.multinomial(n, np.full(n, 1 / n), min(size, RESAMPLES - first)) @ values / n
             for first in range(0, RESAMPLES, size)]  # fmt: skip
    return np.concatenate(drawn)


def _p(there: np.ndarray, n: int, drawn: Callable[[int], np.ndarray], n_rows: int) -> np.ndarray:
    least = np.abs(there) * (1 - 1e-9)  # sums in another order differ in their last bits
    size, reached = max(AT_ONCE // max(n_rows, 1), 1), np.zeros(there.shape)
    for first in range(0, n, size):
        reached += (np.abs(drawn(min(size, n - first))) >= least).sum(0)
    found: np.ndarray = (1 + reached) / (1 + n)
    return found
