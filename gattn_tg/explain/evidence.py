"""Evidence that a model tells two groups of sequences apart by a motif, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gattn_tg.metrics.chance import PERMUTATIONS, Mean, difference, mean, p_of_labels, p_of_signs, q_values
from gattn_tg.types import Bool, Float

LEVEL = 0.05  # false discovery rate
MOST_PERMUTATIONS = 200_000


class Tested(NamedTuple):
    """A mean or difference of every motif, its 95 % interval, permutation p and q among all that were tested."""

    value: Float[np.ndarray, "m"]
    low: Float[np.ndarray, "m"]
    high: Float[np.ndarray, "m"]
    p: Float[np.ndarray, "m"]
    q: Float[np.ndarray, "m"]

    @classmethod
    def of(cls, found: Mean, p: Float[np.ndarray, "m"]) -> Tested:
        """With q from p."""
        return cls(*found, p, q_values(p))


def of_labels(values: Float[np.ndarray, "s m"], positive: Bool[np.ndarray, "s"], seed: int = 0) -> Tested:
    """How columns differ between positives and negatives; columns without two values have p 1."""
    found = difference(values[positive], values[~positive], seed)
    return Tested.of(found, p_of_labels(values, positive, seed, permutations(values.shape[1])))


def of_effects(values: Sequence[Float[np.ndarray, "n"]], seed: int = 0) -> Tested:
    """How far the means of several lists are from 0; nan, and not counted, where a list is empty."""
    means = [mean(one[:, None], seed) for one in values]
    found = Mean(*(np.array([one[i][0] for one in means]) for i in range(3)))
    n = permutations(len(values))
    p = np.array([p_of_signs(one[:, None], seed, n)[0] if len(one) else np.nan for one in values])
    return Tested.of(found, p)


def permutations(n_tests: int) -> int:
    """So many that one of `n_tests` can be found at `LEVEL` alone."""
    return min(max(PERMUTATIONS, int(2 * n_tests / LEVEL)), MOST_PERMUTATIONS)


def agreed(labels: Tested, effects: Tested) -> Bool[np.ndarray, "m"]:
    """What is found: sites that answers rest on are more frequent in one group, and put in they move answers that way.

    Both with q <= 0.05; where labels say nothing, the first alone keeps the false discovery rate at that level.
    """
    same = np.sign(labels.value) == np.sign(effects.value)
    found: np.ndarray = same & (labels.q <= LEVEL) & (effects.q <= LEVEL)  # nan is never <=
    return found
