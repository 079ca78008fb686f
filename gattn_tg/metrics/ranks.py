"""Ranks, in which equal values share the middle of their places."""

from __future__ import annotations

import numpy as np

from gattn_tg.types import Float


def mid_ranks(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """The place of each value from the smallest, 1, to the largest, n; equal values get the mean of their places.

    Example:
        >>> mid_ranks(np.array([0.5, 0.1, 0.5])).tolist()
        [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks
