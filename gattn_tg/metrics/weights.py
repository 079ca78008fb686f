"""Weights that let rare classes count as much as frequent ones."""

from __future__ import annotations

import numpy as np

from gattn_tg.types import Float, Int


def balanced(counts: Int[np.ndarray, "c"]) -> Float[np.ndarray, "c"]:
    """n / (c n_k) for each class: all classes weigh alike, and the mean weight of an example is 1.

    Args:
        counts: examples n_k of each of c classes, n in all; one without any gets the weight 1.

    Source: King and Zeng 2001, "Logistic regression in rare events data", section 4.2.

    Example:
        >>> balanced(np.array([30, 10])).tolist()
        [0.6666666865348816, 2.0]
    """
    weights: np.ndarray = np.where(counts > 0, counts.sum() / (len(counts) * np.maximum(counts, 1)), 1.0)
    return weights.astype(np.float32)
