"""The share of one kind in a mixture, as of tumour reads among all of a tube, from a score that is not perfect."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gattn_tg.errors import ConfigError
from gattn_tg.types import Float

Z95 = 1.959963984540054  # standard deviations of a normal distribution that hold 95 % of it


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval, all from 0 to 1.

    Args:
        estimate: the share.
        low, high: ends of the interval.
        n: items of the mixture.
        outside: standard errors that the mean score of the mixture lies outside of what mixtures of both kinds give; 0
            inside. Far above 2, the mixture holds something else.
    """

    estimate: float
    low: float
    high: float
    n: int
    outside: float


def share(mixed: Float[np.ndarray, "n"], without: Float[np.ndarray, "a"], within: Float[np.ndarray, "b"]) -> Share:
    """The share pi of one kind in a mixture, by mean scores: E[mixed] = (1 - pi) E[without] + pi E[within].

    Scores need not be calibrated, as classes of known items are scored alike; they must be items that the score was
    not fitted on. The interval holds every pi at which the difference of both sides is at most 1.96 standard errors,
    so it knows that there are few known items too; where these cannot be told apart, it is 0 to 1.

    Args:
        mixed: score of each item of the mixture, for example the probability of the kind.
        without: of known items of the other kind.
        within: of known items of the kind.

    Raises:
        ConfigError: fewer than two items of one of them, or a kind whose mean score is not above that of the other.

    Source: probabilistic adjusted counts: Bella et al. 2010, "Quantification via probability estimators", ICDM. The
        interval is that of a ratio: Fieller 1954, J R Stat Soc B 16:175.
    """
    groups = {"mixed": mixed, "without": without, "within": within}
    for name, scores in groups.items():
        if len(scores) < 2:
            raise ConfigError(f"mixture: expected at least 2 scores for {name}, got {len(scores)}; give more items")
    (m, vm), (a, va), (b, vb) = ((float(np.mean(x)), float(np.var(x, ddof=1)) / len(x)) for x in groups.values())
    if not b > a:
        raise ConfigError(f"mixture: expected a mean score of the kind above that of the other, got {b:.4g} and "
                          f"{a:.4g}; the score does not tell them apart")
    estimate = min(max((m - a) / (b - a), 0.0), 1.0)
    low, high = _interval(m, vm, a, va, b, vb)
    edge = a if m < a else b
    beyond = 0.0 if a <= m <= b else abs(m - edge) / max(math.sqrt(vm + (va if m < a else vb)), 1e-300)
    return Share(estimate, min(low, estimate), max(high, estimate), len(mixed), beyond)


def _interval(m: float, vm: float, a: float, va: float, b: float, vb: float) -> tuple[float, float]:
    """Where (m - (1 - p) a - p b)^2 <= z^2 (vm + (1 - p)^2 va + p^2 vb), from 0 to 1: a parabola in p."""
    z2 = Z95 * Z95
    d = b - a
    square = d * d - z2 * (va + vb)
    half = -(m - a) * d + z2 * va
    rest = (m - a) ** 2 - z2 * (vm + va)
    if square <= 0:  # the two kinds cannot be told apart
        return 0.0, 1.0
    root = math.sqrt(max(half * half - square * rest, 0.0))
    ends = ((-half - root) / square, (-half + root) / square)
    return min(max(ends[0], 0.0), 1.0), min(max(ends[1], 0.0), 1.0)
