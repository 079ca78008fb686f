"""Random orders that stay the same for ever."""

from __future__ import annotations

import numpy as np

from gattn_tg.types import Int


def shuffled(n: int, *key: int) -> Int[np.ndarray, "n"]:
    """Return the numbers 0..n-1 in an order decided by whole numbers, for example (seed, epoch).

    Numbers are sorted by raw 64-bit draws of PCG64: NumPy promises that raw draws never change between versions, a
    promise that `Generator.permutation` does not have.
    """
    draws = np.random.PCG64(np.random.SeedSequence(key)).random_raw(n)
    return np.argsort(draws, kind="stable")
